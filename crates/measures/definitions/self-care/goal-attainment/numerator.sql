-- Recorded as achieved, or on the last day measured from the beginning to the date a value lies within the target.
select item, person
from goal
where achievement in ('achieved', 'sustaining') or lifecycle = 'completed'
union all
select item, person
from (
  select g.item, g.person, o.value, g.low, g.high, day_of(o.effective) as day,
    max(day_of(o.effective)) over (partition by g.item) as newest
  from goal g
  join initial_population i on g.item = i.item
  join observation o on g.person = o.person and g.loinc = o.loinc
  where o.value is not null and (g.low is not null or g.high is not null)
    and (g.started is null or day_of(o.effective) >= day_of(g.started))
    and day_of(o.effective) <= i.event_date
) measured
where day = newest and (low is null or value >= low) and (high is null or value <= high)

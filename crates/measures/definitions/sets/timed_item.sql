-- What has a moment of its own and one of recording.
select item, person, encounter, day_of(effective) as day,
  seconds_between(coalesce(effective_end, effective), issued) as seconds
from observation
where issued is not null and not coalesce(by_person, false)
union all
select item, person, encounter, day_of(occurrence),
  seconds_between(occurrence, recorded)
from immunization
where recorded is not null

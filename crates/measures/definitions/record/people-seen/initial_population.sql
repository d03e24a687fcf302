-- People with a visit in the period.
select person, min(day_of(started)) as event_date
from encounter
where day_of(started) between $period_start and $period_end
  and person in (select person from person_in_period)
group by person

-- People of 18 and older with a visit in the period.
select person
from person_in_period
where age >= 18 and person in (
  select person
  from encounter
  where day_of(started) between $period_start and $period_end
)

-- Hospital stays that ended in the period.
select item, person, last_day as event_date
from stay
where last_day between $period_start and $period_end
  and person in (select person from person_in_period)

-- Checkups in the period.
select item, person, day as event_date
from checkup
where day between $period_start and $period_end
  and person in (select person from person_in_period)

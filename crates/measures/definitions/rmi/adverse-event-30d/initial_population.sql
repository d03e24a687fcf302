-- Medicines first ordered in the period.
select item, person, day as event_date
from first_order
where day between $period_start and $period_end
  and person in (select person from person_in_period)

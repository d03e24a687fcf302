-- What was recorded in the period.
select item, person, day as event_date
from coded_item
where day between $period_start and $period_end

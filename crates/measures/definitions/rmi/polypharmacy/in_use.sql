-- Medicines active at the end of the period, ordered within a year before.
select person, medicine
from order_day
where status = 'active' and days_between(day, $period_end) <= 365

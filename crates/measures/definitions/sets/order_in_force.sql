-- Medicines ordered in the period, or before it and still active.
select person, atc, rxnorm, yj
from order_day
where day >= $period_start or status = 'active'

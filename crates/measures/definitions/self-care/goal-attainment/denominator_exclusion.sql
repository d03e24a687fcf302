-- Goals that were cancelled.
select item, person
from goal
where lifecycle = 'cancelled'

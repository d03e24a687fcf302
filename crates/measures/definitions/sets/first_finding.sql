-- The first day of the period with such a value.
select person, min(day) as day
from finding
group by person

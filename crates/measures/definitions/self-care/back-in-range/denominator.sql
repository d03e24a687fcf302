-- A value of the same kind from the next day to 180 days after.
select distinct person
from again

-- At least one HbA1c in the period.
select distinct person
from hba1c

-- At least one HbA1c (NGSP, %) in the period.
select person, max(day) as event_date
from hba1c
group by person

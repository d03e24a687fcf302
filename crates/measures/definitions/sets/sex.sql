-- Administrative gender.
select person, coalesce(sex, 'unknown') as value
from patient
where patient = person

-- The organisation that manages the person.
select person, site as value
from patient
where patient = person

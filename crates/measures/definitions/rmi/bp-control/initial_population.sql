-- People of 18 and older with hypertension in the period.
select person
from person_in_period
where age >= 18 and person in (select person from hypertension)

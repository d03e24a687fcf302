-- People of 30 to 79 with hypertension in the period.
select person
from person_in_period
where age between 30 and 79 and person in (select person from hypertension)

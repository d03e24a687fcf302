-- People of 50 to 75.
select person
from person_in_period
where age between 50 and 75

-- People of 65 and older.
select person
from person_in_period
where age >= 65

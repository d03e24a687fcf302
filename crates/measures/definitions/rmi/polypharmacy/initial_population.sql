-- People of 65 and older with a medicine ordered in the last year and active.
select person
from person_in_period
where age >= 65 and person in (select person from in_use)

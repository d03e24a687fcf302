-- People alive in the period.
select person
from person_in_period

-- People with an abnormal value at home or at a checkup in the period.
select person, day as event_date
from first_finding
where person in (select person from person_in_period)

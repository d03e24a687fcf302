-- Findings of the period that have a value and say what they are of.
select item, person, day_of(effective) as event_date
from valued

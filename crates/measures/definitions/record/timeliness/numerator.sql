-- Recorded within 24 hours.
select item, person
from timed_item
where seconds between 0 and 86400

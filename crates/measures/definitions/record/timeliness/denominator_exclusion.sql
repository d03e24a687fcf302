-- Recorded before it happened.
select item, person
from timed_item
where seconds < 0

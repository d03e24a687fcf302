-- Hours.
select item, person, cast(seconds as double) / 3600 as value
from timed_item
where seconds is not null

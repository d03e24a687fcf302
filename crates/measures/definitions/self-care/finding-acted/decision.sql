-- Days on which something was decided.
select person, day_of(effective) as day
from observation
where own = 'decision'
union all
select person, day_of(started) as day
from goal
where coalesce(kind, '') <> 'reminder'
union all
select person, day_of(started) as day
from care_plan
union all
select person, day_of(authored) as day
from service_request
union all
select person, day_of(started) as day
from encounter
where item not in (select item from checkup)

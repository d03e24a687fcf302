-- Days on which something was done.
select person, day_of(effective) as day
from observation
where own = 'done'
union all
select person, day_of(performed) as day
from procedure
where encounter is null or encounter not in (select item from checkup)
union all
select person, day
from care_day

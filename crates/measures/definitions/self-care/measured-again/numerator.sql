-- A value of the same kind from the next day to 180 days after.
select distinct f.person
from first_finding f
join finding k on f.person = k.person and f.day = k.day
join reading r on k.person = r.person and k.kind = r.kind
where days_between(f.day, r.day) between 1 and 180

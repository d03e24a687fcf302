-- Values of the same kind measured again within 180 days.
select r.person, r.kind, r.day, r.abnormal
from first_finding f
join finding k on f.person = k.person and f.day = k.day
join reading r on k.person = r.person and k.kind = r.kind
where days_between(f.day, r.day) between 1 and 180

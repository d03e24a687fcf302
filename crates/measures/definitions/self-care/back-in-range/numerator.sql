-- Of the values of that kind on the last day one is within limits.
select distinct a.person
from again a
join (select person, kind, max(day) as day from again group by person, kind) newest
  on a.person = newest.person and a.kind = newest.kind and a.day = newest.day
where not a.abnormal

-- The lowest value of the last day measured is below 7.0 %.
select h.person, h.day as event_date
from hba1c h
join (select person, max(day) as day from hba1c group by person) newest
  on h.person = newest.person and h.day = newest.day
group by h.person, h.day
having min(h.value) < 7.0

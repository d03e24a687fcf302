-- On the last day measured, the lowest systolic is below 135 and the lowest diastolic below 85.
select p.person, p.day as event_date
from home_pressure p
join (select person, max(day) as day from home_pressure group by person) newest
  on p.person = newest.person and p.day = newest.day
group by p.person, p.day
having min(p.systolic) < 135 and min(p.diastolic) < 85

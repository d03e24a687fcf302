-- On the last day measured, the lowest systolic is below 140 and the lowest diastolic below 90.
select p.person, p.day as event_date
from office_pressure p
join (select person, max(day) as day from office_pressure group by person) newest
  on p.person = newest.person and p.day = newest.day
group by p.person, p.day
having min(p.systolic) < 140 and min(p.diastolic) < 90

-- Admitted again from the next day to 30 days after.
select distinct i.item, i.person
from initial_population i
join stay s on i.person = s.person
where days_between(i.event_date, s.first_day) between 1 and 30

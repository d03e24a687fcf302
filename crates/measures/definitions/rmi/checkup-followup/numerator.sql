-- A visit that is no checkup, or a medicine, from the next day to 90 days after.
select distinct i.item, i.person
from initial_population i
join care_day c on i.person = c.person
where days_between(i.event_date, c.day) between 1 and 90

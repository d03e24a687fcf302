-- Within 30 days from the order a medicine allergy or an adverse drug event was recorded.
select distinct i.item, i.person
from initial_population i
join adverse_event a on i.person = a.person
where days_between(i.event_date, a.day) between 0 and 30

-- The organisation of the visit, or else the one that manages the person.
select c.item, coalesce(e.site, s.value, 'unknown') as value
from initial_population i
join timed_item c on i.item = c.item
left join encounter e on c.encounter = e.item
left join person_site s on c.person = s.person

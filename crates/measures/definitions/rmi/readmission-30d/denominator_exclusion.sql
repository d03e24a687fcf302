-- Stays that ended in death.
select i.item, i.person
from initial_population i
join encounter e on i.item = e.item
where e.disposition = 'exp'

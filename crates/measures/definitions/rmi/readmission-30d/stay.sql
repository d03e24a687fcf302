-- Stays in a hospital.
select item, person, day_of(started) as first_day, day_of(ended) as last_day
from encounter
where class in ('IMP', 'ACUTE', 'NONAC')

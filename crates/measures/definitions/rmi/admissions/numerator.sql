-- Admissions in the period.
select item, person, day_of(started) as event_date
from encounter
where class in ('IMP', 'ACUTE', 'NONAC') and day_of(started) between $period_start and $period_end

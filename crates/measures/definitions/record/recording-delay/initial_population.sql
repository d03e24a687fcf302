-- Findings and vaccinations of the period with a moment and one of recording.
select item, person, day as event_date
from timed_item
where seconds is not null and day between $period_start and $period_end

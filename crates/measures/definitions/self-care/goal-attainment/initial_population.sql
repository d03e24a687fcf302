-- Goals due in the period, or without a date and begun by its end; reminders left out.
select item, person, coalesce(day_of(due), $period_end) as event_date
from goal
where coalesce(kind, '') <> 'reminder'
  and lifecycle not in ('proposed', 'rejected')
  and (day_of(due) between $period_start and $period_end
       or (due is null and (started is null or day_of(started) <= $period_end)))
  and person in (select person from person_in_period)

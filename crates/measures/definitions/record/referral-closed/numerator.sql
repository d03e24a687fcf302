-- Recorded as completed, or answered by a visit or report within 90 days.
select item, person
from service_request
where status = 'completed'
union all
select i.item, i.person
from initial_population i
join (
  select request, day_of(answered) as day from encounter_request
  union all
  select request, day_of(answered) as day from report_request
) a on i.item = a.request
where days_between(i.event_date, a.day) between 0 and 90

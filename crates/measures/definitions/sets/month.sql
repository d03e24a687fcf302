-- The month of the event.
select item, substr(cast(event_date as varchar), 1, 7) as value
from initial_population

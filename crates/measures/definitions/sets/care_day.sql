-- Days on which somebody was treated: a visit that is no checkup, or a medicine ordered.
select person, day_of(started) as day
from encounter
where item not in (select item from checkup)
union all
select person, day_of(authored) as day
from medication_request

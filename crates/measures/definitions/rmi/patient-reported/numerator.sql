-- A questionnaire answered, a survey observation, or a measurement by the person, in the period.
select person, day_of(effective) as event_date
from observation
where (category = 'survey' or by_person) and day_of(effective) between $period_start and $period_end
union all
select person, day_of(authored) as event_date
from questionnaire_response
where day_of(authored) between $period_start and $period_end

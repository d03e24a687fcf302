-- Blood pressure at visits in the period.
select person, day_of(effective) as day, systolic, diastolic
from blood_pressure
where encounter is not null and systolic is not null and diastolic is not null
  and day_of(effective) between $period_start and $period_end

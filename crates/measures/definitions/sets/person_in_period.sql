-- Persons of whom it is not known that they died before the period; age at its end.
select person, age_on(birth_date, $period_end) as age
from patient
where patient = person
  and (birth_date is null or day_of(birth_date) <= $period_end)
  and coalesce(deceased_flag, false) = false
  and (deceased is null or day_of(deceased) >= $period_start)

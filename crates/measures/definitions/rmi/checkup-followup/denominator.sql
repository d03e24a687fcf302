-- Any of blood pressure 140/90 mmHg, HbA1c 6.5 %, fasting glucose 126, LDL 140, triglycerides 300 mg/dL or above.
select distinct encounter as item, person
from reading
where abnormal and not by_person and encounter is not null

-- Days on which an allergy to a medicine, or an adverse drug event, was recorded.
select person, day_of(recorded) as day
from allergy
where medicine
union all
select person, day_of(coalesce(recorded, onset)) as day
from condition
where coalesce(verification, 'confirmed') = 'confirmed'
  and ((icd10 >= 'T36' and icd10 < 'T51') or icd10 in ('T88.6', 'T88.7', 'L27.0', 'L27.1')
       or (icd10 >= 'Y40' and icd10 < 'Y60') or snomed in ('62014003', '281647001'))

-- Acute respiratory infections diagnosed in the period (ICD-10 J00, J02, J04, J06, J20, J21; SNOMED CT 195662009, 444814009, 10509002, 54150009).
select c.item, c.person, c.recorded_day as event_date
from condition_known c
where c.recorded_day between $period_start and $period_end
  and (substr(c.icd10, 1, 3) in ('J00', 'J02', 'J04', 'J06', 'J20', 'J21')
       or c.snomed in ('195662009', '444814009', '10509002', '54150009'))
  and coalesce(c.icd10, '') <> 'J02.0'
  and c.person in (select person from person_in_period)

-- Persons with diabetes: ICD-10 E10 to E14, SNOMED CT 73211009, 44054006, 46635009.
select distinct person
from condition_in_period
where substr(icd10, 1, 3) in ('E10', 'E11', 'E12', 'E13', 'E14')
   or snomed in ('73211009', '44054006', '46635009')

-- Persons with hypertension: ICD-10 I10 to I15, SNOMED CT 38341003.
select distinct person
from condition_in_period
where substr(icd10, 1, 3) in ('I10', 'I11', 'I12', 'I13', 'I15')
   or snomed in ('38341003', '59621000')

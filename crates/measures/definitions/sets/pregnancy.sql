-- Persons who were pregnant in the period: ICD-10 O00 to O99, SNOMED CT 72892002, 77386006.
select distinct person
from condition_in_period
where substr(icd10, 1, 1) = 'O' or snomed in ('72892002', '77386006')

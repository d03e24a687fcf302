-- People of 18 and older with I20 to I25, I63 or their SNOMED CT equivalents known by the end of the period.
select person
from person_in_period
where age >= 18 and person in (
  select person
  from condition_known
  where substr(icd10, 1, 3) in ('I20', 'I21', 'I22', 'I23', 'I24', 'I25', 'I63')
     or snomed in ('22298006', '399211009', '53741008', '230690007', '422504002')
)

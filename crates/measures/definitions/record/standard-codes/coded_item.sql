-- What is coded, of which kind, when, at which visit, and whether by a standard code.
select item, person, 'Observation' as kind, day_of(effective) as day, encounter,
  loinc is not null or jlac10 is not null or snomed is not null as standard
from observation
where not coalesce(by_person, false)
union all
select item, person, 'Condition', day_of(coalesce(recorded, onset)), encounter,
  icd10 is not null or snomed is not null or medis is not null
from condition
union all
select item, person, 'MedicationRequest', day_of(authored), encounter,
  atc is not null or rxnorm is not null or yj is not null or hot is not null
from medication_request
union all
select item, person, 'Procedure', day_of(performed), encounter,
  snomed is not null or medis is not null
from procedure
union all
select item, person, 'Immunization', day_of(occurrence), encounter,
  cvx is not null or yj is not null
from immunization
union all
select item, person, 'AllergyIntolerance', day_of(recorded), encounter,
  snomed is not null or rxnorm is not null or yj is not null or jfagy is not null
from allergy

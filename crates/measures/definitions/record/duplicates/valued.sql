-- Findings of the period with a name and a value.
select item, person, encounter, coalesce(loinc, jlac10, snomed, text) as name, effective,
  coalesce(cast(cast(value as double) as varchar) || ' ' || coalesce(unit, ''), said) as result
from observation
where coalesce(loinc, jlac10, snomed, text) is not null and (value is not null or said is not null)
  and day_of(effective) between $period_start and $period_end

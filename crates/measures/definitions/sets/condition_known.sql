-- Confirmed conditions known by the end of the period; the day each was recorded, or else began.
select item, person, icd10, snomed, clinical, encounter,
  day_of(coalesce(onset, recorded)) as onset_day,
  day_of(coalesce(recorded, onset)) as recorded_day,
  day_of(abatement) as abated_day
from condition
where coalesce(verification, 'confirmed') = 'confirmed'
  and day_of(coalesce(onset, recorded)) <= $period_end

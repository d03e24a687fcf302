-- Medicines ordered by the end of the period; one name for one medicine.
select item, person, status, encounter, atc, rxnorm, substr(yj, 1, 7) as yj,
  coalesce(atc, substr(yj, 1, 7), rxnorm, hot, text) as medicine,
  day_of(authored) as day
from medication_request
where day_of(authored) <= $period_end

-- Of these, those somebody had in the period.
select item, person, icd10, snomed
from condition_known
where abated_day >= $period_start
   or (abated_day is null and coalesce(clinical, 'active') in ('active', 'recurrence', 'relapse'))

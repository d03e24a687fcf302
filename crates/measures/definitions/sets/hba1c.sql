-- HbA1c in the period, in per cent (NGSP): LOINC 4548-4, 17856-6, JLAC10 3D046 and 3D045.
select person, day_of(effective) as day, value
from observation
where (loinc in ('4548-4', '17856-6') or substr(jlac10, 1, 5) in ('3D045', '3D046'))
  and unit = '%' and value is not null
  and day_of(effective) between $period_start and $period_end

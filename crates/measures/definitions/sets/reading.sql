-- Values with a threshold for seeing somebody: at a visit those of 特定健診 (受診勧奨判定値), at home those of JSH 2019 and JDS.
select item, person, day_of(effective) as day, 'pressure' as kind, by_person, encounter,
  case when by_person then systolic >= 135 or diastolic >= 85 else systolic >= 140 or diastolic >= 90 end as abnormal
from blood_pressure
where systolic is not null and diastolic is not null
union all
select item, person, day_of(effective) as day, kind, by_person, encounter, value >= threshold as abnormal
from (
  select item, person, effective, by_person, encounter, value,
    case
      when (loinc in ('4548-4', '17856-6') or substr(jlac10, 1, 5) in ('3D045', '3D046')) and unit = '%' then 'hba1c'
      when loinc in ('1558-6', '41653-7') and unit = 'mg/dL' then 'glucose'
      when (loinc in ('18262-6', '13457-7') or substr(jlac10, 1, 5) = '3F077') and unit = 'mg/dL' then 'ldl'
      when (loinc = '2571-8' or substr(jlac10, 1, 5) = '3F015') and unit = 'mg/dL' then 'triglycerides'
    end as kind,
    case
      when (loinc in ('4548-4', '17856-6') or substr(jlac10, 1, 5) in ('3D045', '3D046')) and unit = '%' then 6.5
      when loinc in ('1558-6', '41653-7') and unit = 'mg/dL' then 126.0
      when (loinc in ('18262-6', '13457-7') or substr(jlac10, 1, 5) = '3F077') and unit = 'mg/dL' then 140.0
      when (loinc = '2571-8' or substr(jlac10, 1, 5) = '3F015') and unit = 'mg/dL' then 300.0
    end as threshold
  from observation
  where value is not null
) known
where kind is not null

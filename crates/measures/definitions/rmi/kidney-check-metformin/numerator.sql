-- At least one creatinine or eGFR in the period.
select person, max(day_of(effective)) as event_date
from observation
where (loinc in ('2160-0', '38483-4', '62238-1', '33914-3', '98979-8')
       or substr(jlac10, 1, 5) in ('3C015', '8A065'))
  and value is not null
  and day_of(effective) between $period_start and $period_end
group by person

-- Blood in stool tested in the period, or a colonoscopy within ten years (by code, or else by the name of the procedure).
select person, day_of(performed) as event_date
from procedure
where ((snomed in ('73761001', '274031008', '76164006', '444783004') or text like '%大腸内視鏡%' or text like '%内視鏡的大腸%')
       and day_of(performed) <= $period_end and days_between(day_of(performed), $period_end) <= 3652)
   or (snomed in ('1015401000000102', '104435004') and day_of(performed) between $period_start and $period_end)
union all
select person, day_of(effective) as event_date
from observation
where (loinc in ('57905-2', '2335-8', '29771-3', '56490-6') or substr(jlac10, 1, 5) = '1B040')
  and day_of(effective) between $period_start and $period_end

-- Abnormal values measured by the person, or at a checkup, in the period.
select r.item, r.person, r.day, r.kind, r.encounter
from reading r
where r.abnormal and r.day between $period_start and $period_end
  and (r.by_person or r.encounter in (select item from checkup))

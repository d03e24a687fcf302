-- Vaccinated against influenza (CVX) in the period.
select person, max(day_of(occurrence)) as event_date
from immunization
where cvx in ('15', '16', '88', '111', '135', '140', '141', '144', '149', '150', '151', '153', '155', '158', '161',
              '166', '168', '171', '185', '186', '197', '200', '201', '202', '205')
  and day_of(occurrence) between $period_start and $period_end
group by person

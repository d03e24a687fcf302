-- An antibiotic (ATC J01, YJ 61 and 62, or RxNorm) ordered within three days from the diagnosis.
select i.item, i.person
from initial_population i
join medication_request m on i.person = m.person
where days_between(i.event_date, day_of(m.authored)) between 0 and 3
  and (substr(m.atc, 1, 3) = 'J01'
       or substr(m.yj, 1, 2) = '61' or substr(m.yj, 1, 3) in ('621', '624')
       or m.rxnorm in ('562251', '308182', '308192', '789980', '834061', '834102', '309097', '308460', '197650'))

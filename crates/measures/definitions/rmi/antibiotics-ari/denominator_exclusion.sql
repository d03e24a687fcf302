-- Another infection that needs an antibiotic within three days (streptococcal, bacterial sinusitis, otitis media, pneumonia, urinary tract).
select i.item, i.person
from initial_population i
join condition_known b on i.person = b.person
where days_between(i.event_date, b.recorded_day) between -3 and 3
  and (substr(b.icd10, 1, 3) in ('J13', 'J14', 'J15', 'J18', 'H66', 'N30', 'N10')
       or b.icd10 in ('J02.0', 'J03.0', 'N39.0')
       or b.snomed in ('43878008', '75498004', '65363002', '233604007', '301011002', '38822007', '197927001'))

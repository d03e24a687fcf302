-- Antihypertensives: ATC C02, C03, C07, C08, C09, YJ 214 and amlodipine, and RxNorm of those in use.
select distinct person
from order_in_force
where substr(atc, 1, 3) in ('C02', 'C03', 'C07', 'C08', 'C09')
   or substr(yj, 1, 3) = '214' or yj = '2171022'
   or rxnorm in ('316049', '316052', '310798', '197361', '866414', '833036', '897718', '314076', '979492')

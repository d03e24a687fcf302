-- Statins: ATC C10AA, C10BA, YJ 2189010 to 2189017, and RxNorm of simvastatin and atorvastatin.
select distinct person
from order_in_force
where substr(atc, 1, 5) in ('C10AA', 'C10BA')
   or yj in ('2189010', '2189011', '2189012', '2189015', '2189016', '2189017')
   or rxnorm in ('316672', '312961', '314231', '198211', '259255', '617310', '617311', '617312')

-- Metformin: ATC A10BA02 and combinations A10BD, YJ 3962002, and RxNorm.
select distinct person
from order_in_force
where atc in ('A10BA02', 'A10BD07', 'A10BD08', 'A10BD13')
   or yj = '3962002'
   or rxnorm in ('860975', '860974', '861007', '6809')

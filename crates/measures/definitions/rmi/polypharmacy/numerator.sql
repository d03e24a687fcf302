-- Six or more different medicines.
select person
from in_use
group by person
having count(distinct medicine) >= 6

-- It has a standard code.
select item, person
from coded_item
where standard

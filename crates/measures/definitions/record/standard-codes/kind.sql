-- The resource type.
select item, kind as value
from coded_item

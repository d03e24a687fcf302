-- The first order of each medicine for each person.
select item, person, day
from (
  select item, person, day, row_number() over (partition by person, medicine order by day, item) as place
  from order_day
  where medicine is not null
) orders
where place = 1

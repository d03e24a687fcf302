-- The same is there before (second or later in the order of ids).
select v.item, v.person
from valued v
join (
  select person, name, effective, result, min(item) as first
  from valued
  group by person, name, effective, result
  having count(*) > 1
) same on v.person = same.person and v.name = same.name and v.effective = same.effective and v.result = same.result
where v.item <> same.first

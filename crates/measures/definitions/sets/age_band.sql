-- Age at the end of the period.
select person,
  case
    when age is null then 'unknown'
    when age < 15 then '00-14'
    when age < 40 then '15-39'
    when age < 65 then '40-64'
    when age < 75 then '65-74'
    else '75+'
  end as value
from person_in_period

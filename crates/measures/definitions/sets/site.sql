-- The organisation that manages the person; without one, that of the newest visit by the end of the period.
select p.person, coalesce(p.site, v.site, 'unknown') as value
from patient p
left join (
  select person, site
  from (
    select person, site, row_number() over (partition by person order by day_of(started) desc, item) as place
    from encounter
    where site is not null and day_of(started) <= $period_end
      and person in (select person from patient where site is null)
  ) visits
  where place = 1
) v on p.person = v.person
where p.patient = p.person

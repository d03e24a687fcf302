-- Within 90 days there is a decision (one's own, a goal, a plan, a request, a visit) and an action (done oneself, a visit, a medicine, a procedure).
select i.person
from initial_population i
where i.person in (
    select i.person from initial_population i join decision d on i.person = d.person
    where days_between(i.event_date, d.day) between 0 and 90)
  and i.person in (
    select i.person from initial_population i join action a on i.person = a.person
    where days_between(i.event_date, a.day) between 0 and 90)

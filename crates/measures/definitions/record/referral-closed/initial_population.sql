-- Referrals of the period (SNOMED CT 3457005, 306206005 and others, or a request named a referral in Japanese).
select item, person, day_of(authored) as event_date
from service_request
where intent in ('order', 'original-order', 'instance-order', 'reflex-order')
  and (category_snomed in ('3457005', '306206005') or snomed in ('3457005', '306206005', '306253008', '103696004')
       or text like '%紹介%')
  and day_of(authored) between $period_start and $period_end
  and person in (select person from person_in_period)

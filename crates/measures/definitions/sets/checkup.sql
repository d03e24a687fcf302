-- Health checkups: named so in Japanese, or SNOMED CT 185349003, 162673000, 410620009.
select item, person, day_of(started) as day
from encounter
where type_text like '%健診%' or type_text like '%健康診査%' or type_text like '%健康診断%'
   or type_snomed in ('185349003', '162673000', '410620009')

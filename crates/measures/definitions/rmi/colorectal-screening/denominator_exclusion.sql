-- People known to have had colorectal cancer.
select distinct person
from condition_known
where substr(icd10, 1, 3) in ('C18', 'C19', 'C20')
   or snomed in ('363406005', '109838007', '93761005', '363351006')

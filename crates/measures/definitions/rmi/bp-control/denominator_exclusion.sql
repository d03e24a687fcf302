-- People who were pregnant in the period.
select person
from pregnancy

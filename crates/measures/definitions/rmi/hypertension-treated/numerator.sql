-- An antihypertensive ordered in the period, or before it and still active.
select person
from antihypertensive

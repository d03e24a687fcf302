-- Referrals that were revoked.
select item, person
from service_request
where status = 'revoked'

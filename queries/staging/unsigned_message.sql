-- One row per error text of the batch that has no signature yet.
select distinct error_message
from staged
where error_message is not null and error_signature is null
order by error_message

-- Gives rows without a signature the one of their error text.
update staged
set error_signature = message_signature.signature
from message_signature
where staged.error_message = message_signature.error_message and staged.error_signature is null

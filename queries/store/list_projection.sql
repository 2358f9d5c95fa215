-- One row per thing in the projection.
select entity, entity_id, body
from projection
order by entity, entity_id

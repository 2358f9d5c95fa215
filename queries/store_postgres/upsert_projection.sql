-- Writes one row of the projection.
-- $entity: text
-- $entity_id: text
-- $body: text, canonical JSON
insert into workbench.projection (entity, entity_id, body) values ($entity, $entity_id, $body)
on conflict (entity, entity_id) do update set body = excluded.body

-- One row per thing in the projection.
select p.entity, p.entity_id, p.body
from workbench.projection as p
order by p.entity collate "C", p.entity_id collate "C"

-- One row: version of the store's schema.
select m.value
from workbench.meta as m
where m.name = 'schema_version'

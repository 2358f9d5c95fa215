-- Marks the schema as version 3.
update workbench.meta set value = '3' where name = 'schema_version'

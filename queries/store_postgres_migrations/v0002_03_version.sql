-- Marks the schema as version 2.
update workbench.meta set value = '2' where name = 'schema_version'

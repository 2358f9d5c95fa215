-- Marks the schema as version 1.
insert into workbench.meta (name, value) values ('schema_version', '1')

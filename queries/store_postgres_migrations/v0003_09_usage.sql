-- Mirrors may look into the schema.
grant usage on schema workbench to workbench_mirror

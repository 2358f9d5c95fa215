-- Both roles may look into the schema.
grant usage on schema workbench to workbench_writer, workbench_reader

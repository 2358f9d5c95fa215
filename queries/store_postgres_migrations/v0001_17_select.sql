-- Both roles may read everything of the store.
grant select on all tables in schema workbench to workbench_writer, workbench_reader

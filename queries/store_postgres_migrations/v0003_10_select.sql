-- Mirrors read everything of the store, and everybody who may look reads what mirrors said.
grant select on all tables in schema workbench to workbench_mirror, workbench_writer, workbench_reader

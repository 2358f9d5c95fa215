-- One row: holds every other maker or migrator of this database back until the transaction ends.
select pg_advisory_xact_lock(hashtext('workbench'), hashtext('schema')) is null as is_locked

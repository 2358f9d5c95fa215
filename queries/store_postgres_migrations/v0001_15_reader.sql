-- The role of mirrors and of whoever only looks; a server's roles are shared by its databases.
do '
begin
    if not exists (select from pg_catalog.pg_roles where rolname = ''workbench_reader'') then
        create role workbench_reader;
    end if;
exception
    when duplicate_object or unique_violation then null;
end'

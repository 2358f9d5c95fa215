-- The role of whoever gives commands; a server's roles are shared by its databases, so it may be there.
do '
begin
    if not exists (select from pg_catalog.pg_roles where rolname = ''workbench_writer'') then
        create role workbench_writer;
    end if;
exception
    when duplicate_object or unique_violation then null;
end'

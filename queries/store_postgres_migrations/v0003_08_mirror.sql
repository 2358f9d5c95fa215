-- The role of mirrors that report; a server's roles are shared by its databases, so it may be there.
do '
begin
    if not exists (select from pg_catalog.pg_roles where rolname = ''workbench_mirror'') then
        create role workbench_mirror;
    end if;
exception
    when duplicate_object or unique_violation then null;
end'

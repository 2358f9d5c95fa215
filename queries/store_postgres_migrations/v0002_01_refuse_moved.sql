-- Refuses every event once the store was moved to another place: two places must not go on from one log.
create function workbench.refuse_moved() returns trigger language plpgsql
set search_path = pg_catalog, pg_temp as '
begin
    if exists (select from workbench.meta as m where m.name = ''moved_to'') then
        raise exception ''this store was moved to another place; nothing is recorded here any more'';
    end if;
    return new;
end'

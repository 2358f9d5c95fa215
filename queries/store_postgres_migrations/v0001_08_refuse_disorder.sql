-- Refuses an event that is not the next one, or that says another place of itself.
create function workbench.refuse_disorder() returns trigger language plpgsql
set search_path = pg_catalog, pg_temp as '
declare
    newest workbench.event;
begin
    select e.* into newest from workbench.event as e order by e.seq desc limit 1;
    if new.seq <> coalesce(newest.seq, 0) + 1
        or (replace(new.body, ''\u0000'', ''\ufffd'')::json -> ''seq'')::text is distinct from new.seq::text
        or new.prev_hash <> coalesce(newest.hash, new.prev_hash)
    then
        raise exception ''the audit log is append-only: an event must follow the last one'';
    end if;
    return new;
end'

-- Refuses whatever changes or removes events.
create function workbench.refuse_change() returns trigger language plpgsql
set search_path = pg_catalog, pg_temp as '
begin
    raise exception ''the audit log is append-only: events are never changed or deleted'';
end'

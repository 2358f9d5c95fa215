-- Puts the server's own time and the account that is logged in into a row, whatever its writer says of them.
create function workbench.stamp_host() returns trigger language plpgsql
set search_path = pg_catalog, pg_temp as '
begin
    new.beaten_at := clock_timestamp();
    new.reported_by := session_user::text;
    return new;
end'

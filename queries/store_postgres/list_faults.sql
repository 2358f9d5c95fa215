-- One row per setting of the server under which what it acknowledges may be lost or changed.
select s.name || ' is ' || s.setting as fault
from pg_catalog.pg_settings as s
where
    (s.name in ('fsync', 'full_page_writes') and s.setting = 'off')
    or (s.name = 'server_encoding' and s.setting <> 'UTF8')
order by s.name

-- One row per connection that keeps writers waiting: it has locked the head row and waits for nobody.
select
    a.pid,
    a.application_name,
    a.usename
from pg_catalog.pg_locks as l
inner join pg_catalog.pg_stat_activity as a on l.pid = a.pid
where
    l.relation = to_regclass('workbench.head')
    and l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = current_database())
    and l.mode <> 'AccessShareLock'
    and l.granted
    and a.wait_event_type is distinct from 'Lock'
    and a.pid <> pg_backend_pid()
order by a.xact_start, a.pid

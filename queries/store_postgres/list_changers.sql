-- One row per role that may change the log whatever guards it, with the reason and whether this connection is one.
-- The triggers refuse them too, until they drop or switch off the triggers.
select
    r.rolname::text as role,
    case
        when r.rolsuper then 'superuser'
        when r.oid = c.relowner then 'owner'
        when pg_has_role(r.oid, c.relowner, 'member') then 'member of the owner'
        else 'right to change rows'
    end as reason,
    r.rolname = current_user as is_own
from pg_catalog.pg_roles as r
cross join pg_catalog.pg_class as c
where
    c.oid = 'workbench.event'::regclass
    and r.rolname not like 'pg\_%'
    and (
        r.rolsuper
        or pg_has_role(r.oid, c.relowner, 'member')
        or has_table_privilege(r.oid, c.oid, 'update, delete, truncate, trigger')
    )
order by r.rolname

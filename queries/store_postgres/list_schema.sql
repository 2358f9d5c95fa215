-- One row per object of the store's schema, right in it, or owner other than its own: kind, name, table, definition.
-- The rights of the owner are not listed, nor constraints that only say "not null" (columns do, on every server).
with relation as (
    select c.oid, c.relname, c.relkind, c.relowner, c.relacl, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity
    from pg_catalog.pg_class as c
    where c.relnamespace = (select n.oid from pg_catalog.pg_namespace as n where n.nspname = 'workbench')
),

routine as (
    select p.oid, p.proname, p.proowner, p.proacl, p.prosrc, p.prolang, p.prosecdef, p.provolatile, p.proconfig
    from pg_catalog.pg_proc as p
    where p.pronamespace = (select n.oid from pg_catalog.pg_namespace as n where n.nspname = 'workbench')
),

owned as (
    select 'schema' as kind, n.nspname as name, n.nspowner as owner, n.nspacl as acl, 'n'::"char" as acl_kind
    from pg_catalog.pg_namespace as n
    where n.nspname = 'workbench'
    union all
    select 'table' as kind, r.relname as name, r.relowner as owner, r.relacl as acl, 'r'::"char" as acl_kind
    from relation as r
    where r.relkind in ('r', 'p', 'f', 'm', 'v')
    union all
    select 'function' as kind, p.proname as name, p.proowner as owner, p.proacl as acl, 'f'::"char" as acl_kind
    from routine as p
),

entitled as (
    select
        case when o.kind = 'table' then o.name end as on_table,
        o.name,
        o.owner,
        x.grantee,
        x.privilege_type,
        x.is_grantable
    from owned as o
    cross join lateral aclexplode(coalesce(o.acl, acldefault(o.acl_kind, o.owner))) as x
    union all
    select
        r.relname as on_table,
        r.relname || '.' || a.attname as name,
        r.relowner as owner,
        x.grantee,
        x.privilege_type,
        x.is_grantable
    from relation as r
    inner join pg_catalog.pg_attribute as a on r.oid = a.attrelid
    cross join lateral aclexplode(a.attacl) as x
)

select
    case when r.relkind = 'v' then 'view' else 'table' end as kind,
    r.relname::text as name,
    r.relname::text as on_table,
    case
        when r.relkind = 'v' then pg_get_viewdef(r.oid)
        else concat_ws(' ', r.relkind, r.relpersistence, r.relrowsecurity, r.relforcerowsecurity)
    end as definition
from relation as r
where r.relkind not in ('i', 'I', 't', 'c')
union all
select
    'column' as kind,
    r.relname || '.' || a.attname as name,
    r.relname::text as on_table,
    concat_ws(
        ' ',
        format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated, a.attidentity,
        pg_get_expr(d.adbin, d.adrelid)
    ) as definition
from relation as r
inner join pg_catalog.pg_attribute as a on r.oid = a.attrelid
left join pg_catalog.pg_attrdef as d on a.attrelid = d.adrelid and a.attnum = d.adnum
where r.relkind in ('r', 'p', 'f') and a.attnum > 0 and not a.attisdropped
union all
select
    'constraint' as kind,
    c.conname::text as name,
    r.relname::text as on_table,
    concat_ws(' ', pg_get_constraintdef(c.oid), c.convalidated) as definition
from pg_catalog.pg_constraint as c
inner join relation as r on c.conrelid = r.oid
where c.contype <> 'n'
union all
select
    'index' as kind,
    i.relname::text as name,
    r.relname::text as on_table,
    concat_ws(' ', pg_get_indexdef(x.indexrelid), x.indisvalid) as definition
from pg_catalog.pg_index as x
inner join relation as i on x.indexrelid = i.oid
inner join relation as r on x.indrelid = r.oid
union all
select
    'trigger' as kind,
    t.tgname::text as name,
    r.relname::text as on_table,
    concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled) as definition
from pg_catalog.pg_trigger as t
inner join relation as r on t.tgrelid = r.oid
where not t.tgisinternal
union all
select
    'function' as kind,
    p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' as name,
    '' as on_table,
    concat_ws(' ', l.lanname, p.prosecdef, p.provolatile, array_to_string(p.proconfig, ','), p.prosrc) as definition
from routine as p
inner join pg_catalog.pg_language as l on p.prolang = l.oid
union all
select
    'rule' as kind,
    w.rulename::text as name,
    r.relname::text as on_table,
    concat_ws(' ', pg_get_ruledef(w.oid), w.ev_enabled) as definition
from pg_catalog.pg_rewrite as w
inner join relation as r on w.ev_class = r.oid
where w.rulename <> '_RETURN'
union all
select
    'policy' as kind,
    p.polname::text as name,
    r.relname::text as on_table,
    '' as definition
from pg_catalog.pg_policy as p
inner join relation as r on p.polrelid = r.oid
union all
select
    'child table' as kind,
    h.inhrelid::regclass::text as name,
    r.relname::text as on_table,
    '' as definition
from pg_catalog.pg_inherits as h
inner join relation as r on h.inhparent = r.oid
where r.relkind in ('r', 'p', 'f')
union all
select
    'right' as kind,
    lower(e.privilege_type) || ' on ' || e.name || ' for '
    || case when e.grantee = 0 then 'public' else pg_get_userbyid(e.grantee)::text end as name,
    coalesce(e.on_table::text, '') as on_table,
    case when e.is_grantable then 'and to give it on' else '' end as definition
from entitled as e
where e.grantee <> e.owner
union all
select
    'owner' as kind,
    o.kind || ' ' || o.name || ' is owned by ' || pg_get_userbyid(o.owner) as name,
    '' as on_table,
    '' as definition
from owned as o
where o.owner <> (select n.nspowner from pg_catalog.pg_namespace as n where n.nspname = 'workbench')
order by kind, name, on_table

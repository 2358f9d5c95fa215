-- One row per object of the file's schema and per column of its tables: kind, name, table, definition.
-- What `analyze` leaves behind is no part of it.
select
    m.type as kind,
    m.name,
    m.tbl_name as on_table,
    coalesce(m.sql, '') as definition
from sqlite_schema as m
where m.name not like 'sqlite\_stat%' escape '\'
union all
select
    'column' as kind,
    m.name || '.' || x.name as name,
    m.name as on_table,
    x.type || ' ' || x."notnull" || ' ' || x.pk || ' ' || x.hidden || ' ' || coalesce(x.dflt_value, '') as definition
from sqlite_schema as m
inner join pragma_table_xinfo(m.name) as x
where m.type = 'table' and m.name not like 'sqlite\_stat%' escape '\'
order by kind, name

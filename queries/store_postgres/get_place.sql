-- One row: whether a store is in this database, and in which encoding the database keeps text.
select
    to_regclass('workbench.meta') is not null as is_there,
    current_setting('server_encoding') as encoding

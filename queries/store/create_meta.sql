-- One row per fact about the store itself: store_id, environment, schema_version, created_at.
create table meta (
    name text primary key,
    value text not null
) strict

-- One row per fact about the store itself: store_id, environment, created_at, schema_version.
create table workbench.meta (
    name text primary key,
    value text not null
)

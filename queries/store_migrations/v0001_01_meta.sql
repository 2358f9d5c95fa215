-- One row per fact about the store itself: store_id, environment, created_at, later ones where it moved.
create table meta (
    name text primary key,
    value text not null
) strict

-- One row per event of the audited log. body is the canonical JSON that the hash covers, kept as text so
-- that not one byte of it changes; what it says in columns is in the view event_fields.
create table workbench.event (
    seq bigint primary key,
    prev_hash text not null,
    hash text not null unique,
    body text not null
)

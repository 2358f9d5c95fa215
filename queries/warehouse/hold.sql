-- One row per hold of our own store.
-- Key: source_id, hold_id.
-- Partition month: placed_at.
create table hold (
    source_id varchar not null, -- the store
    hold_id varchar not null, -- id of the hold, H-7
    scope varchar, -- scope as written
    purpose varchar, -- incident, drill, maintenance or guard
    mode varchar, -- drain, freeze or halt
    reason varchar, -- reason given
    placed_at timestamptz not null, -- instant of placement
    placed_by varchar, -- who placed it
    released_at timestamptz, -- instant of release; null while it holds
    released_by varchar, -- who released it
    review_by timestamptz, -- instant after which it is overdue, still paused
    placed_seq bigint, -- position in the log
    store_id varchar, -- store that holds it
    incident_id varchar, -- incident it belongs to
    batch_id varchar not null -- load that brought this row
)

-- One row per state that a run entered.
-- Key: source_id, run_id, entered_at, status.
-- Partition day: entered_at.
create table run_state (
    source_id varchar not null, -- where it was read from
    run_id varchar not null, -- run that changed
    entered_at timestamptz not null, -- instant at which it entered the state
    status varchar not null, -- normalised state
    raw_status varchar, -- the source's own word for the state
    message varchar, -- what the source says about the change
    actor varchar, -- who or what changed it
    batch_id varchar not null -- load that brought this row
)

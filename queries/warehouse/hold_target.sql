-- One row per automation that a hold covers, with how far the pause came there.
-- Key: source_id, hold_id, automation_id.
-- Partition month: recorded_at.
create table hold_target (
    source_id varchar not null, -- the store
    hold_id varchar not null, -- id of the hold
    automation_id varchar not null, -- automation
    recorded_at timestamptz, -- instant at which the pause was durable in the store
    delivered_at timestamptz, -- instant at which the gate's snapshot was published, or the engine said yes
    confirmed_at timestamptz, -- instant at which it was read back
    quiet_at timestamptz, -- instant from which no run was in flight
    last_write_at timestamptz, -- instant of its last write that is known
    batch_id varchar not null -- load that brought this row
)

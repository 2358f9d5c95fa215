-- One row per approval that an automation asked of people.
-- Key: source_id, approval_id.
-- Partition day: requested_at.
create table approval (
    source_id varchar not null, -- where it was read from
    approval_id varchar not null, -- id of the request
    run_id varchar, -- run that asked
    automation_id varchar not null, -- automation that asked
    action varchar, -- what it wants to do
    risk varchar, -- how risky the source says it is
    requested_at timestamptz not null, -- instant of the request
    requested_by varchar, -- who or what asked
    expires_at timestamptz, -- instant after which it counts as not given
    decided_at timestamptz, -- instant of the answer; null while pending
    decided_by varchar, -- who answered
    decision varchar, -- the answer
    reason varchar, -- reason of the answer
    batch_id varchar not null -- load that brought this row
)

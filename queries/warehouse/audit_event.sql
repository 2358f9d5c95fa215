-- One row per audited action.
-- Key: source_id, event_id.
-- Partition day: occurred_at.
create table audit_event (
    source_id varchar not null, -- where it was read from
    event_id varchar not null, -- id of the event in its source
    occurred_at timestamptz not null, -- instant of the action
    recorded_at timestamptz, -- instant at which the source recorded it
    actor varchar, -- who acted; null where the source does not know
    action varchar not null, -- what was done, object.verb
    raw_action varchar, -- the source's own word for the action
    target_kind varchar, -- kind of the thing acted on
    target_id varchar, -- thing acted on
    outcome varchar, -- success, failure, pending or unknown
    reason varchar, -- reason given
    correlation_id varchar, -- ties the events of one command together
    payload json, -- what else the source says
    batch_id varchar not null -- load that brought this row
)

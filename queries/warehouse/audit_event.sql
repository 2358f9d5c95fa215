-- One row per audited action.
-- An audit chain is told by the actions proposal.created, proposal.withdrawn, approval.requested, approval.granted or
-- approved, approval.denied or rejected, record.created, record.updated, record.deleted, email.sent, message.sent,
-- action.executed, run.started, run.retried, run.failed, run.completed, run.stopped, run.cancelled and run.crashed;
-- each other action is kept and tells no part of it. A run.* acts on target_kind run, the others on a record by its type and id.
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
    correlation_id varchar, -- ties the events of one story together: the id of its run
    payload json, -- what else the source says
    batch_id varchar not null -- load that brought this row
)

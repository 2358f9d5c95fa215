-- One row per attempt at a step of a run.
-- Key: source_id, run_id, step_id, attempt.
-- Partition day: started_at.
create table step (
    source_id varchar not null, -- where it was read from
    run_id varchar not null, -- run that the step belongs to
    step_id varchar not null, -- step, stable over runs where the source can say so
    attempt bigint not null, -- attempt, from 1
    automation_id varchar not null, -- automation that ran
    category varchar, -- category, copied in so that reviews need no join
    status varchar not null, -- normalised state
    raw_status varchar, -- the source's own word for the state
    started_at timestamptz, -- instant at which it started
    finished_at timestamptz, -- instant at which it ended
    error_signature varchar, -- error text with ids, numbers, paths and instants masked
    error_message varchar, -- error text as the source gave it
    batch_id varchar not null -- load that brought this row
)

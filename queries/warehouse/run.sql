-- One row per run of an automation, as its source last told it.
-- Key: source_id, run_id.
-- Partition day: first_seen_at.
create table run (
    source_id varchar not null, -- where the run was read from
    run_id varchar not null, -- id of the run, unique in its source
    automation_id varchar not null, -- automation that ran
    environment varchar, -- environment it ran in
    kind varchar, -- workflow, watcher, agent, playbook, custom_tool or unknown
    category varchar, -- category of the automation at that time
    engine varchar, -- engine that ran it
    trigger varchar, -- what started it: schedule, event, manual, parent
    status varchar not null, -- normalised state: scheduled, queued, starting, running, waiting, held, retrying, succeeded, failed, crashed, cancelled, skipped, unknown
    raw_status varchar, -- the source's own word for the state
    run_mode varchar, -- live, read_only, dry_run, staging or unknown
    first_seen_at timestamptz, -- first known instant; never changes once loaded; its day is the partition
    scheduled_at timestamptz, -- instant for which it was planned
    queued_at timestamptz, -- instant at which it began to wait
    started_at timestamptz, -- instant at which it started
    finished_at timestamptz, -- instant at which it ended
    updated_at timestamptz, -- instant of the newest fact about it; the latest wins
    vanished_at timestamptz, -- instant at which the source was found not to have it any more
    attempt_count bigint, -- attempts made
    parent_run_id varchar, -- run that started this one
    root_run_id varchar, -- first run of the chain
    triggered_by varchar, -- who or what started it
    version varchar, -- version of the automation that ran
    provider varchar, -- provider that it called
    tool varchar, -- tool that it used
    cost_amount decimal(18, 6), -- cost of the run
    cost_currency varchar, -- ISO 4217 code of the cost
    token_count bigint, -- tokens spent
    context_as_of timestamptz, -- instant of the newest fact the run acted on
    error_signature varchar, -- error text with ids, numbers, paths and instants masked
    error_message varchar, -- error text as the source gave it
    labels map(varchar, varchar), -- labels of the source, and the fields of a file that have no column here
    batch_id varchar not null -- load that brought this row
)

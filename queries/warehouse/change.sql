-- One row per change to an automation or to what it depends on.
-- Key: source_id, change_id.
-- Partition month: changed_at.
create table change (
    source_id varchar not null, -- where it was read from
    change_id varchar not null, -- id of the change
    changed_at timestamptz not null, -- instant of the change
    kind varchar, -- deploy, config, prompt, permission, provider, schedule or unknown
    target varchar, -- what was changed
    actor varchar, -- who changed it
    summary varchar, -- what was changed, in words
    batch_id varchar not null -- load that brought this row
)

-- One row per automation of our own registry.
-- Key: source_id, automation_id.
-- Partition day: none, one file.
create table automation (
    source_id varchar not null, -- the store
    automation_id varchar not null, -- automation
    kind varchar, -- workflow, watcher, agent, playbook, custom_tool or unknown
    category varchar, -- category
    environment varchar, -- environment
    owner varchar, -- role that owns it
    restart_owner varchar, -- role that may restart it
    deputy varchar, -- who stands in
    engine varchar, -- engine that runs it
    provider varchar, -- provider it calls
    tools json, -- list of the tools it uses
    expected_interval_seconds bigint, -- seconds between two starts, where it runs on a schedule
    retired_at timestamptz, -- instant of retirement
    trigger varchar, -- checklist: what starts it
    approval_requirement varchar, -- checklist: what people must approve
    retry_behaviour varchar, -- checklist: how it tries again
    failure_notification varchar, -- checklist: who is told of a failure
    kill_switch varchar, -- checklist: how it is stopped
    input_data varchar, -- checklist: what it reads
    output varchar, -- checklist: what it writes
    last_drill_at timestamptz, -- instant of the last pause drill
    batch_id varchar not null -- load that brought this row
)

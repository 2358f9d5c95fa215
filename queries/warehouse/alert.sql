-- One row per firing of an alert.
-- Key: source_id, alert_id, fired_at.
-- Partition day: fired_at.
create table alert (
    source_id varchar not null, -- where it was read from
    alert_id varchar not null, -- alert
    fired_at timestamptz not null, -- instant at which it fired
    automation_id varchar, -- automation it is about
    rule varchar, -- rule that fired
    severity varchar, -- severity
    resolved_at timestamptz, -- instant at which it went green; null while it fires
    acknowledged_at timestamptz, -- instant at which a person acknowledged it
    acknowledged_by varchar, -- who acknowledged it
    summary varchar, -- what it says
    batch_id varchar not null -- load that brought this row
)

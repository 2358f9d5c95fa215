-- One row per incident.
-- Key: source_id, incident_id.
-- Partition month: started_at.
create table incident (
    source_id varchar not null, -- where it was read from
    incident_id varchar not null, -- id of the incident
    title varchar, -- title
    severity varchar, -- severity
    started_at timestamptz, -- instant of the onset
    detected_at timestamptz, -- instant of the detection
    acknowledged_at timestamptz, -- instant at which a person took it
    paused_at timestamptz, -- instant of the pause
    mitigated_at timestamptz, -- instant at which the harm stopped
    resolved_at timestamptz, -- instant of the resolution
    scope varchar, -- scope it touches
    batch_id varchar not null -- load that brought this row
)

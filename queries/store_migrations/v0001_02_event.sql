-- One row per event of the audited log. body is the canonical JSON that the hash covers; every other
-- column is generated from it, so that no column can say other than what was hashed.
create table event (
    seq integer primary key,
    prev_hash text not null,
    hash text not null unique,
    body text not null,
    occurred_at text generated always as (json_extract(body, '$.occurred_at')) virtual,
    actor text generated always as (json_extract(body, '$.actor')) virtual,
    action text generated always as (json_extract(body, '$.action')) virtual,
    target text generated always as (json_extract(body, '$.target')) virtual,
    outcome text generated always as (json_extract(body, '$.outcome')) virtual,
    reason text generated always as (json_extract(body, '$.reason')) virtual,
    correlation_id text generated always as (json_extract(body, '$.correlation_id')) virtual
) strict

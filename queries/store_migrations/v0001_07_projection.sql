-- One row per thing the log speaks of (hold, automation, decision ...): a cache equal to fold(log).
create table projection (
    entity text not null,
    entity_id text not null,
    body text not null,
    primary key (entity, entity_id)
) strict

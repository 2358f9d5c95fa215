-- One row per automation whose desired state a command changed, for whoever delivers it.
create table workbench.outbox (
    decided_seq bigint not null,
    automation_id text not null,
    hold_id text not null,
    desired text not null check (desired in ('paused', 'running', 'probation')),
    delivered_at text,
    primary key (decided_seq, automation_id)
)

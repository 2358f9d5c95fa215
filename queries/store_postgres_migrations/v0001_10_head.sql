-- One row: where the log stands. Writers take turns by locking it; a cut-off tail shows in it.
create table workbench.head (
    slot integer primary key check (slot = 1),
    seq bigint not null,
    hash text not null
)

-- One row per write of an automation of the demo. Instants are UTC text of fixed width, so that text
-- order is time order.
create table entry (
    entry_seq integer primary key,
    automation_id text not null,
    run_id text not null,
    step integer not null,
    outcome text not null,
    written_at text not null
) strict

-- One row: where the log stands. Written with the event, so that a cut-off tail shows.
create table head (
    only integer primary key check (only = 1),
    seq integer not null,
    hash text not null
) strict

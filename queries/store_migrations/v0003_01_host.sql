-- One row per gate folder and host: what its mirror said last. A cache beside the log, which decides nothing:
-- no row opens anything, and a row that lies can only make a pause look further than it has come.
create table host (
    name text not null check (length(name) <= 63),
    number text not null check (length(number) <= 16),
    folder_id text not null check (length(folder_id) <= 63),
    gate_folder text not null check (length(gate_folder) <= 4096),
    reported_by text not null,
    beaten_at text not null,
    said_at text not null,
    published_seq integer not null,
    report text not null check (length(report) <= 1000000),
    primary key (name, number)
) strict

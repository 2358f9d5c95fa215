-- One row per gate folder and host: what its mirror said last. A cache beside the log, which decides nothing:
-- no row opens anything, and a row that lies can only make a pause look further than it has come.
create table workbench.host (
    name text not null check (length(name) <= 63),
    number text not null check (length(number) <= 16),
    folder_id text not null check (length(folder_id) <= 63),
    gate_folder text not null check (length(gate_folder) <= 4096),
    reported_by text not null,
    beaten_at timestamptz not null,
    said_at timestamptz not null,
    published_seq bigint not null,
    report text not null check (octet_length(report) <= 1000000),
    primary key (name, number)
)

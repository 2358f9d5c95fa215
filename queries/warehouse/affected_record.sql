-- One row per change that a run made to a record.
-- Key: source_id, run_id, record_type, record_id, change_seq.
-- Partition day: changed_at.
create table affected_record (
    source_id varchar not null, -- where it was read from
    run_id varchar not null, -- run that made the change
    record_type varchar not null, -- kind of record: invoice, ticket
    record_id varchar not null, -- id of the record
    change_seq bigint not null, -- number of the change of this record by this run, from 0
    automation_id varchar not null, -- automation that ran
    changed_at timestamptz not null, -- instant of the change
    change varchar, -- create, update, delete, send or unknown
    before json, -- the record before
    after json, -- the record after
    reversibility varchar, -- reversible, compensable, irreversible or unknown
    customer_facing boolean, -- customers can see it
    verified_at timestamptz, -- instant at which a person verified it; null while unverified
    verified_by varchar, -- who verified it
    batch_id varchar not null -- load that brought this row
)

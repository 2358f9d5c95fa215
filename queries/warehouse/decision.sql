-- One row per decision of a person.
-- Key: source_id, decision_id.
-- Partition month: decided_at.
create table decision (
    source_id varchar not null, -- the store
    decision_id varchar not null, -- id of the decision, D-3
    hold_id varchar, -- hold it is about
    report_id varchar, -- report it rests on
    verdict varchar, -- what the report computed
    decision varchar, -- what the person decided
    decided_at timestamptz not null, -- instant of the decision
    decided_by varchar, -- who decided
    reason varchar, -- reason given
    batch_id varchar not null -- load that brought this row
)

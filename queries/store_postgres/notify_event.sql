-- One row: tells every mirror, once this transaction is committed, that the log has grown.
-- $payload: text, store_id and seq
select pg_notify('workbench_event', $payload::text) is null as is_told

-- One row per event with its fields in columns, each taken from the body that was hashed. This database
-- keeps no NUL in text: where somebody wrote one, the column (never the body) shows U+FFFD.
create view workbench.event_fields as
select
    e.seq,
    e.prev_hash,
    e.hash,
    e.body,
    replace(e.body, '\u0000', '\ufffd')::json ->> 'occurred_at' as occurred_at,
    replace(e.body, '\u0000', '\ufffd')::json ->> 'actor' as actor,
    replace(e.body, '\u0000', '\ufffd')::json ->> 'action' as action,
    replace(e.body, '\u0000', '\ufffd')::json ->> 'target' as target,
    replace(e.body, '\u0000', '\ufffd')::json ->> 'outcome' as outcome,
    replace(e.body, '\u0000', '\ufffd')::json ->> 'reason' as reason,
    replace(e.body, '\u0000', '\ufffd')::json ->> 'correlation_id' as correlation_id
from workbench.event as e

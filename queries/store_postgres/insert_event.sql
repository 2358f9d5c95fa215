-- Appends one event to the log.
-- $seq: integer, last + 1
-- $prev_hash: text, hash of the event before it
-- $hash: text
-- $body: text, canonical JSON
insert into workbench.event (seq, prev_hash, hash, body) values ($seq, $prev_hash, $hash, $body)

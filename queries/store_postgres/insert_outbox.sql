-- Records that the desired state of one automation changed.
-- $decided_seq: integer, seq of the deciding event
-- $automation_id: text
-- $hold_id: text
-- $desired: text, paused, running or probation
insert into workbench.outbox (decided_seq, automation_id, hold_id, desired)
values ($decided_seq, $automation_id, $hold_id, $desired)

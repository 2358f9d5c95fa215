-- Records one write of an automation.
-- $automation_id: text
-- $run_id: text
-- $step: integer, from 1
-- $outcome: text, success or failure
-- $written_at: text, UTC, fixed width
insert into entry (automation_id, run_id, step, outcome, written_at)
values ($automation_id, $run_id, $step, $outcome, $written_at)

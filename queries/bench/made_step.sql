-- Made-up steps of the runs of one day, one after the other: one row per attempt.
-- A failed run failed at its last step.
-- $step_count: bigint, steps of each run
create or replace temp table made_step as
select
    made_run.source_id,
    made_run.run_id,
    'step-' || s.n as step_id,
    cast(1 as bigint) as attempt,
    made_run.automation_id,
    made_run.category,
    case when s.n = $step_count then made_run.status else 'succeeded' end as status,
    case when s.n = $step_count then made_run.raw_status else 'COMPLETED' end as raw_status,
    made_run.started_at + (made_run.finished_at - made_run.started_at) * ((s.n - 1.0) / $step_count) as started_at,
    made_run.started_at + (made_run.finished_at - made_run.started_at) * (cast(s.n as double) / $step_count) as finished_at,
    case when s.n = $step_count then made_run.error_signature end as error_signature,
    case when s.n = $step_count then made_run.error_message end as error_message,
    made_run.batch_id
from made_run
cross join range(1, $step_count + 1) as s (n)

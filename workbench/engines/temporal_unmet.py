"""What of a Temporal target is not as a pause wants it, each time with the command that brings it there by hand."""

from __future__ import annotations

from workbench.engines.temporal_found import Found, Native, OpenRun
from workbench.engines.temporal_words import parts_of
from workbench.records import Mode


def unmet_of(target: Native, mode: Mode, *, found: Found) -> str:
    """Return what of a target is not as a pause in a mode wants it, or an empty text."""
    if target.switch is not None and not target.switch.is_paused:
        name = target.switch.schedule_id
        return (
            f"the schedule {name} of Temporal still starts {target.switch.kind}; "
            f"by hand: temporal schedule toggle --pause -s {name} --reason WHY"
        )
    if target.limit is not None and mode is Mode.FREEZE and not target.limit.is_shut:
        return (
            f"the task queue {target.limit.queue} of Temporal still hands out activities; by hand: temporal "
            f"task-queue config set --task-queue {target.limit.queue} --task-queue-type activity --queue-rps-limit 0"
        )
    if target.run is not None:
        return _of_run(target.run, mode, found)
    return ""


def _of_run(run: OpenRun, mode: Mode, found: Found) -> str:
    workflow_id, execution = parts_of(run.run_id)
    named = f"-w {workflow_id} -r {execution}"
    if mode is not Mode.HALT and run.begins_at is not None and run.word != "PAUSED":
        return (
            f"the run {run.run_id} of {run.kind} begins at {run.begins_at:%Y-%m-%d %H:%M:%S} UTC by itself, and "
            f"Temporal cannot pause it before; by hand: temporal workflow cancel {named}"
        )
    if mode is Mode.HALT:
        how = "was asked to cancel and is not over" if run.is_cancel_requested else "is not over"
        return f"the run {run.run_id} of {run.kind} {how}; by hand: temporal workflow terminate {named}"
    if mode is Mode.DRAIN or found.is_still(run):
        return ""
    if run.word == "PAUSED":
        return (
            f"the run {run.run_id} of {run.kind} is paused and still in its last step; wait for it"
        )
    why = "" if run.is_askable else ", which Temporal's HTTP interface cannot name for its slash"
    return f"the run {run.run_id} of {run.kind}{why} still works; by hand: temporal workflow pause {named}"

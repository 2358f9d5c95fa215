"""The native calls that close and open parts of a Temporal namespace, and how a note travels with them.

A request id must be new for each change: the server drops a patch whose id it has seen, and answers 200 all the
same. It is made from what the target's version was, so that a call sent twice is one change.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from workbench.engines.switching import NativeCall, Note
from workbench.engines.temporal_asking import Namespace
from workbench.engines.temporal_found import Native, OpenRun
from workbench.engines.temporal_schedules import ACTIVITIES, Limit, Switch
from workbench.engines.temporal_words import instant_of, parts_of, word_of
from workbench.records import Mode

GRACE = timedelta(seconds=30)
"""How long the code of a run that was asked to cancel may clean up before it is ended."""

_VIA = " through the workbench"
_VERBS = {
    "pause": "pauses",
    "unpause": "lets go on",
    "cancel": "asks to cancel",
    "terminate": "ends",
}


def with_note(call: NativeCall, note: Note) -> Mapping[str, Any]:
    """Return a call's body with who and why in the places that this call has for them."""
    body = dict(call.body or {})
    body["identity"] = f"{note.actor}{_VIA}"
    if "patch" in body:
        # An empty note is taken for no pause at all, and answered with 200.
        body["patch"] = {
            verb: (said or note.text) if verb in ("pause", "unpause") else said
            for verb, said in body["patch"].items()
        }
    elif "updateQueueRateLimit" in body:
        body["updateQueueRateLimit"] = {**body["updateQueueRateLimit"], "reason": note.text}
    else:
        body["reason"] = note.text
    return body


class Calls:
    """Makes the calls for one namespace."""

    def __init__(self, namespace: Namespace) -> None:
        """Make calls for this namespace; the server is asked only about runs that were asked to cancel."""
        self._namespace = namespace

    def close(self, target: Native, mode: Mode, *, now: datetime) -> NativeCall | None:
        """Return the call that pauses a target in a mode, or None where it needs none or none can be had."""
        if target.switch is not None and not target.switch.is_paused:
            return self.patch(target.switch, "pause")
        if target.limit is not None and mode is Mode.FREEZE and not target.limit.is_shut:
            return self.limit(target.limit, 0.0)
        run = target.run
        if run is None or not run.is_askable or mode is Mode.DRAIN:
            return None
        if mode is Mode.FREEZE:
            is_open = run.word != "PAUSED" and run.begins_at is None
            return self.run(run, "pause") if is_open else None
        if run.word == "PAUSED" or not run.has_begun:
            # A cancel would act only once the run goes on, or is taken up; who has not begun has nothing to clean up.
            return self.run(run, "terminate")
        if not run.is_cancel_requested:
            return self.run(run, "cancel")
        asked_at = self._asked_to_cancel_at(run.run_id)
        is_patient = asked_at is not None and now - asked_at < GRACE
        return None if is_patient else self.run(run, "terminate")

    def patch(self, switch: Switch, verb: str, *, note: str = "") -> NativeCall:
        """Return a call that pauses or unpauses a schedule; without a note of its own it takes that of who asks."""
        name = switch.schedule_id
        call_id = f"schedule:{name}.{verb}.{switch.version}"
        return NativeCall(
            call_id,
            f"schedule:{name}",
            "POST",
            self._namespace.path("schedules", name, "patch"),
            {"patch": {verb: note}, "requestId": _request_id(call_id)},
            f"{verb}s the schedule {name} of {switch.kind}",
        )

    def limit(self, limit: Limit, per_second: float | None) -> NativeCall:
        """Return a call that sets the rate of a queue's activities, or takes away what was set."""
        rate = {} if per_second is None else {"rateLimit": {"requestsPerSecond": per_second}}
        told = "without a limit" if per_second is None else f"at {per_second:g} a second"
        return NativeCall(
            f"task_queue:{limit.queue}.limit.{limit.set_at}",
            f"task_queue:{limit.queue}",
            "POST",
            self._namespace.path("task-queues", limit.queue, "update-config"),
            {"taskQueueType": ACTIVITIES, "updateQueueRateLimit": rate},
            f"hands out activities of the task queue {limit.queue} {told}",
        )

    def run(self, run: OpenRun, verb: str) -> NativeCall:
        """Return a call that pauses, unpauses, cancels or terminates a run.

        The run is the target itself, so that who unpauses it by hand is told of as with any target.
        """
        workflow_id, execution = parts_of(run.run_id)
        named: dict[str, Any] = {"runId": execution}
        if verb in ("cancel", "terminate"):
            named = {"workflowExecution": {"workflowId": workflow_id, "runId": execution}}
        call_id = f"run:{run.run_id}.{verb}.{run.version}"
        if verb != "terminate":
            named["requestId"] = _request_id(call_id)
        is_lossy = verb in ("cancel", "terminate")
        return NativeCall(
            call_id,
            f"run:{run.run_id}",
            "POST",
            self._namespace.path("workflows", workflow_id, verb),
            named,
            f"{_VERBS[verb]} the run {run.run_id} of {run.kind}",
            stage=2,
            is_lossy=is_lossy,
            run_id=run.run_id if is_lossy else "",
        )

    def _asked_to_cancel_at(self, run_id: str) -> datetime | None:
        for event in self._namespace.events(run_id, backwards=True):
            if word_of(event.get("eventType"), "EVENT_TYPE_").endswith("_CANCEL_REQUESTED"):
                return instant_of(event.get("eventTime"))
        return None


def _request_id(call_id: str) -> str:
    return str(uuid5(NAMESPACE_URL, call_id))

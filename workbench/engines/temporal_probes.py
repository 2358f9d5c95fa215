"""Made-up work of each class for a drill in Temporal; a worker with workbench.hooks.temporal_probes carries it out.

All of it is of the workflow type `workbench-probe`, so that a drill's hold on that type covers it and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from workbench.engines.switching import ProbeWork, WorkClass
from workbench.engines.temporal_asking import Namespace
from workbench.engines.temporal_schedules import limit_of
from workbench.engines.temporal_words import (
    OPEN_QUERY,
    PROBE,
    PROBE_QUEUE,
    UNATTENDED,
    encoded,
    parts_of,
    quoted,
    run_id_of,
)
from workbench.errors import EngineError

IDENTITY = "drill through the workbench"
TICK = "10s"

_SENTENCES = {
    WorkClass.RUNNING: "takes several steps of a few seconds",
    WorkClass.QUEUED: "waits on a task queue from which a worker takes it late",
    WorkClass.RETRYING: "fails and is tried again every few seconds",
    WorkClass.WAITING: "sleeps, then takes a step",
    WorkClass.NEW_MANUAL: "was started by hand and takes several steps",
    WorkClass.NEW_EVENT: "was started by a signal and takes several steps",
}


class TemporalProbes:
    """Starts and removes probes in one namespace."""

    def __init__(self, namespace: Namespace, queue: str = PROBE_QUEUE) -> None:
        """Start probes on this task queue; nothing is asked yet."""
        self._probed, self._queue = namespace, queue
        self._probe_runs: list[str] = []
        self._probe_schedules: list[str] = []

    def start(self, work_class: WorkClass) -> ProbeWork:
        """Start work of a class; says what is missing where no worker would carry it out."""
        if work_class is not WorkClass.QUEUED and not limit_of(self._probed, self._queue).is_polled:
            return ProbeWork(
                work_class,
                cannot=f"no worker takes from the task queue {self._queue} of Temporal at {self._probed.place}; "
                "start one there: python -m workbench.hooks.temporal_probes HOST:PORT",
            )
        if work_class is WorkClass.SCHEDULED:
            return self._start_schedule()
        workflow_id = f"{PROBE}-{work_class}-{uuid4().hex[:8]}"
        queue = self._queue + (UNATTENDED if work_class is WorkClass.QUEUED else "")
        verb = ["signal-with-start", "go"] if work_class is WorkClass.NEW_EVENT else []
        body = {**_work(work_class, queue), "identity": IDENTITY, "requestId": uuid4().hex}
        answer = self._send("POST", ["workflows", workflow_id, *verb], body)
        run_id = run_id_of({"workflowId": workflow_id, "runId": answer.get("runId")})
        self._probe_runs.append(run_id)
        sentence = f"the run {run_id} {_SENTENCES[work_class]}"
        return ProbeWork(work_class, run_id, f"run:{run_id}", sentence, scope_key=PROBE)

    def clean_up(self) -> Sequence[str]:
        """Delete the schedules and end the runs, theirs included; what cannot be is returned in words."""
        left = []
        for schedule_id in self._probe_schedules:
            by = f"TemporalScheduledById = {quoted(schedule_id)} AND {OPEN_QUERY}"
            try:
                self._send("DELETE", ["schedules", schedule_id], None)
                own = [run_id_of(row.get("execution")) for row in self._probed.executions(by)]
                self._probe_runs += own
            except EngineError as exc:
                left.append(f"the schedule {schedule_id} is left in Temporal: {exc.message}")
        for run_id in self._probe_runs:
            try:
                self._end(run_id)
            except EngineError as exc:
                left.append(f"the run {run_id} is left in Temporal: {exc.message}")
        self._probe_schedules, self._probe_runs = [], []
        return left

    def _start_schedule(self) -> ProbeWork:
        schedule_id = f"{PROBE}-{uuid4().hex[:8]}"
        action = {"workflowId": schedule_id, **_work(WorkClass.SCHEDULED, self._queue)}
        schedule = {
            "spec": {"interval": [{"interval": TICK}]},
            "action": {"startWorkflow": action},
            "state": {"notes": "made by a drill"},
        }
        body = {"schedule": schedule, "identity": IDENTITY, "requestId": uuid4().hex}
        self._send("POST", ["schedules", schedule_id], body)
        self._probe_schedules.append(schedule_id)
        said = f"the schedule {schedule_id} starts a run every {TICK}"
        return ProbeWork(WorkClass.SCHEDULED, "", f"schedule:{schedule_id}", said, scope_key=PROBE)

    def _end(self, run_id: str) -> None:
        found = self._probed.run(run_id)
        if found is None or (found.get("workflowExecutionInfo") or {}).get("closeTime"):
            return
        workflow_id, execution = parts_of(run_id)
        named = {"workflowId": workflow_id, "runId": execution}
        body = {"workflowExecution": named, "reason": "the drill is over", "identity": IDENTITY}
        self._send("POST", ["workflows", workflow_id, "terminate"], body)

    def _send(self, method: str, parts: Sequence[str], body: Any) -> dict[str, Any]:
        """Send one call and return its answer; raises EngineError where the server does not do it."""
        path = self._probed.path(*parts)
        answer = self._probed.client.send(method, path, body=body)
        if answer.status >= 300:
            raise EngineError(
                f"{self._probed.place} answers {path} with status {answer.status}: {answer.text}"
            )
        return answer.body if isinstance(answer.body, dict) else {}


def _work(work_class: WorkClass, queue: str) -> dict[str, Any]:
    return {
        "workflowType": {"name": PROBE},
        "taskQueue": {"name": queue},
        "input": {"payloads": [encoded(str(work_class))]},
    }

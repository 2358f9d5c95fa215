"""Starts made-up work of each class at a Prefect server, for a drill, and takes it away again.

The work is runs of one deployment in staging that is there for nothing else: `workbench.hooks.prefect_probe` is such
a flow. Everything that is made carries a mark, so that it can be taken away also after a crash.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from workbench.engines.prefect_api import PrefectApi, Row
from workbench.engines.prefect_sight import quoted
from workbench.engines.prefect_words import schedule_of
from workbench.engines.switching import ProbeWork, WorkClass
from workbench.errors import EngineError

PROBE_TAG = "workbench-probe"
"""A deployment without this tag is not taken for made-up work."""

MARK = "workbench-drill"
"""Tag of a run, slug of a schedule and name of a queue that a drill made."""

PATIENCE_SECONDS = 240
"""How long cancelled runs are given to end, all together: a busy worker took 72 s for four of them."""

_BUSY_TRIES = 10
_LONG = {"step_seconds": 12.0}
_SHORT = {"step_seconds": 0.5}
_OPEN = ("RUNNING", "PENDING", "CANCELLING")


class PrefectProbes:
    """The made-up work of one Prefect server."""

    _api: PrefectApi
    _probe_name = ""
    _sleep: Callable[[float], None] = staticmethod(time.sleep)

    def start(self, work_class: WorkClass) -> ProbeWork:
        """Start work of a class; says why where there is none of it."""
        if work_class is WorkClass.NEW_EVENT:
            why = "an event starts a run only through an automation of Prefect, and none is made up"
            return ProbeWork(work_class, cannot=why)
        try:
            deployment = self._deployment()
            if isinstance(deployment, str):
                return ProbeWork(work_class, cannot=deployment)
            return self._started(work_class, deployment)
        except EngineError as exc:
            return ProbeWork(work_class, cannot=f"{exc.message}; {exc.then}")

    def clean_up(self) -> Sequence[str]:
        """Remove what `start` made and return what had to be left, a sentence each."""
        try:
            deployment = self._deployment()
            if isinstance(deployment, str):
                return []
            return self._cleaned(deployment)
        except EngineError as exc:
            return [f"what the drill made is still at Prefect: {exc.message}; {exc.then}"]

    def _deployment(self) -> Row | str:
        """Return the deployment for made-up work, or why there is none."""
        if not self._probe_name:
            return (
                "the engine's option `probe` names no deployment for made-up work: in staging, "
                "serve `python -m workbench.hooks.prefect_probe` and set probe = workbench-probe/staging"
            )
        path = "/".join(quoted(part) for part in self._probe_name.split("/", 1))
        row = self._api.row(f"/deployments/name/{path}")
        if PROBE_TAG not in (row.get("tags") or ()):
            return (
                f"{self._probe_name} has no tag {PROBE_TAG}, so it is not taken for made-up work; "
                "name a deployment that has it"
            )
        return row

    def _started(self, work_class: WorkClass, deployment: Row) -> ProbeWork:
        if work_class is WorkClass.SCHEDULED:
            return self._scheduled(deployment)
        if work_class is WorkClass.QUEUED:
            return self._queued(deployment)
        parameters = {
            WorkClass.RUNNING: _LONG,
            WorkClass.RETRYING: {**_SHORT, "fails": True},
            WorkClass.WAITING: {**_SHORT, "waits": True},
            WorkClass.NEW_MANUAL: _SHORT,
        }[work_class]
        run_id = self._run(deployment, parameters)
        return self._work(work_class, run_id, deployment, f"run {run_id} was made by hand")

    def _work(
        self, work_class: WorkClass, run_id: str, deployment: Row, sentence: str
    ) -> ProbeWork:
        target_id = f"deployment:{deployment['id']}"
        return ProbeWork(work_class, run_id, target_id, sentence, scope_key=self._probe_name)

    def _run(self, deployment: Row, parameters: Mapping[str, Any], queue: str = "") -> str:
        body: dict[str, Any] = {"parameters": dict(parameters), "tags": [MARK]}
        if queue:
            body["work_queue_name"] = queue
        made = self._sent("POST", f"/deployments/{deployment['id']}/create_flow_run", body)
        return str(made["id"])

    def _queued(self, deployment: Row) -> ProbeWork:
        """Start two runs in a queue that hands out one at a time; the second is the one that waits."""
        pool = deployment.get("work_pool_name")
        if not pool:
            why = f"{self._probe_name} is served and has no queue: give it a work pool"
            return ProbeWork(WorkClass.QUEUED, cannot=why)
        queues = f"/work_pools/{quoted(str(pool))}/queues"
        known = {str(one.get("name")) for one in self._api.pages(f"{queues}/filter", {})}
        if MARK not in known:
            self._sent("POST", queues, {"name": MARK, "concurrency_limit": 1})
        front = self._run(deployment, _LONG, MARK)
        run_id = self._run(deployment, _SHORT, MARK)
        sentence = f"run {run_id} waits in the queue {MARK} behind {front}"
        return self._work(WorkClass.QUEUED, run_id, deployment, sentence)

    def _scheduled(self, deployment: Row) -> ProbeWork:
        path = f"/deployments/{deployment['id']}/schedules"
        schedule = {"interval": 60.0, "timezone": "UTC"}
        body = [{"schedule": schedule, "active": True, "slug": MARK, "parameters": _SHORT}]
        made = self._sent("POST", path, body)
        target_id = f"schedule:{deployment['id']}/{made[0]['id']}"
        sentence = f"{self._probe_name} has a schedule that plans a start each minute"
        return ProbeWork(WorkClass.SCHEDULED, "", target_id, sentence, scope_key=self._probe_name)

    def _cleaned(self, deployment: Row) -> list[str]:
        own = [one for one in deployment.get("schedules") or () if one.get("slug") == MARK]
        for one in own:
            self._sent("DELETE", f"/deployments/{deployment['id']}/schedules/{one['id']}", None)
        ids = {str(one["id"]) for one in own}
        chosen = {"deployments": {"id": {"any_": [deployment["id"]]}}}
        runs = [
            run
            for run in self._api.pages("/flow_runs/filter", chosen)
            if MARK in (run.get("tags") or ()) or schedule_of(run) in ids
        ]
        for run in runs:
            if run.get("state_type") in (*_OPEN, "PAUSED") or run.get("infrastructure_pid"):
                state = {"type": "CANCELLING", "message": "a drill is over"}
                self._sent("POST", f"/flow_runs/{run['id']}/set_state", {"state": state})
        left = self._removed([str(run["id"]) for run in runs])
        if pool := deployment.get("work_pool_name"):
            queue = f"/work_pools/{quoted(str(pool))}/queues/{MARK}"
            if MARK in {
                str(one.get("name"))
                for one in self._api.pages(f"{queue.removesuffix(f'/{MARK}')}/filter", {})
            }:
                self._sent("DELETE", queue, None)
        return left

    def _removed(self, run_ids: Sequence[str]) -> list[str]:
        """Remove runs once they are over; says of which the work goes on."""
        left = list(run_ids)
        for _ in range(PATIENCE_SECONDS):
            rows = self._api.rows_of("/flow_runs/filter", "flow_runs", column="id", values=left)
            for run in list(rows):
                # Cancelled before its first step, a run stays Cancelling for minutes and does nothing.
                is_idle = run.get("state_type") == "CANCELLING" and not run.get("run_count")
                if is_idle or run.get("state_type") not in _OPEN:
                    self._sent("DELETE", f"/flow_runs/{run['id']}", None)
                    left.remove(str(run["id"]))
            if not left:
                break
            self._sleep(1.0)
        return [
            f"run {run_id} is still at work at Prefect: delete it there once it has ended"
            for run_id in left
        ]

    def _sent(self, method: str, path: str, body: Any) -> Any:
        answer = self._api.client.send(method, path, body=body)
        for _ in range(_BUSY_TRIES):
            if answer.status != 503:
                break
            # Not done: on SQLite Prefect says so whenever another writer was quicker.
            self._sleep(1.0)
            answer = self._api.client.send(method, path, body=body)
        if answer.status >= 300 and not (method == "DELETE" and answer.status == 404):
            raise EngineError(
                f"{self._api.place} answers {method} {path} with {answer.status} {answer.text}"
            )
        return answer.body

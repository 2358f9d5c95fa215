"""Starts the made-up work that a drill of Airflow pauses; its dags come with `probes/airflow_probe.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from workbench.clock import Clock, to_text
from workbench.engines.airflow_client import API, AirflowClient
from workbench.engines.airflow_words import run_key, run_path
from workbench.engines.http import BadStatus
from workbench.engines.switching import ProbeWork, WorkClass
from workbench.errors import EngineError

PROBE_FILE = "workbench/engines/probes/airflow_probe.py"
RUN, QUEUE, TICK, RETRY, ASK, EVENT = (
    f"workbench_probe_{name}" for name in ("run", "queue", "tick", "retry", "ask", "event")
)
ASSET = "workbench-probe"
_DAGS = {
    WorkClass.RUNNING: RUN,
    WorkClass.QUEUED: QUEUE,
    WorkClass.SCHEDULED: TICK,
    WorkClass.RETRYING: RETRY,
    WorkClass.WAITING: ASK,
    WorkClass.NEW_MANUAL: RUN,
    WorkClass.NEW_EVENT: EVENT,
}
_DURING_A_PAUSE = (WorkClass.NEW_MANUAL, WorkClass.NEW_EVENT, WorkClass.SCHEDULED)
"""Classes whose dag may be paused when the work is started."""


@dataclass
class Started:
    """What a drill has started and not cleaned up yet."""

    run_ids: list[str] = field(default_factory=list)
    unpaused_at: str = ""
    event_at: str = ""


class AirflowProbes:
    """The optional third part of the adapter for one Airflow."""

    _client: AirflowClient
    _clock: Clock
    _started: Started

    def start(self, work_class: WorkClass) -> ProbeWork:
        """Start work of a class, or say which dag it lacks."""
        dag_id = _DAGS[work_class]
        try:
            dag = self._client.get(f"{API}/dags/{dag_id}/details")
        except BadStatus as exc:
            if exc.status != 404:
                raise
            return ProbeWork(work_class, cannot=self._lacks(dag_id))
        if dag.get("is_paused") and work_class not in _DURING_A_PAUSE:
            place = self._client.place
            why = f"dag {dag_id} of Airflow at {place} is paused: unpause it before the drill"
            return ProbeWork(work_class, cannot=why)
        if work_class is WorkClass.SCHEDULED:
            return self._tick(dag_id)
        if work_class is WorkClass.NEW_EVENT:
            return self._event(dag_id)
        if work_class is WorkClass.QUEUED:
            self._trigger(dag_id)  # takes the only place, so that the next one waits
        run_id = self._trigger(dag_id)
        return ProbeWork(
            work_class, run_id, f"dag:{dag_id}", f"triggered run {run_id}", scope_key=dag_id
        )

    def clean_up(self) -> Sequence[str]:
        """End and delete the runs that were started, pause the schedule again, and say what stays."""
        left = list(self._leavings())
        self._started = Started()
        return left

    def _leavings(self) -> Iterator[str]:
        started, place = self._started, self._client.place
        if started.unpaused_at:
            if why := self._why_not_done("PATCH", f"{API}/dags/{TICK}", {"is_paused": True}):
                yield f"the schedule of {TICK} goes on ({why}): pause it in Airflow's own pages"
            started.run_ids += self._begun(TICK, started.unpaused_at)
        if started.event_at:
            # What the scheduler has not seen yet would start a run after all is cleaned up.
            self._why_not_done("DELETE", f"{API}/dags/{EVENT}/assets/queuedEvents")
            started.run_ids += self._begun(EVENT, started.event_at)
            yield f"the asset {ASSET} of Airflow at {place} keeps the drill's event: Airflow deletes none"
        for run_id in dict.fromkeys(started.run_ids):
            yield from self._remove(run_id)
        if started.run_ids or started.unpaused_at or started.event_at:
            yield f"the audit log of Airflow at {place} keeps the drill's entries: nothing deletes them"

    def _remove(self, run_id: str) -> Iterator[str]:
        try:
            run = self._client.get(run_path(run_id))
        except BadStatus as exc:
            if exc.status != 404:
                raise
            return
        why = ""
        if run.get("state") not in ("success", "failed"):
            body = {"state": "failed", "note": "drill"}
            why = self._why_not_done("PATCH", run_path(run_id), body)
        why = why or self._why_not_done("DELETE", run_path(run_id))
        if why:
            place = self._client.place
            yield f"run {run_id} of Airflow at {place} stays ({why}): delete it in Airflow's own pages"

    def _begun(self, dag_id: str, since: str) -> list[str]:
        asked = {"run_after_gte": since}
        found = self._client.pages(f"{API}/dags/{dag_id}/dagRuns", key="dag_runs", query=asked)
        return [run_key(run["dag_id"], run["dag_run_id"]) for run in found]

    def _tick(self, dag_id: str) -> ProbeWork:
        self._started.unpaused_at = to_text(self._clock.now())
        self._sent("PATCH", f"{API}/dags/{dag_id}", {"is_paused": False})
        sentence = f"unpaused the schedule of {dag_id}"
        return ProbeWork(WorkClass.SCHEDULED, "", f"dag:{dag_id}", sentence, scope_key=dag_id)

    def _event(self, dag_id: str) -> ProbeWork:
        asked = {"name_pattern": ASSET, "order_by": "id"}
        found = self._client.listed(f"{API}/assets", key="assets", query=asked)
        ids = [asset["id"] for asset in found if asset.get("name") == ASSET]
        if not ids:
            why = f"Airflow at {self._client.place} has no asset {ASSET}: {self._lacks(dag_id)}"
            return ProbeWork(WorkClass.NEW_EVENT, cannot=why)
        self._started.event_at = to_text(self._clock.now())
        self._sent("POST", f"{API}/assets/events", {"asset_id": ids[0], "extra": {}})
        sentence = f"gave asset {ASSET} an event"
        return ProbeWork(WorkClass.NEW_EVENT, "", f"dag:{dag_id}", sentence, scope_key=dag_id)

    def _trigger(self, dag_id: str) -> str:
        body = {"logical_date": None, "note": "drill"}
        answer = self._sent("POST", f"{API}/dags/{dag_id}/dagRuns", body)
        run_id = run_key(dag_id, answer.get("dag_run_id"))
        self._started.run_ids.append(run_id)
        return run_id

    def _sent(self, method: str, path: str, body: object) -> dict[str, object]:
        answer = self._client.send(method, path, body=body)
        if answer.status >= 300 or not isinstance(answer.body, dict):
            raise EngineError(
                f"{self._client.place} refuses {method} {path} ({answer.status} {answer.text})",
                next_step="look what this user may do in Airflow",
            )
        return answer.body

    def _why_not_done(self, method: str, path: str, body: object = None) -> str:
        """Send what cleans up and return why it was not done; one failure leaves the rest to be tried."""
        try:
            answer = self._client.send(method, path, body=body)
        except EngineError as exc:
            return exc.message
        is_done = answer.status < 300 or answer.status == 404
        return "" if is_done else f"{answer.status} {answer.text[:100]}"

    def _lacks(self, dag_id: str) -> str:
        return (
            f"Airflow at {self._client.place} has no dag {dag_id}: copy {PROBE_FILE} into its dag folder "
            "and wait until it is read"
        )

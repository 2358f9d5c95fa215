"""Prefect 3 over its REST interface; its package is not needed. This is the reading half, and what joins the halves.

Prefect has no filter for "changed since", so three questions together find every run that may have changed: begun
or due since, ended since, and not over yet. It creates 100 runs ahead per schedule; those are plans, not history.
It knows no user, so audit events have no actor.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from workbench.clock import Clock, SystemClock, to_text
from workbench.engines.http import JsonClient
from workbench.engines.interface import Binding, EngineAddress
from workbench.engines.prefect_api import MAX_PAGES, PAGE, PrefectApi
from workbench.engines.prefect_health import findings_of
from workbench.engines.prefect_probes import PrefectProbes
from workbench.engines.prefect_switch import PrefectSwitch
from workbench.engines.prefect_words import (
    ERROR_STATUSES,
    OPEN_TYPES,
    action_of,
    instant_of,
    is_act,
    is_plan,
    labels_of,
    status_of,
    token_of,
    trigger_of,
)
from workbench.engines.rows import (
    ApprovalRow,
    AuditRow,
    Bound,
    EngineTarget,
    Health,
    RunRow,
    StateRow,
    StepRow,
)
from workbench.errors import EngineError


class PrefectReader:
    """The reading half for one Prefect server.

    Attributes:
        unbound: names of flows for which the registry has no automation.
    """

    engine = "prefect"

    def __init__(self, client: JsonClient, binding: Binding, *, clock: Clock | None = None) -> None:
        """Read through this client; `binding` says which automation a flow is."""
        self._clock = clock or SystemClock()
        self.unbound: set[str] = set()
        self._client, self._binding = client, binding
        self._api = PrefectApi(client)
        self._flows: dict[str, str] = {}
        self._deployments: dict[str, dict[str, Any]] = {}
        self._bound: dict[str, Bound] = {}

    def probe(self) -> Health:
        """Ask for health, version, and signs that starts are planned and made."""
        if self._client.get("/health") is not True:
            raise EngineError(f"{self._api.place} does not answer like a Prefect server")
        version = self._api.version()
        is_tried = version.startswith("3.")
        doubts = () if is_tried else (f"version {version} was never tried; 3.8 was",)
        return Health(self.engine, version, (*doubts, *findings_of(self._api, self._clock.now())))

    def targets(self) -> Sequence[EngineTarget]:
        """Return every flow with the names and tags of its deployments."""
        self._learn_names()
        found = []
        for flow_id, flow in sorted(self._flows.items(), key=lambda item: item[1]):
            own = [one for one in self._deployments.values() if one.get("flow_id") == flow_id]
            names = [flow, *(f"{flow}/{one['name']}" for one in own), *(one["name"] for one in own)]
            tags = {tag for one in own for tag in one.get("tags") or ()}
            paused = [bool(one.get("paused")) for one in own]
            found.append(
                EngineTarget(
                    flow_id, tuple(names), tuple(sorted(tags)), all(paused) if paused else None
                )
            )
        return found

    def runs(self, since: datetime | None, until: datetime) -> Sequence[RunRow]:
        """Return every run that may have changed since, each once."""
        if since is None:
            questions: list[dict[str, Any]] = [{}]
        else:
            after = {"after_": to_text(since)}
            questions = [
                {"expected_start_time": after},
                {"end_time": after},
                {"state": {"type": {"any_": list(OPEN_TYPES)}}},
            ]
        return self._run_rows(questions, until)

    def runs_by_id(self, run_ids: Sequence[str], until: datetime) -> Sequence[RunRow]:
        """Return those of these runs that Prefect still has."""
        pieces = [run_ids[at : at + PAGE] for at in range(0, len(run_ids), PAGE)]
        return self._run_rows([{"id": {"any_": list(piece)}} for piece in pieces], until)

    def states(self, run_ids: Iterable[str]) -> Sequence[StateRow]:
        """Return the states that these runs entered; one call per run."""
        return [
            StateRow(
                run_id=run_id,
                entered_at=self._api.required_instant(state, "timestamp"),
                status=status_of(state.get("type"), state.get("name")),
                raw_status=str(state.get("name")),
                message=state.get("message") or None,
            )
            for run_id in run_ids
            for state in self._api.listed(self._client.get("/flow_run_states/", flow_run_id=run_id))
        ]

    def steps(self, run_ids: Sequence[str]) -> Sequence[StepRow]:
        """Return the task runs of these runs; a task that runs twice in a run is `name` and `name#2`."""
        rows: list[StepRow] = []
        for at in range(0, len(run_ids), PAGE):
            wanted = {"task_runs": {"flow_run_id": {"any_": list(run_ids[at : at + PAGE])}}}
            found = sorted(
                self._api.pages("/task_runs/filter", wanted),
                key=lambda task: (str(task.get("expected_start_time")), str(task["id"])),
            )
            seen: dict[tuple[str, str], int] = {}
            rows += [self._step_row(task, seen) for task in found if task.get("flow_run_id")]
        return rows

    def audit(self, since: datetime | None, until: datetime) -> Sequence[AuditRow]:
        """Return the events about pools, queues, deployments and operators' acts on runs."""
        occurred = {"until": to_text(until), **({"since": to_text(since)} if since else {})}
        asked = {
            "occurred": occurred,
            "event": {"exclude_prefix": ["prefect.task-run", "prefect.log"]},
        }
        answer = self._client.post("/events/filter", {"limit": 50, "filter": asked})
        rows: dict[str, AuditRow] = {}
        tokens: set[str] = set()
        while True:
            page = self._api.listed(answer.get("events") if isinstance(answer, dict) else None)
            rows.update(
                {str(event["id"]): self._audit_row(event) for event in page if is_act(event)}
            )
            token = token_of(answer.get("next_page"))
            if token is None:
                return sorted(rows.values(), key=lambda row: (row.occurred_at, row.event_id))
            if token in tokens or len(tokens) >= MAX_PAGES:
                raise EngineError(f"{self._api.place} repeats a page of events; nothing was loaded")
            tokens.add(token)
            # The server writes its own idea of its address into the link; only the token is taken.
            answer = self._client.get("/events/filter/next", **{"page-token": token})

    def approvals(self) -> Sequence[ApprovalRow]:
        """Return nothing: Prefect's open edition has no approvals."""
        return []

    def _run_rows(self, questions: Sequence[Mapping[str, Any]], until: datetime) -> list[RunRow]:
        self._learn_names()
        found: dict[str, RunRow] = {}
        for question in questions:
            body = {"sort": "ID_DESC", "flow_runs": dict(question)}
            for run in self._api.pages("/flow_runs/filter", body):
                if not is_plan(run, until):
                    found[str(run["id"])] = self._run_row(run)
        return [found[run_id] for run_id in sorted(found)]

    def _run_row(self, run: Mapping[str, Any]) -> RunRow:
        bound = self._bound_of(run)
        state = run.get("state") or {}
        status = status_of(run.get("state_type"), run.get("state_name"))
        started, finished = instant_of(run.get("start_time")), instant_of(run.get("end_time"))
        created = self._api.required_instant(run, "created")
        scheduled = instant_of(run.get("expected_start_time"))
        is_error = status in ERROR_STATUSES
        return RunRow(
            run_id=str(run["id"]),
            automation_id=bound.automation_id,
            environment=bound.environment,
            kind=bound.kind,
            category=bound.category,
            provider=bound.provider,
            engine=self.engine,
            trigger=trigger_of(run),
            status=status,
            raw_status=str(run.get("state_name")),
            run_mode="live",
            first_seen_at=min(filter(None, (created, scheduled))),
            scheduled_at=scheduled,
            started_at=started,
            # The server's and the worker's clock differ by milliseconds: an end never lies before its start.
            finished_at=max(started, finished) if started and finished else finished,
            updated_at=instant_of(run.get("updated")) or created,
            attempt_count=run.get("run_count"),
            triggered_by=(run.get("created_by") or {}).get("display_value"),
            version=run.get("deployment_version") or run.get("flow_version"),
            error_message=(state.get("message") or None) if is_error else None,
            labels=labels_of(run),
        )

    def _step_row(self, task: Mapping[str, Any], seen: dict[tuple[str, str], int]) -> StepRow:
        run_id = str(task["flow_run_id"])
        # A key is the task's name and eight hex digits of its source text.
        name = str(task.get("task_key") or task.get("name")).rsplit("-", 1)[0]
        number = seen[run_id, name] = seen.get((run_id, name), 0) + 1
        bound = self._bound.get(run_id)
        status = status_of(task.get("state_type"), task.get("state_name"))
        started, finished = instant_of(task.get("start_time")), instant_of(task.get("end_time"))
        message = (task.get("state") or {}).get("message") or None
        return StepRow(
            run_id=run_id,
            step_id=name if number == 1 else f"{name}#{number}",
            attempt=max(1, int(task.get("run_count") or 1)),
            automation_id=bound.automation_id if bound else "unknown",
            category=bound.category if bound else None,
            status=status,
            raw_status=str(task.get("state_name")),
            started_at=started,
            finished_at=max(started, finished) if started and finished else finished,
            error_message=message if status in ERROR_STATUSES else None,
        )

    def _audit_row(self, event: Mapping[str, Any]) -> AuditRow:
        resource = event.get("resource") or {}
        kind, _, target = str(resource.get("prefect.resource.id", "")).rpartition(".")
        raw = str(event.get("event"))
        return AuditRow(
            event_id=str(event["id"]),
            occurred_at=self._api.required_instant(event, "occurred"),
            recorded_at=instant_of(event.get("received")),
            action=action_of(event),
            raw_action=raw,
            target_kind=kind.removeprefix("prefect.").replace("-", "_") or None,
            target_id=str(resource.get("prefect.resource.name") or target) or None,
            outcome="success",
            correlation_id=event.get("follows"),
            payload=event.get("payload") or {},
        )

    def _bound_of(self, run: Mapping[str, Any]) -> Bound:
        flow = self._flows.get(str(run.get("flow_id")), str(run.get("flow_id")))
        deployment = self._deployments.get(str(run.get("deployment_id")), {})
        own = deployment.get("name")
        names = [flow] if own is None else [f"{flow}/{own}", own, flow]
        bound = self._binding.find(
            names, [*(run.get("tags") or ()), *(deployment.get("tags") or ())]
        )
        if not bound.is_known:
            self.unbound.add(flow)
        self._bound[str(run["id"])] = bound
        return bound

    def _learn_names(self) -> None:
        self._flows = {
            str(one["id"]): str(one["name"]) for one in self._api.pages("/flows/filter", {})
        }
        self._deployments = {
            str(one["id"]): one for one in self._api.pages("/deployments/filter", {})
        }


class PrefectEngine(PrefectReader, PrefectSwitch, PrefectProbes):
    """Both halves for one server, and made-up work for a drill where its address names a deployment for that."""

    def __init__(self, address: EngineAddress, binding: Binding, *, clock: Clock) -> None:
        """Use the server at this address; nothing is asked yet."""
        super().__init__(JsonClient(address.url, headers=_headers(address)), binding, clock=clock)
        self.engine = address.engine_id
        self._probe_name = address.options.get("probe", "")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def connect(address: EngineAddress, binding: Binding, *, clock: Clock) -> PrefectEngine:
    """Return the adapter for a Prefect 3 server; `url` ends in `/api`, the option `probe` is FLOW/DEPLOYMENT."""
    return PrefectEngine(address, binding, clock=clock)


def _headers(address: EngineAddress) -> dict[str, str]:
    """Return how the server is told who asks: a token, or its one shared user and password."""
    if address.token:
        return {"Authorization": f"Bearer {address.token}"}
    if address.user or address.password:
        shared = b64encode(f"{address.user}:{address.password}".encode()).decode()
        return {"Authorization": f"Basic {shared}"}
    return {}

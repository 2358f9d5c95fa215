"""A Temporal server in memory: its answers have the shapes that version 1.32.0 was seen to give over HTTP."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote
from uuid import NAMESPACE_URL, uuid5

import httpx

from tests.engines.temporal_query import matches
from workbench.clock import to_text
from workbench.engines.http import JsonClient
from workbench.engines.temporal_asking import ACCEPT
from workbench.engines.temporal_words import encoded

AT = datetime(2026, 11, 27, 9, tzinfo=UTC)
JSON = {"content-type": ACCEPT}
STEPS = 3
Answer = Callable[[httpx.Request], httpx.Response]


class Refusal(Exception):
    """What the server says no with."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.body = status, {"code": code, "message": message}


def attempt(state: str, number: int, **other: Any) -> dict[str, Any]:
    """Return one activity that is not over, as a run's description has it."""
    return {
        "activityId": "1",
        "activityType": {"name": "write"},
        "state": f"PENDING_ACTIVITY_STATE_{state}",
        "attempt": number,
        **other,
    }


@dataclass
class Sched:
    """One schedule."""

    schedule_id: str
    kind: str
    queue: str = "main"
    paused: bool = False
    notes: str = ""
    version: int = 1
    ticks: list[datetime] = field(default_factory=list)
    buffered: int = 0
    seen_requests: set[str] = field(default_factory=set)
    events: list[dict[str, Any]] = field(default_factory=list)
    memo: dict[str, Any] = field(default_factory=dict)


@dataclass
class Run:
    """One run, with its history."""

    workflow_id: str
    execution: str
    kind: str
    began_at: datetime
    queue: str = "main"
    schedule_id: str = ""
    status: str = "RUNNING"
    closed_at: datetime | None = None
    due_at: datetime | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    pending: list[dict[str, Any]] = field(default_factory=list)
    pause_info: dict[str, str] | None = None
    cancel_requested: bool = False
    obeys_cancel: bool = True
    memo: dict[str, Any] = field(default_factory=dict)
    parent: Run | None = None
    done_steps: int = 0

    @property
    def run_id(self) -> str:
        return f"{self.workflow_id}/{self.execution}"

    @property
    def ids(self) -> dict[str, str]:
        return {"workflowId": self.workflow_id, "runId": self.execution}

    def tell(self, kind: str, at: datetime, **said: Any) -> None:
        """Write an event into the history."""
        words = kind.lower().split("_")
        name = words[0] + "".join(word.title() for word in words[1:]) + "EventAttributes"
        number = str(len(self.events) + 1)
        self.events.append(
            {
                "eventId": number,
                "eventTime": to_text(at),
                "eventType": f"EVENT_TYPE_{kind}",
                name: said,
            }
        )

    def end(self, status: str, at: datetime, **said: Any) -> None:
        self.status, self.closed_at, self.pending = status, at, []
        self.tell(f"WORKFLOW_EXECUTION_{status}", at, **said)


class FakeTemporal:
    """Answers like one namespace; a test changes what it holds between two readings.

    Attributes:
        overrides: path after the namespace -> what to answer instead.
        asked: every (method, path, query or body) that was asked, in order.
        is_lagging: lists show runs and schedules as they were when this was set, as visibility does for moments.
    """

    def __init__(self) -> None:
        self.now = AT
        self.version = "1.32.0"
        self.can_pause = True
        self.page_size = 200
        self.schedules: dict[str, Sched] = {}
        self.runs: dict[str, Run] = {}
        self.limits: dict[str, dict[str, Any]] = {}
        self.pollers: set[str] = {"main"}
        self.overrides: dict[str, Answer] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self._stale: dict[str, list[dict[str, Any]]] | None = None

    def client(self, **options: Any) -> JsonClient:
        """Return a client that asks this server and does not wait between two tries."""
        return JsonClient(
            "http://temporal.example:7243",
            transport=httpx.MockTransport(self.answer),
            sleep=lambda _: None,
            headers={"Accept": ACCEPT},
            **options,
        )

    # What the server itself does.

    def add_schedule(self, schedule_id: str, kind: str, **other: Any) -> Sched:
        """Make a schedule that ticks every hour."""
        ticks = [AT + timedelta(hours=n) for n in range(1, 30)]
        one = self.schedules[schedule_id] = Sched(schedule_id, kind, **{"ticks": ticks, **other})
        one.events.append(
            {
                "eventId": "1",
                "eventTime": to_text(self.now),
                "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED",
                "workflowExecutionStartedEventAttributes": {"identity": "deployer"},
            }
        )
        return one

    def begin(self, kind: str, *, workflow_id: str = "", **other: Any) -> Run:
        """Start a run that a worker takes up at once, unless it is delayed (`due_at`) or its queue has no worker."""
        name = workflow_id or f"{kind}-{len(self.runs) + 1}"
        execution = str(uuid5(NAMESPACE_URL, f"{name}-{len(self.runs)}"))
        run = Run(name, execution, kind, self.now, **other)
        self.runs[run.run_id] = run
        backoff = "0s" if run.due_at is None else f"{(run.due_at - self.now).total_seconds()}s"
        run.tell(
            "WORKFLOW_EXECUTION_STARTED",
            self.now,
            identity="api-client",
            attempt=1,
            firstWorkflowTaskBackoff=backoff,
        )
        if run.due_at is None:
            run.tell("WORKFLOW_TASK_SCHEDULED", self.now)
            if run.queue in self.pollers:
                run.tell("WORKFLOW_TASK_STARTED", self.now)
                run.tell("WORKFLOW_TASK_COMPLETED", self.now)
                run.tell(
                    "ACTIVITY_TASK_SCHEDULED",
                    self.now,
                    activityId="1",
                    activityType={"name": "write"},
                )
                run.pending = [attempt("STARTED", 1, lastStartedTime=to_text(self.now))]
        return run

    def step(self) -> None:
        """Let each run do its next step; a paused one ends the step that it is in, and no more."""
        self.now += timedelta(seconds=5)
        for run in self.runs.values():
            if run.closed_at is not None or run.queue not in self.pollers:
                continue
            if run.cancel_requested and run.obeys_cancel and run.status == "RUNNING":
                run.end("CANCELED", self.now)
                continue
            if run.due_at is not None and self.now < run.due_at:
                continue
            if run.status == "PAUSED":
                run.pending = [p for p in run.pending if not p["state"].endswith("_STARTED")]
                continue
            if self.limits.get(run.queue, {}).get("requestsPerSecond", 1) == 0:
                run.pending = [attempt("SCHEDULED", 1, scheduledTime=to_text(self.now))]
                continue
            run.done_steps += 1
            run.pending = [attempt("STARTED", 1, lastStartedTime=to_text(self.now))]
            if run.done_steps >= STEPS:
                run.tell("ACTIVITY_TASK_STARTED", self.now, scheduledEventId="5", attempt=1)
                run.tell("ACTIVITY_TASK_COMPLETED", self.now, scheduledEventId="5")
                run.end("COMPLETED", self.now)

    def patch(
        self, schedule_id: str, patch: dict[str, Any], *, who: str, request: str = ""
    ) -> None:
        """Switch a schedule; a request id that was seen before is dropped without a word."""
        one = self.schedules.get(schedule_id)
        if one is None:
            raise Refusal(
                404, 5, f"workflow not found for ID: temporal-sys-scheduler:{schedule_id}"
            )
        if request and request in one.seen_requests:
            return
        one.seen_requests.add(request)
        one.events.append(_signal(len(one.events) + 1, self.now, who, patch))
        for verb, paused in (("pause", True), ("unpause", False)):
            if patch.get(verb):
                one.paused, one.notes, one.version = paused, patch[verb], one.version + 1
                one.buffered = 0
        for request_range in patch.get("backfillRequest") or ():
            begin, end = (request_range[name] for name in ("startTime", "endTime"))
            for tick in one.ticks:
                if begin <= to_text(tick) <= end:
                    self.begin(one.kind, queue=one.queue, schedule_id=one.schedule_id)
        if "triggerImmediately" in patch:
            self.begin(one.kind, queue=one.queue, schedule_id=one.schedule_id)

    def freeze_lists(self) -> None:
        """From now on the lists show what is so now."""
        self._stale = {"runs": self._run_rows(), "schedules": self._schedule_rows()}

    def catch_up(self) -> None:
        """Let the lists show the truth again."""
        self._stale = None

    # What it answers.

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        raw = request.url.raw_path.decode().split("?")[0]
        body = json.loads(request.content) if request.content else {}
        path = raw.removeprefix("/api/v1/namespaces/default")
        self.asked.append((request.method, path, body or dict(request.url.params)))
        if path in self.overrides:
            return self.overrides[path](request)
        if "json" not in request.headers["accept"]:
            return httpx.Response(200, headers={"content-type": "*"}, json={})
        try:
            said = self._answer(request, path, body)
        except Refusal as exc:
            return httpx.Response(exc.status, headers=JSON, json=exc.body)
        return httpx.Response(200, headers=JSON, json=said)

    def _answer(self, request: httpx.Request, path: str, body: dict[str, Any]) -> dict[str, Any]:
        query = request.url.params
        if path == "/api/v1/system-info":
            return {"serverVersion": self.version}
        if not path.strip("/"):
            features = {"workflowPause": True} if self.can_pause else {}
            return {"namespaceInfo": {"name": "default", "capabilities": features}}
        if "%2F" in path:  # it cannot be asked about an id with a slash
            raise Refusal(404, 5, "Not Found")
        parts = [unquote(part) for part in path.strip("/").split("/")]
        place = {
            "workflows": self._workflows,
            "schedules": self._schedules,
            "task-queues": self._queues,
        }
        return place[parts[0]](request.method, parts[1:], query=query, body=body)

    def _workflows(self, method: str, parts: list[str], *, query: Any, body: Any) -> dict[str, Any]:
        if not parts:
            rows = self._stale["runs"] if self._stale is not None else self._run_rows()
            rows += self._keeper_rows()
            found = [row for row in rows if matches(query.get("query", ""), row)]
            return self._page(found, "executions", query)
        if parts[0].startswith("temporal-sys-scheduler:"):
            one = self.schedules.get(parts[0].partition(":")[2])
            return self._history(one.events if one else [], parts[1], query)
        if method == "POST" and (len(parts) == 1 or parts[1] == "signal-with-start"):
            return self._start(parts[0], body)
        named = body.get("runId") or (body.get("workflowExecution") or {}).get("runId")
        run = self._run(parts[0], named or query.get("execution.runId", ""))
        if len(parts) == 1:
            return self._description(run)
        if parts[1].startswith("history"):
            return self._history(run.events, parts[1], query)
        self._act(run, parts[1], parts[2:], body=body)
        return {}

    def _start(self, workflow_id: str, body: dict[str, Any]) -> dict[str, Any]:
        queue = body["taskQueue"]["name"]
        delay = body.get("workflowStartDelay")
        due = self.now + timedelta(seconds=float(delay.rstrip("s"))) if delay else None
        run = self.begin(
            body["workflowType"]["name"], workflow_id=workflow_id, queue=queue, due_at=due
        )
        return {"runId": run.execution, "started": True}

    def _run(self, workflow_id: str, execution: str) -> Run:
        found = [
            run
            for run in self.runs.values()
            if run.workflow_id == workflow_id and execution in ("", run.execution)
        ]
        if not found:
            raise Refusal(404, 5, f"workflow not found for ID: {workflow_id}")
        return found[-1]

    def _act(self, run: Run, verb: str, rest: list[str], *, body: dict[str, Any]) -> None:
        said = {"identity": body.get("identity", ""), "reason": body.get("reason", "")}
        if run.closed_at is not None:
            raise Refusal(404, 5, "workflow execution already completed")
        if verb in ("pause", "unpause"):
            self._pause(run, verb, said, request=body.get("requestId", ""))
        elif verb == "cancel":
            run.cancel_requested = True
            run.tell(
                "WORKFLOW_EXECUTION_CANCEL_REQUESTED",
                self.now,
                cause=said["reason"],
                identity=said["identity"],
            )
        elif verb == "terminate":
            run.end("TERMINATED", self.now, **said)
        elif verb == "signal":
            run.tell(
                "WORKFLOW_EXECUTION_SIGNALED",
                self.now,
                signalName=rest[0],
                identity=said["identity"],
            )

    def _pause(self, run: Run, verb: str, said: dict[str, str], *, request: str) -> None:
        if not self.can_pause:
            raise Refusal(501, 12, "workflow pause is not enabled for namespace: default")
        if run.due_at is not None and self.now < run.due_at:
            raise Refusal(500, 13, "something went wrong, please retry (c27988bd)")
        if verb == "pause":
            if run.status == "PAUSED":
                if (run.pause_info or {}).get("request") == request:
                    return
                raise Refusal(400, 9, "workflow is already paused.")
            run.status = "PAUSED"
            run.pause_info = {**said, "pausedTime": to_text(self.now), "request": request}
        else:
            if run.status != "PAUSED":
                raise Refusal(400, 9, "workflow is not paused.")
            run.status, run.pause_info = "RUNNING", None
        run.tell(f"WORKFLOW_EXECUTION_{verb.upper()}D", self.now, **said)

    def _schedules(self, method: str, parts: list[str], *, query: Any, body: Any) -> dict[str, Any]:
        if not parts:
            rows = self._stale["schedules"] if self._stale is not None else self._schedule_rows()
            return self._page(rows, "schedules", query)
        if method == "POST" and len(parts) == 1:
            action = body["schedule"]["action"]["startWorkflow"]
            self.add_schedule(
                parts[0], action["workflowType"]["name"], queue=action["taskQueue"]["name"]
            )
            return {"conflictToken": "AAAAAAAAAAE="}
        if parts[-1] == "patch":
            self.patch(
                parts[0],
                body["patch"],
                who=body.get("identity", ""),
                request=body.get("requestId", ""),
            )
            return {}
        one = self.schedules.get(parts[0])
        if one is None:
            raise Refusal(404, 5, f"workflow not found for ID: temporal-sys-scheduler:{parts[0]}")
        if method == "DELETE":
            del self.schedules[parts[0]]
            return {}
        if parts[-1] == "matching-times":
            begin, end = query["startTime"], query["endTime"]
            return {"startTime": [to_text(t) for t in one.ticks if begin <= to_text(t) <= end]}
        return self._schedule(one)

    def _schedule(self, one: Sched) -> dict[str, Any]:
        own = [run for run in self.runs.values() if run.schedule_id == one.schedule_id]
        state = {"notes": one.notes, **({"paused": True} if one.paused else {})}
        action = {"workflowType": {"name": one.kind}, "taskQueue": {"name": one.queue}}
        token = base64.b64encode(one.version.to_bytes(8, "big")).decode()
        # A paused schedule goes on showing the times that were ahead when it was paused.
        info: dict[str, Any] = {"futureActionTimes": [to_text(t) for t in one.ticks[:10]]}
        if one.buffered:
            info["bufferSize"] = str(one.buffered)
        if running := [run.ids for run in own if run.closed_at is None]:
            info["runningWorkflows"] = running
        return {
            "schedule": {"action": {"startWorkflow": action}, "state": state},
            "info": info,
            "conflictToken": token,
        }

    def _queues(self, method: str, parts: list[str], *, query: Any, body: Any) -> dict[str, Any]:
        queue = parts[0]
        if method == "POST":
            limit = body["updateQueueRateLimit"].get("rateLimit")
            held = self.limits[queue] = {"reason": body["updateQueueRateLimit"].get("reason", "")}
            held |= {"updateIdentity": body.get("identity", ""), "updateTime": to_text(self.now)}
            if limit is not None:
                held["requestsPerSecond"] = limit.get("requestsPerSecond", 0)
        answer: dict[str, Any] = {}
        if queue in self.pollers:
            answer["pollers"] = [{"identity": "worker"}]
        if held := self.limits.get(queue):
            told: dict[str, Any] = {
                "metadata": {k: v for k, v in held.items() if k != "requestsPerSecond"}
            }
            if "requestsPerSecond" in held:
                number = held["requestsPerSecond"]
                told["rateLimit"] = {"requestsPerSecond": number} if number else {}
            answer["config"] = {"queueRateLimit": told}
        return answer

    # Rows.

    def _run_rows(self) -> list[dict[str, Any]]:
        return [self._run_row(run) for run in reversed(self.runs.values())]

    def _run_row(self, run: Run) -> dict[str, Any]:
        fields = {}
        if run.schedule_id:
            fields["TemporalScheduledById"] = encoded(run.schedule_id)
            fields["TemporalScheduledStartTime"] = encoded(to_text(run.began_at))
        root = run.parent or run
        row: dict[str, Any] = {
            "execution": run.ids,
            "type": {"name": run.kind},
            "startTime": to_text(run.began_at),
            "status": f"WORKFLOW_EXECUTION_STATUS_{run.status}",
            "executionTime": to_text(run.due_at or run.began_at),
            "memo": {"fields": run.memo} if run.memo else {},
            "searchAttributes": {"indexedFields": fields} if fields else {},
            "taskQueue": run.queue,
            "rootExecution": root.ids,
        }
        if run.parent is not None:
            row["parentExecution"] = run.parent.ids
        if run.closed_at is not None:
            row["closeTime"] = to_text(run.closed_at)
        return row

    def _description(self, run: Run) -> dict[str, Any]:
        more: dict[str, Any] = {"runExpirationTime": "0001-01-01T00:00:00Z"}
        if run.pause_info is not None:
            more["pauseInfo"] = run.pause_info
        if run.cancel_requested:
            more["cancelRequested"] = True
        return {
            "workflowExecutionInfo": {**self._run_row(run), "historyLength": str(len(run.events))},
            "pendingActivities": run.pending,
            "workflowExtendedInfo": more,
        }

    def _keeper_rows(self) -> list[dict[str, Any]]:
        return [
            {
                "execution": {
                    "workflowId": f"temporal-sys-scheduler:{one.schedule_id}",
                    "runId": "k",
                },
                "type": {"name": "temporal-sys-scheduler-workflow"},
                "startTime": to_text(AT),
                "status": "WORKFLOW_EXECUTION_STATUS_RUNNING",
                "searchAttributes": {
                    "indexedFields": {"TemporalNamespaceDivision": encoded("TemporalScheduler")}
                },
            }
            for one in self.schedules.values()
        ]

    def _schedule_rows(self) -> list[dict[str, Any]]:
        rows = []
        for one in self.schedules.values():
            info = {
                "workflowType": {"name": one.kind},
                "notes": one.notes,
                "futureActionTimes": [to_text(t) for t in one.ticks[:5]],
                **({"paused": True} if one.paused else {}),
            }
            memo = {"fields": one.memo} if one.memo else {}
            rows.append({"scheduleId": one.schedule_id, "memo": memo, "info": info})
        return rows

    def _history(self, events: list[dict[str, Any]], verb: str, query: Any) -> dict[str, Any]:
        ordered = list(reversed(events)) if verb.endswith("reverse") else events
        page = self._page(ordered, "events", query)
        token = page.pop("nextPageToken", None)
        return {"history": page, **({"nextPageToken": token} if token else {})}

    def _page(self, rows: list[dict[str, Any]], name: str, query: Any) -> dict[str, Any]:
        start = int(query.get("nextPageToken") or 0)
        end = start + self.page_size
        page: dict[str, Any] = {name: rows[start:end]} if rows[start:end] else {}
        if end < len(rows):
            page["nextPageToken"] = str(end)
        return page


def _signal(number: int, at: datetime, who: str, patch: dict[str, Any]) -> dict[str, Any]:
    """Return the event that a patch leaves with the keeper of a schedule, its body as protobuf."""
    body = b""
    for name, field_number in (
        ("triggerImmediately", 1),
        ("backfillRequest", 2),
        ("pause", 3),
        ("unpause", 4),
    ):
        if patch.get(name) or (name in patch and field_number == 1):
            text = patch[name].encode() if field_number > 2 else b""
            assert len(text) < 128 * 128
            low, high = len(text) & 0x7F, len(text) >> 7
            length = bytes([low | 0x80, high]) if high else bytes([low])
            body += bytes([field_number << 3 | 2]) + length + text
    payload = {
        "metadata": {"encoding": "YmluYXJ5L3Byb3RvYnVm"},
        "data": base64.b64encode(body).decode(),
    }
    said = {"signalName": "patch", "identity": who, "input": {"payloads": [payload]}}
    return {
        "eventId": str(number),
        "eventTime": to_text(at),
        "eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED",
        "workflowExecutionSignaledEventAttributes": said,
    }

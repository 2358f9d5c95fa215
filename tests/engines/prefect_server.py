"""A Prefect server in memory that also obeys: it switches, plans, hands over and works as 3.8.8 was seen to do.

What it does on purpose, because the real one does: `paused` stops schedules only; a limit of 0 keeps every run from
the workers; `set_state` answers 201 or 200 with the verdict in `status`; a run that has ended can be set CANCELLED;
a run cancelled before its first step stays CANCELLING; a redeploy takes pause and limit away.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.engines.fake_prefect import FakePrefect, flow_run, task_run
from workbench.clock import from_text, to_text

START = datetime(2026, 11, 28, 9, tzinfo=UTC)
STEPS = 3
Row = dict[str, Any]
Found = httpx.Response
ID = r"([0-9a-f-]{36})"


@dataclass
class MovingClock:
    """A clock that a test moves."""

    at: datetime = START

    def now(self) -> datetime:
        return self.at


def new_id() -> str:
    """Return an id as the server makes them."""
    return str(uuid.uuid4())


class PrefectServer(FakePrefect):
    """One server with one work pool; `tick` lets it and its worker go on for some seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = MovingClock()
        self.flows = []
        self.pools: list[Row] = []
        self.queues: list[Row] = []
        self.limits: list[Row] = []
        self.schedules_planned = 3
        self.worker_is_alive = True
        self.scheduler_is_alive = True
        self.add_pool("main")

    # What people and the server itself do.

    def add_pool(self, name: str) -> None:
        self.pools.append({"id": new_id(), "name": name, "is_paused": False, "status": "READY"})
        self.add_queue(name, "default")

    def add_queue(self, pool: str, name: str) -> None:
        row = {"id": new_id(), "name": name, "work_pool_name": pool, "is_paused": False}
        self.queues.append({**row, "concurrency_limit": None})

    def deploy(self, flow: str, name: str = "", *, schedule: bool = True, **other: Any) -> str:
        """Give the server a deployment, of a flow that is made where it is new; returns its id."""
        known = next((f for f in self.flows if f["name"] == flow), None)
        if known is None:
            known = {"id": new_id(), "name": flow}
            self.flows.append(known)
        deployment_id = new_id()
        self.deployments.append(
            {
                "id": deployment_id,
                "name": name or flow,
                "flow_id": known["id"],
                "updated": to_text(self.clock.now() - timedelta(hours=1)),
                "paused": False,
                "tags": [],
                "schedules": [self.schedule()] if schedule else [],
                "work_pool_name": "main",
                "work_queue_name": "default",
                "global_concurrency_limit": None,
                "concurrency_options": None,
                **other,
            }
        )
        self.plan()
        return deployment_id

    def schedule(self, **other: Any) -> Row:
        return {
            "id": new_id(),
            "active": True,
            "slug": None,
            "max_scheduled_runs": None,
            "schedule": {"interval": 60.0},
            **other,
        }

    def redeploy(self, deployment_id: str) -> None:
        """Deploy again, as `serve` does when it starts: unpaused, new schedules, and its limit is deleted."""
        row = self.deployment(deployment_id)
        limit = row["global_concurrency_limit"]
        if limit:
            self.limits = [one for one in self.limits if one["id"] != limit["id"]]
        row.update(
            paused=False,
            global_concurrency_limit=None,
            schedules=[self.schedule(slug=one["slug"]) for one in row["schedules"]],
        )

    def deployment(self, key: str) -> Row:
        return next(d for d in self.deployments if key in (d["id"], d["name"]))

    def run(self, run_id: str) -> Row:
        return next(r for r in self.runs if r["id"] == run_id)

    def make(
        self, deployment: str, *, after_seconds: float = 0, auto: str = "", **other: Any
    ) -> str:
        """Write a run that is to start; `auto` is the schedule that made it."""
        row = self.deployment(deployment)
        due = to_text(self.clock.now() + timedelta(seconds=after_seconds))
        by = {"id": auto, "type": "SCHEDULE", "display_value": "IntervalSchedule"} if auto else None
        run_id = new_id()
        one = flow_run(
            run_id,
            state_type="SCHEDULED",
            state_name="Scheduled",
            flow_id=row["flow_id"],
            deployment_id=row["id"],
            created=to_text(self.clock.now()),
            updated=to_text(self.clock.now()),
            expected_start_time=due,
            next_scheduled_start_time=due,
            start_time=None,
            end_time=None,
            run_count=0,
            auto_scheduled=bool(auto),
            created_by=by,
            infrastructure_pid=None,
            empirical_policy={"retry_type": None},
            work_pool_name=row["work_pool_name"],
            work_queue_name=other.pop("work_queue_name", row["work_queue_name"]),
        )
        one.update(other)
        self.runs.append(one)
        return run_id

    def begin(self, deployment: str) -> str:
        """Make a run and let it come to work; returns its id."""
        run_id = self.make(deployment)
        for _ in range(3):
            if self.run(run_id)["state_type"] != "RUNNING":
                self.tick()
        return run_id

    def plan(self) -> None:
        """Write starts ahead, as the scheduler does for what is not paused."""
        if not self.scheduler_is_alive:
            return
        for row in self.deployments:
            for schedule in row["schedules"]:
                has = [r for r in self.runs if _made_by(r, schedule) and self._is_planned(r)]
                if not row["paused"] and schedule["active"] and not has:
                    for number in range(1, self.schedules_planned + 1):
                        self.make(row["id"], after_seconds=600 * number, auto=schedule["id"])

    def tick(self, seconds: float = 5) -> None:
        """Let time pass: steps end, runs begin, due runs are handed over, starts are planned."""
        self.clock.at += timedelta(seconds=seconds)
        for one in list(self.runs):
            self._go_on(one)
        if self.worker_is_alive:
            for one in list(self.runs):
                self._hand_over(one)
        self.plan()

    def _go_on(self, one: Row) -> None:
        steps = [t for t in self.tasks if t["flow_run_id"] == one["id"]]
        for step in steps:
            if step["state_type"] == "RUNNING":
                step.update(state_type="COMPLETED", state_name="Completed")
        if one["state_type"] == "PENDING":
            one["run_count"] += 1
            self._set(one, "RUNNING", start_time=one["start_time"] or to_text(self.clock.now()))
            self._step(one)
        elif one["state_type"] == "RUNNING" and one["state_name"] == "Running":
            done = sum(1 for step in steps if step["state_type"] == "COMPLETED")
            if done >= STEPS:
                self._set(one, "COMPLETED", end_time=to_text(self.clock.now()))
            else:
                self._step(one)
        elif one["state_type"] == "CANCELLING" and one["run_count"]:
            self._set(one, "CANCELLED", end_time=to_text(self.clock.now()))

    def _step(self, one: Row) -> None:
        self.tasks.append(task_run(new_id(), one["id"], state_type="RUNNING", state_name="Running"))

    def _hand_over(self, one: Row) -> None:
        if (
            one["state_type"] != "SCHEDULED"
            or from_text(one["next_scheduled_start_time"]) > self.clock.now()
        ):
            return
        pool = next((p for p in self.pools if p["name"] == one["work_pool_name"]), None)
        queue = next(
            (
                q
                for q in self.queues
                if _queue(q) == (one["work_pool_name"], one["work_queue_name"])
            ),
            None,
        )
        if (pool and pool["is_paused"]) or (queue and queue["is_paused"]):
            self._set(one, "SCHEDULED", name="Late")
            return
        limit = self.deployment(one["deployment_id"])["global_concurrency_limit"]
        if limit and limit["limit"] == 0:
            # The server aborts the hand-over; the worker leaves it and asks again at its next round.
            self._set(one, "SCHEDULED", name="Late")
            return
        self._set(one, "PENDING", name="Submitting", next_scheduled_start_time=None)

    def _set(self, one: Row, kind: str, name: str = "", **other: Any) -> None:
        name = name or kind.title()
        one.update(
            state_type=kind,
            state_name=name,
            updated=to_text(self.clock.now()),
            state={"type": kind, "name": name, "message": other.pop("message", None)},
            **other,
        )

    def _is_planned(self, run: Row) -> bool:
        due = run["next_scheduled_start_time"]
        return run["state_type"] == "SCHEDULED" and from_text(due) > self.clock.now()

    def _unplan(self, deployment_id: str, *, also_due: bool) -> None:
        self.runs = [
            r
            for r in self.runs
            if not (
                r["deployment_id"] == deployment_id
                and r["auto_scheduled"]
                and r["state_type"] == "SCHEDULED"
                and not r["run_count"]
                and (also_due or self._is_planned(r))
            )
        ]

    # What it answers.

    def _rows(self, path: str, request: httpx.Request, body: Any) -> Any:
        for method, pattern, answer in self._routes():
            match = re.fullmatch(pattern, path)
            if match and method == request.method:
                return answer(*match.groups(), body=body)
        return super()._rows(path, request, body)

    def answer(self, request: httpx.Request) -> httpx.Response:
        try:
            found = super().answer(request)
        except (StopIteration, KeyError):
            return httpx.Response(404, json={"detail": "not found"})
        if request.url.path.removeprefix("/api") in self.overrides:
            return found
        # A row that is no dictionary of Prefect's is an answer with a status of its own.
        said = json.loads(found.content) if found.content else None
        if isinstance(said, dict) and set(said) == {"_status", "_body"}:
            body = said["_body"]
            return httpx.Response(said["_status"], **({} if body is None else {"json": body}))
        return found

    def _routes(self) -> list[tuple[str, str, Callable[..., Any]]]:
        return [
            ("POST", "/work_pools/filter", lambda body: _page(self.pools, body)),
            ("POST", "/deployments/filter", lambda body: _page(self.deployments, body)),
            ("POST", "/flows/filter", lambda body: _page(self.flows, body)),
            ("POST", "/work_pools/([^/]+)/queues/filter", self._queues_of),
            ("POST", "/work_pools/([^/]+)/queues", self._make_queue),
            ("PATCH", "/work_pools/([^/]+)", self._patch_pool),
            ("PATCH", "/work_pools/([^/]+)/queues/([^/]+)", self._patch_queue),
            ("DELETE", "/work_pools/([^/]+)/queues/([^/]+)", self._drop_queue),
            ("POST", "/v2/concurrency_limits/filter", lambda body: _page(self.limits, body)),
            ("POST", "/v2/concurrency_limits/", self._make_limit),
            ("PATCH", "/v2/concurrency_limits/([^/]+)", self._patch_limit),
            ("DELETE", "/v2/concurrency_limits/([^/]+)", self._drop_limit),
            ("GET", "/deployments/name/([^/]+)/([^/]+)", self._named),
            ("PATCH", f"/deployments/{ID}", self._patch_deployment),
            ("POST", f"/deployments/{ID}/create_flow_run", self._create_run),
            ("POST", f"/deployments/{ID}/(pause|resume)_deployment", self._native_switch),
            ("POST", f"/deployments/{ID}/schedules", self._make_schedules),
            ("PATCH", f"/deployments/{ID}/schedules/{ID}", self._patch_schedule),
            ("DELETE", f"/deployments/{ID}/schedules/{ID}", self._drop_schedule),
            ("GET", f"/flow_runs/{ID}", lambda run_id, body: self.run(run_id)),
            ("DELETE", f"/flow_runs/{ID}", self._drop_run),
            ("POST", f"/flow_runs/{ID}/set_state", self._set_state),
            ("POST", f"/flow_runs/{ID}/resume", self._resume),
            ("POST", "/flow_runs/filter", lambda body: _page(self._chosen(body), body)),
            ("POST", "/flow_runs/count", lambda body: len(self._chosen(body))),
            ("POST", "/task_runs/filter", lambda body: _page(self._chosen_steps(body), body)),
        ]

    def _queues_of(self, pool: str, *, body: Any) -> list[Row]:
        return _page([q for q in self.queues if q["work_pool_name"] == pool], body)

    def _make_queue(self, pool: str, *, body: Any) -> Row:
        self.add_queue(pool, body["name"])
        self.queues[-1]["concurrency_limit"] = body.get("concurrency_limit")
        return _said(201, self.queues[-1])

    def _patch_pool(self, name: str, *, body: Any) -> Row:
        next(p for p in self.pools if p["name"] == name).update(body)
        return _said(204)

    def _patch_queue(self, pool: str, name: str, *, body: Any) -> Row:
        next(q for q in self.queues if _queue(q) == (pool, name)).update(body)
        return _said(204)

    def _drop_queue(self, pool: str, name: str, *, body: Any) -> Row:
        self.queues = [q for q in self.queues if _queue(q) != (pool, name)]
        return _said(204)

    def _make_limit(self, *, body: Any) -> Row:
        if any(one["name"] == body["name"] for one in self.limits):
            return _said(409, {"detail": "Data integrity conflict."})
        self.limits.append({"id": new_id(), "active_slots": 0, **body})
        return _said(201, self.limits[-1])

    def _patch_limit(self, name: str, *, body: Any) -> Row:
        next(one for one in self.limits if name in (one["name"], one["id"])).update(body)
        return _said(204)

    def _drop_limit(self, name: str, *, body: Any) -> Row:
        found = next(one for one in self.limits if name in (one["name"], one["id"]))
        self.limits.remove(found)
        for row in self.deployments:
            if row["global_concurrency_limit"] is found:
                row["global_concurrency_limit"] = None
        return _said(204)

    def _named(self, flow: str, name: str, *, body: Any) -> Row:
        flow_id = next(f["id"] for f in self.flows if f["name"] == flow)
        return next(d for d in self.deployments if (d["flow_id"], d["name"]) == (flow_id, name))

    def _patch_deployment(self, key: str, *, body: Any) -> Row:
        row = self.deployment(key)
        change = dict(body)
        if "global_concurrency_limit_id" in change:
            wanted = change.pop("global_concurrency_limit_id")
            known = [one for one in self.limits if one["id"] == wanted]
            if wanted is not None and not known:
                return _said(409, {"detail": "Data integrity conflict."})
            row["global_concurrency_limit"] = known[0] if known else None
        row.update(change)
        # An update deletes what is planned ahead; the scheduler plans it anew where it may.
        self._unplan(key, also_due=False)
        self.plan()
        return _said(204)

    def _native_switch(self, key: str, verb: str, *, body: Any) -> Row:
        self.deployment(key)["paused"] = verb == "pause"
        if verb == "pause":
            self._unplan(key, also_due=True)
        self.plan()
        return _said(200)

    def _make_schedules(self, key: str, *, body: Any) -> Row:
        made = [self.schedule(slug=one.get("slug"), schedule=one["schedule"]) for one in body]
        self.deployment(key)["schedules"] += made
        return _said(201, made)

    def _patch_schedule(self, key: str, schedule_id: str, *, body: Any) -> Row:
        own = self.deployment(key)["schedules"]
        next(one for one in own if one["id"] == schedule_id).update(body)
        self._unplan(key, also_due=False)
        self.plan()
        return _said(204)

    def _drop_schedule(self, key: str, schedule_id: str, *, body: Any) -> Row:
        row = self.deployment(key)
        row["schedules"] = [one for one in row["schedules"] if one["id"] != schedule_id]
        self._unplan(key, also_due=False)
        self.plan()
        return _said(204)

    def _create_run(self, key: str, *, body: Any) -> Row:
        queue = {"work_queue_name": body["work_queue_name"]} if "work_queue_name" in body else {}
        tags = [*body.get("tags", ()), *self.deployment(key)["tags"]]
        run_id = self.make(key, tags=tags, parameters=body.get("parameters", {}), **queue)
        return _said(201, self.run(run_id))

    def _drop_run(self, run_id: str, *, body: Any) -> Row:
        self.runs.remove(self.run(run_id))
        return _said(204)

    def _set_state(self, run_id: str, *, body: Any) -> Row:
        one, state = self.run(run_id), body["state"]
        kind, name = state["type"], state.get("name") or state["type"].title()
        over = one["state_type"] in ("COMPLETED", "FAILED", "CANCELLED", "CRASHED")
        if over and kind in ("PAUSED", "CANCELLING"):
            return _verdict("ABORT", f"Run is already in terminal state {one['state_type']}.", None)
        if kind == "PAUSED":
            if one["state_type"] != "RUNNING":
                why = "Cannot suspend flows that are not currently running."
                return _verdict("REJECT", why, one["state"])
            if one.get("parent_task_run_id"):
                return _verdict("ABORT", "Cannot suspend subflows.", None)
        if (
            kind == "CANCELLING"
            and one["state_type"] == "SCHEDULED"
            and not one["infrastructure_pid"]
        ):
            self._set(one, "CANCELLED")
            why = "Scheduled flow run has no infrastructure to terminate."
            return _verdict("REJECT", why, one["state"])
        due = state.get("state_details", {}).get("scheduled_time")
        self._set(one, kind, name, message=state.get("message"), next_scheduled_start_time=due)
        return _said(201, {"status": "ACCEPT", "state": one["state"], "details": {}})

    def _resume(self, run_id: str, *, body: Any) -> Row:
        one = self.run(run_id)
        if one["state_type"] != "PAUSED":
            return _verdict("ABORT", "Cannot resume a flow run that is not paused.", None)
        due = to_text(self.clock.now())
        self._set(one, "SCHEDULED", "Resuming", next_scheduled_start_time=due)
        return _said(201, {"status": "ACCEPT", "state": one["state"], "details": {}})

    def _chosen(self, body: Row) -> list[Row]:
        found = [r for r in self.runs if _fits(r, body)]
        if body.get("sort") == "NEXT_SCHEDULED_START_TIME_ASC":
            found.sort(key=lambda r: r["next_scheduled_start_time"] or "")
        return found

    def _chosen_steps(self, body: Row) -> list[Row]:
        wanted = body["task_runs"]
        types = wanted.get("state", {}).get("type", {}).get("any_")
        ids = wanted["flow_run_id"]["any_"]
        return [
            t
            for t in self.tasks
            if t["flow_run_id"] in ids and (types is None or t["state_type"] in types)
        ]


def _queue(row: Row) -> tuple[str, str]:
    return row["work_pool_name"], row["name"]


def _made_by(run: Row, schedule: Row) -> bool:
    return (run.get("created_by") or {}).get("id") == schedule["id"]


def _said(status: int, body: Any = None) -> Row:
    return {"_status": status, "_body": body}


def _verdict(status: str, reason: str, state: Any) -> Row:
    """Say no with a yes of HTTP, as the server does."""
    return _said(200, {"status": status, "state": state, "details": {"reason": reason}})


def _page(rows: list[Row], body: Row) -> list[Row]:
    start = body.get("offset", 0)
    return rows[start : start + body.get("limit", 200)]


def _fits(run: Row, body: Row) -> bool:
    own = body.get("flow_runs") or {}
    state = own.get("state", {})
    checks = [
        (run["id"], own.get("id", {}).get("any_")),
        (run["state_type"], state.get("type", {}).get("any_")),
        (run["state_name"], state.get("name", {}).get("any_")),
        (run["deployment_id"], body.get("deployments", {}).get("id", {}).get("any_")),
        (run.get("work_pool_name"), body.get("work_pools", {}).get("name", {}).get("any_")),
    ]
    if any(wanted is not None and value not in wanted for value, wanted in checks):
        return False
    for column in ("next_scheduled_start_time", "expected_start_time", "end_time"):
        value = run.get(column)
        before, after = own.get(column, {}).get("before_"), own.get(column, {}).get("after_")
        if (before or after) and not value:
            return False
        if (before and value > before) or (after and value < after):
            return False
    return True

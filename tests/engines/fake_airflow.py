"""An Airflow server in memory: shapes and habits of 3.3.2 as they were recorded from a real one.

It writes its log before it tries what was asked, lists no more than it likes, tells `running` of runs that a pause
keeps from their next task, and takes a bulk pause without a pattern for one of no dag.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import httpx

from workbench.clock import to_text
from workbench.engines.airflow import Airflow, connect
from workbench.engines.binding import RegistryBinding
from workbench.engines.interface import Binding, EngineAddress

Answer = Callable[[httpx.Request], httpx.Response | None]
BEGAN = datetime(2026, 11, 27, 9, tzinfo=UTC)


@dataclass
class MovingClock:
    """A clock that goes on a little whenever it is asked."""

    at: datetime = BEGAN

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=10)
        return self.at


def dag_row(dag_id: str, *tags: str, **other: Any) -> dict[str, Any]:
    """Return one dag as the server lists it."""
    return {
        "dag_id": dag_id,
        "dag_display_name": dag_id,
        "is_paused": False,
        "is_stale": False,
        "tags": [{"name": tag, "dag_id": dag_id} for tag in tags],
        "owners": ["airflow"],
        "max_active_runs": 16,
        "has_import_errors": False,
        "timetable_summary": None,
        "next_dagrun_logical_date": None,
        "next_dagrun_run_after": None,
        **other,
    }


def run_row(dag_id: str, dag_run_id: str, **other: Any) -> dict[str, Any]:
    """Return one run that succeeded, with what a test wants different."""
    return {
        "dag_run_id": dag_run_id,
        "dag_id": dag_id,
        "logical_date": None,
        "queued_at": "2026-11-27T08:00:00.217081Z",
        "start_date": "2026-11-27T08:00:01.560679Z",
        "end_date": "2026-11-27T08:00:06.204548Z",
        "run_after": "2026-11-27T08:00:00.203251Z",
        "last_scheduling_decision": "2026-11-27T08:00:06.100000Z",
        "run_type": "manual",
        "state": "success",
        "triggering_user_name": "olga",
        "conf": {},
        "note": None,
        "dag_versions": [{"version_number": 3}],
        "bundle_version": None,
        "updated_at": other.get("end_date", "2026-11-27T08:00:06.204548Z"),
        **other,
    }


def step_row(dag_id: str, dag_run_id: str, task_id: str, **other: Any) -> dict[str, Any]:
    """Return the present attempt at one task."""
    return {
        "id": f"{dag_id}-{dag_run_id}-{task_id}-{other.get('map_index', -1)}",
        "task_id": task_id,
        "dag_id": dag_id,
        "dag_run_id": dag_run_id,
        "map_index": -1,
        "run_after": "2026-11-27T08:00:00.203251Z",
        "start_date": "2026-11-27T08:00:02Z",
        "end_date": "2026-11-27T08:00:05Z",
        "state": "success",
        "try_number": 1,
        "pool": "default_pool",
        **other,
    }


@dataclass
class FakeAirflow:
    """Answers like the server.

    Attributes:
        overrides: (method, path) -> what to answer instead; None lets the server answer.
        asked: every (method, path with query) that was asked, in order.
        largest_page: what the server gives at most, whatever is asked for.
    """

    clock: MovingClock = field(default_factory=MovingClock)
    dags: dict[str, dict[str, Any]] = field(default_factory=dict)
    details: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    tries: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    pools: dict[str, dict[str, Any]] = field(default_factory=dict)
    backfills: list[dict[str, Any]] = field(default_factory=list)
    approvals: list[dict[str, Any]] = field(default_factory=list)
    assets: list[dict[str, Any]] = field(default_factory=list)
    import_errors: list[dict[str, Any]] = field(default_factory=list)
    missed: dict[str, list[str]] = field(default_factory=dict)
    version: str = "3.3.2"
    health: dict[str, Any] = field(default_factory=dict)
    overrides: dict[tuple[str, str], Answer] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    largest_page: int = 100
    good_tokens: set[str] = field(default_factory=set)
    needs_token: bool = True
    forgets_pause_of: set[str] = field(default_factory=set)
    now_by: str = "ops"

    def __post_init__(self) -> None:
        beat = to_text(self.clock.at)
        self.health = {
            "metadatabase": {"status": "healthy"},
            "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": beat},
            "triggerer": {"status": None, "latest_triggerer_heartbeat": None},
            "dag_processor": {"status": "healthy", "latest_dag_processor_heartbeat": beat},
        }
        self.pools.setdefault("default_pool", pool_row("default_pool", 128))

    # What a test lets the engine do by itself.

    def add(self, *dag_ids: str, tags: tuple[str, ...] = (), **other: Any) -> None:
        """Give the server dags of two tasks."""
        for dag_id in dag_ids:
            self.dags[dag_id] = dag_row(dag_id, *tags, **other)

    def begin(self, dag_id: str, **other: Any) -> str:
        """Let a run be at work on its first task; returns its id as ours."""
        now = to_text(self.clock.now())
        dag_run_id = f"manual__{now}"
        own = {"state": "running", "queued_at": now, "start_date": now, "end_date": None}
        self.runs.append(
            run_row(dag_id, dag_run_id, **{**own, "run_after": now, "updated_at": now, **other})
        )
        for number in range(2):
            state = "running" if number == 0 and own | other == own else None
            times = {"start_date": now if state else None, "end_date": None, "run_after": now}
            self.steps.append(step_row(dag_id, dag_run_id, f"step_{number}", state=state, **times))
        return f"{dag_id}/{dag_run_id}"

    def queue(self, dag_id: str, **other: Any) -> str:
        """Let a run wait."""
        return self.begin(dag_id, state="queued", start_date=None, **other)

    def flip(self, dag_id: str, is_paused: bool, by: str = "olga") -> None:
        """Switch a dag as a person does in the engine's own pages."""
        self.dags[dag_id]["is_paused"] = is_paused
        self._write("patch_dag", by, {"is_paused": is_paused, "method": "PATCH"}, dag_id=dag_id)

    def step(self) -> None:
        """Let the scheduler look once: tasks at work end, and the next begin where no pause holds them."""
        for run in self.runs:
            own = [s for s in self.steps if s["dag_run_id"] == run["dag_run_id"]]
            is_paused = self.dags[run["dag_id"]]["is_paused"]
            now = to_text(self.clock.now())
            if run["state"] == "queued" and not is_paused and run["run_after"] <= now:
                run.update(state="running", start_date=now, updated_at=now)
            elif run["state"] == "running":
                for one in own:
                    if one["state"] == "running":
                        one.update(state="success", end_date=now)
                if all(one["state"] == "success" for one in own):
                    run.update(state="success", end_date=now, updated_at=now)
            if run["state"] == "running" and not is_paused:
                waits = next((one for one in own if one["state"] is None), None)
                if waits is not None:
                    waits.update(state="running", start_date=now)

    # HTTP.

    def engine(self, binding: Binding | None = None, **address: Any) -> Airflow:
        """Return the adapter on this server, which does not wait between two tries."""
        own = {"user": "ops", "password": "canary", **address}
        return connect(
            EngineAddress("airflow", "airflow", "http://airflow.example:8080", **own),
            binding or RegistryBinding([], "airflow"),
            clock=self.clock,
            transport=httpx.MockTransport(self.answer),
            sleep=lambda _: None,
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        path = unquote(request.url.path)
        self.asked.append((request.method, str(request.url).split("8080", 1)[1]))
        special = self.overrides.get((request.method, path))
        if special is not None and (found := special(request)) is not None:
            return found
        if path == "/auth/token":
            return self._log_in(json.loads(request.content))
        if (no := self._refused(request)) is not None:
            return no
        body = json.loads(request.content) if request.content else {}
        if request.method == "GET" or path.endswith("/dry_run"):
            return self._read(path.removeprefix("/api/v2"), request, body)
        return self._change(request.method, path.removeprefix("/api/v2"), request, body)

    def _log_in(self, body: dict[str, Any]) -> httpx.Response:
        if body["password"] != "canary":
            return httpx.Response(401, json={"detail": "Invalid credentials"})
        inside = base64.urlsafe_b64encode(json.dumps({"sub": body["username"]}).encode()).decode()
        token = f"head.{inside}.{len(self.good_tokens)}"
        self.good_tokens.add(token)
        return httpx.Response(201, json={"access_token": token})

    def _refused(self, request: httpx.Request) -> httpx.Response | None:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not self.needs_token or given in self.good_tokens:
            return None
        if not given:
            return httpx.Response(401, json={"detail": "Not authenticated"})
        return httpx.Response(403, json={"detail": "Invalid JWT token"})

    def _read(self, path: str, request: httpx.Request, body: dict[str, Any]) -> httpx.Response:
        query = request.url.params
        if path == "/version":
            return httpx.Response(200, json={"version": self.version, "git_version": None})
        if path == "/monitor/health":
            return httpx.Response(200, json=self.health)
        if path == "/backfills/dry_run":
            due = [at for at in self.missed.get(body["dag_id"], []) if at <= body["to_date"]]
            found = [{"logical_date": at} for at in due]
            return httpx.Response(200, json={"backfills": found, "total_entries": len(found)})
        if found := re.fullmatch(r"/dags/([^/~]+)/details", path):
            dag = self.dags.get(found[1])
            if dag is None:
                return httpx.Response(404, json={"detail": "The Dag was not found"})
            own = {"catchup": False, **dag, **self.details.get(found[1], {})}
            return httpx.Response(200, json=own)
        if found := re.fullmatch(r"/dags/([^/~]+)/dagRuns/([^/~]+)", path):
            for run in self.runs:
                if (run["dag_id"], run["dag_run_id"]) == found.groups():
                    return httpx.Response(200, json=run)
            return httpx.Response(404, json={"detail": "The DagRun was not found"})
        if path.endswith("/tries"):
            found_tries = self.tries.get(path.split("/")[6], [])
            return httpx.Response(200, json={"task_instances": found_tries})
        return self._listed(path, query)

    def _listed(self, path: str, query: httpx.QueryParams) -> httpx.Response:
        key, rows = self._rows(path, query)
        limit = min(int(query.get("limit", 50)), self.largest_page)
        if "cursor" in query:
            start = int(query["cursor"] or 0)
            page, more = rows[start : start + limit], start + limit < len(rows)
            told = {"next_cursor": str(start + limit) if more else None, "previous_cursor": None}
        else:
            start, told = int(query.get("offset", 0)), {}
            page = rows[start : start + limit]
        return httpx.Response(200, json={key: page, "total_entries": len(rows), **told})

    def _rows(self, path: str, query: httpx.QueryParams) -> tuple[str, list[dict[str, Any]]]:
        states = [v for k, v in query.multi_items() if k == "state"]
        if path == "/dags":
            found = [d for d in self.dags.values() if not d["is_stale"] or "exclude_stale" in query]
            if "paused" in query:
                found = [d for d in found if d["is_paused"] == (query["paused"] == "true")]
            return "dags", sorted(found, key=lambda d: d["dag_id"])
        if found_dag := re.fullmatch(r"/dags/([^/]+)/dagRuns", path):
            rows = [r for r in self.runs if found_dag[1] in ("~", r["dag_id"])]
            rows = [r for r in rows if not states or r["state"] in states]
            since = query.get("updated_at_gte", "")
            return "dag_runs", [r for r in rows if r["updated_at"] >= since]
        if path == "/dags/~/dagRuns/~/taskInstances":
            begin, end = query.get("run_after_gte", ""), query.get("run_after_lte", "9")
            rows = [s for s in self.steps if not states or s["state"] in states]
            pools = [v for k, v in query.multi_items() if k == "pool"]
            rows = [s for s in rows if not pools or s["pool"] in pools]
            return "task_instances", [s for s in rows if begin <= s["run_after"] <= end]
        if path == "/eventLogs":
            return "event_logs", self._events(query)
        if path == "/backfills":
            return "backfills", [b for b in self.backfills if b["dag_id"] == query["dag_id"]]
        if path == "/dags/~/dagVersions":
            versions = [
                {"id": d["dag_id"], "dag_id": d["dag_id"], "created_at": d["born"]}
                for d in self.dags.values()
                if "born" in d
            ]
            return "dag_versions", versions
        return {
            "/dags/~/dagRuns/~/hitlDetails": ("hitl_details", self.approvals),
            "/assets": ("assets", self.assets),
            "/pools": ("pools", list(self.pools.values())),
            "/importErrors": ("import_errors", self.import_errors),
        }[path]

    def _events(self, query: httpx.QueryParams) -> list[dict[str, Any]]:
        wanted = {v for k, v in query.multi_items() if k == "included_events"}
        unwanted = {v for k, v in query.multi_items() if k == "excluded_events"}
        found = [
            row
            for row in self.log
            if (not wanted or row["event"] in wanted)
            and row["event"] not in unwanted
            and query.get("after", "") < row["when"] < query.get("before", "9")
            and query.get("dag_id", row["dag_id"]) == row["dag_id"]
        ]
        return found[::-1] if query.get("order_by", "").startswith("-") else found

    def _write(
        self, event: str, by: str, extra: dict[str, Any], *, dag_id: str | None = None, **other: Any
    ) -> None:
        self.log.append(
            {
                "event_log_id": len(self.log) + 1,
                "when": to_text(self.clock.now()),
                "dag_id": dag_id,
                "task_id": None,
                "run_id": None,
                "map_index": None,
                "event": event,
                "owner": by,
                "extra": json.dumps(extra),
                **other,
            }
        )

    def _change(
        self, method: str, path: str, request: httpx.Request, body: dict[str, Any]
    ) -> httpx.Response:
        query = dict(request.url.params)
        said = {**query, **body, "method": method}
        if path == "/dags":
            self._write("patch_dags", self.now_by, said)
            return self._patch_dags(query, body)
        if path == "/assets/events":
            self._write("create_asset_event", self.now_by, said)
            return httpx.Response(200, json={"id": 1})
        if found := re.fullmatch(r"/dags/([^/~]+)/dagRuns", path):
            self._write("trigger_dag_run", self.now_by, said, dag_id=found[1])
            return httpx.Response(200, json=self._triggered(found[1]))
        if method == "DELETE" and (found := re.fullmatch(r"/dags/([^/~]+)/dagRuns/(.+)", path)):
            self._write("delete_dag_run", self.now_by, said, dag_id=found[1], run_id=found[2])
            return self._delete_run(found[2])
        if found := re.fullmatch(r"/dags/([^/~]+)", path):
            self._write("patch_dag", self.now_by, said, dag_id=found[1])
            if found[1] not in self.dags:
                return httpx.Response(
                    404, json={"detail": f"Dag with id: {found[1]} was not found"}
                )
            if not isinstance(body.get("is_paused"), bool):
                return httpx.Response(422, json={"detail": "Input should be a valid boolean"})
            if found[1] not in self.forgets_pause_of:
                self.dags[found[1]]["is_paused"] = body["is_paused"]
            return httpx.Response(200, json={**self.dags[found[1]], "is_paused": body["is_paused"]})
        if found := re.fullmatch(r"/dags/([^/~]+)/dagRuns/([^/~]+)", path):
            self._write("patch_dag_run", self.now_by, said, dag_id=found[1], run_id=found[2])
            return self._patch_run(found[1], found[2], body)
        if found := re.fullmatch(r"/pools/(.+)", path):
            self._write("patch_pool", self.now_by, {"pool_name": found[1], **said})
            missing = {"pool", "slots", "include_deferred"} - set(body)
            if missing or found[1] not in self.pools:
                return httpx.Response(422 if missing else 404, json={"detail": "Field required"})
            self.pools[found[1]]["slots"] = body["slots"]
            return httpx.Response(200, json=self.pools[found[1]])
        if found := re.fullmatch(r"/backfills/(\d+)/(pause|unpause)", path):
            self._write(f"{found[2]}_backfill", self.now_by, {"backfill_id": found[1]})
            (one,) = [b for b in self.backfills if str(b["id"]) == found[1]]
            one["is_paused"] = found[2] == "pause"
            return httpx.Response(200, json=one)
        return httpx.Response(404, json={"detail": f"{method} {path}"})

    def _triggered(self, dag_id: str) -> dict[str, Any]:
        run_id = self.queue(dag_id)
        return next(run for run in self.runs if run_id.endswith(run["dag_run_id"]))

    def _delete_run(self, dag_run_id: str) -> httpx.Response:
        found = [run for run in self.runs if run["dag_run_id"] == dag_run_id]
        if not found or found[0]["state"] == "running":
            return httpx.Response(409 if found else 404, json={"detail": "cannot be deleted"})
        self.runs.remove(found[0])
        return httpx.Response(204)

    def _patch_dags(self, query: dict[str, str], body: dict[str, Any]) -> httpx.Response:
        pattern = query.get("dag_id_pattern")
        found = [
            dag
            for dag in self.dags.values()
            if pattern == "%" and query.get("tags") in (None, *(t["name"] for t in dag["tags"]))
        ]
        for dag in found:
            if dag["dag_id"] not in self.forgets_pause_of:
                dag["is_paused"] = body["is_paused"]
        limit = int(query.get("limit", 50))
        return httpx.Response(200, json={"dags": found[:limit], "total_entries": len(found)})

    def _patch_run(self, dag_id: str, dag_run_id: str, body: dict[str, Any]) -> httpx.Response:
        for run in self.runs:
            if (run["dag_id"], run["dag_run_id"]) == (dag_id, dag_run_id):
                now = to_text(self.clock.now())
                run.update(body, end_date=now, updated_at=now)
                for one in self.steps:
                    if one["dag_run_id"] == dag_run_id and one["state"] != "success":
                        one.update(state="failed" if one["state"] else "skipped", end_date=now)
                return httpx.Response(200, json=run)
        return httpx.Response(404, json={"detail": "The DagRun was not found"})


def pool_row(name: str, slots: int) -> dict[str, Any]:
    """Return one pool as the server lists it."""
    return {"name": name, "slots": slots, "include_deferred": False, "open_slots": slots}


def backfill_row(number: int, dag_id: str, **other: Any) -> dict[str, Any]:
    """Return one backfill that has not ended."""
    return {"id": number, "dag_id": dag_id, "is_paused": False, "completed_at": None, **other}

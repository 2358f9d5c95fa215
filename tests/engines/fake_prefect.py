"""A Prefect server in memory: the answers have the shapes that version 3.8.8 was seen to give."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx

from workbench.engines.http import JsonClient

Answer = Callable[[httpx.Request], httpx.Response]
FLOW_ID = "d465f055-2c0c-40d9-b8e8-2853616a87ba"


def flow_run(run_id: str, **other: Any) -> dict[str, Any]:
    """Return one flow run that completed, with what a test wants different."""
    state_type = other.get("state_type", "COMPLETED")
    state_name = other.get("state_name", state_type.title())
    return {
        "id": run_id,
        "created": "2026-11-20T09:00:00.000001Z",
        "updated": "2026-11-20T09:00:06.000000Z",
        "name": "successful-myna",
        "flow_id": FLOW_ID,
        "deployment_id": None,
        "flow_version": "4d7c",
        "tags": [],
        "state_type": state_type,
        "state_name": state_name,
        "run_count": 1,
        "expected_start_time": "2026-11-20T09:00:00.500000Z",
        "start_time": "2026-11-20T09:00:01.000000Z",
        "end_time": "2026-11-20T09:00:05.000000Z",
        "auto_scheduled": False,
        "created_by": None,
        "parent_task_run_id": None,
        "state": {"type": state_type, "name": state_name, "message": other.pop("message", None)},
        **other,
    }


def task_run(task_id: str, run_id: str, **other: Any) -> dict[str, Any]:
    """Return one task run that completed, with what a test wants different."""
    return {
        "id": task_id,
        "flow_run_id": run_id,
        "task_key": "write-ff4414f9",
        "name": "write-197",
        "state_type": "COMPLETED",
        "state_name": "Completed",
        "run_count": 1,
        "expected_start_time": "2026-11-20T09:00:01.500000Z",
        "start_time": "2026-11-20T09:00:02.000000Z",
        "end_time": "2026-11-20T09:00:03.000000Z",
        "state": {"message": ""},
        **other,
    }


def event(event_id: str, name: str, **other: Any) -> dict[str, Any]:
    """Return one event of the server."""
    return {
        "id": event_id,
        "occurred": "2026-11-20T09:05:00.000000Z",
        "received": "2026-11-20T09:05:00.100000Z",
        "event": name,
        "resource": {
            "prefect.resource.id": "prefect.work-pool.7f",
            "prefect.resource.name": "main",
        },
        "related": [],
        "payload": {"updates": []},
        "follows": None,
        **other,
    }


class FakePrefect:
    """Answers like the server; a test changes what it holds between two readings.

    Attributes:
        overrides: path -> what to answer instead.
        asked: every (path, body) that was asked, in order.
    """

    def __init__(self) -> None:
        self.flows: list[dict[str, Any]] = [{"id": FLOW_ID, "name": "invoice-triage"}]
        self.deployments: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []
        self.tasks: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.event_page_size = 50
        self.overrides: dict[str, Answer] = {}
        self.asked: list[tuple[str, Any]] = []

    def client(self, **options: Any) -> JsonClient:
        """Return a client that asks this server and does not wait between two tries."""
        return JsonClient(
            "http://prefect.example:4200/api",
            transport=httpx.MockTransport(self.answer),
            sleep=lambda _: None,
            **options,
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        path = request.url.path.removeprefix("/api")
        body = json.loads(request.content) if request.content else {}
        self.asked.append((path, body))
        if path in self.overrides:
            return self.overrides[path](request)
        if path == "/events/filter":
            return self._events(0)
        if path == "/events/filter/next":
            return self._events(int(request.url.params["page-token"]))
        return httpx.Response(200, json=self._rows(path, request, body))

    def _rows(self, path: str, request: httpx.Request, body: dict[str, Any]) -> Any:
        if path == "/health":
            return True
        if path == "/admin/version":
            return "3.8.8"
        if path == "/flow_runs/count":
            return len([r for r in self.runs if _is_asked(r, body.get("flow_runs", {}))])
        if path == "/flow_run_states/":
            return self._states(request.url.params["flow_run_id"])
        held = {
            "/work_pools/filter": [],
            "/flows/filter": self.flows,
            "/deployments/filter": self.deployments,
            "/flow_runs/filter": [r for r in self.runs if _is_asked(r, body.get("flow_runs", {}))],
            "/task_runs/filter": [
                t for t in self.tasks if t["flow_run_id"] in body.get("task_runs", {})["flow_run_id"]["any_"]
            ] if path == "/task_runs/filter" else [],
        }[path]  # fmt: skip
        start = body.get("offset", 0)
        return held[start : start + body["limit"]]

    def _states(self, run_id: str) -> list[dict[str, Any]]:
        (run,) = (run for run in self.runs if run["id"] == run_id)
        state = {"type": run["state_type"], "name": run["state_name"], "message": ""}
        return [{**state, "timestamp": run["end_time"] or run["created"]}]

    def _events(self, start: int) -> httpx.Response:
        end = start + self.event_page_size
        link = f"http://elsewhere.example/api/events/filter/next?page-token={end}"
        more = link if end < len(self.events) else None
        page = {"events": self.events[start:end], "total": len(self.events), "next_page": more}
        return httpx.Response(200, json=page)


def _is_asked(run: dict[str, Any], wanted: dict[str, Any]) -> bool:
    if names := wanted.get("state", {}).get("name", {}).get("any_"):
        before = wanted.get("next_scheduled_start_time", {}).get("before_")
        due = run.get("next_scheduled_start_time")
        return run["state_name"] in names and (not before or bool(due and due <= before))
    if ids := wanted.get("id", {}).get("any_"):
        return run["id"] in ids
    if after := wanted.get("expected_start_time", {}).get("after_"):
        return bool(run["expected_start_time"] >= after)
    if after := wanted.get("end_time", {}).get("after_"):
        return bool(run["end_time"] and run["end_time"] >= after)
    if types := wanted.get("state", {}).get("type", {}).get("any_"):
        return run["state_type"] in types
    return True

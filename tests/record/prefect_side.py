"""The Prefect server of the recording and the calls an operator makes to it."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.record.place import to_text

QUIET = {
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
    "PREFECT_RUNNER_POLL_FREQUENCY": "5",
    "PREFECT_RUNNER_SERVER_ENABLE": "false",
    "PREFECT_SERVER_DATABASE_TIMEOUT": "20",
    "PREFECT_SERVER_DATABASE_SQLALCHEMY_POOL_SIZE": "10",
    "PREFECT_SERVER_DATABASE_SQLALCHEMY_MAX_OVERFLOW": "20",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED": "false",
    "PREFECT_API_REQUEST_TIMEOUT": "60",
}
Row = dict[str, Any]


def environment(root: Path, port: int) -> dict[str, str]:
    """Return the variables of every Prefect program of the recording."""
    return {
        **QUIET,
        "PREFECT_HOME": str(root / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://postgres:@/postgres?host={root / 'postgres'}",
    }


class PrefectSide:
    """One server on loopback with a fresh PostgreSQL of its own, and its REST API."""

    def __init__(self, root: Path, *, port: int, prefect: Path) -> None:
        self.root = root
        self.port = port
        self.prefect = prefect
        self.url = f"http://127.0.0.1:{port}/api"

    def start(self) -> subprocess.Popen[bytes]:
        """Start the database and the server, and wait until the server answers."""
        import pgserver

        self.database = pgserver.get_server(str(self.root / "postgres"), cleanup_mode="stop")
        place = ["--host", "127.0.0.1", "--port", str(self.port)]
        with open(self.root / "prefect-server.log", "ab") as log:
            server = subprocess.Popen(
                [str(self.prefect), "server", "start", *place, "--no-ui"],
                stdout=log,
                stderr=log,
                env={**os.environ, **environment(self.root, self.port)},
            )
        for _ in range(120):
            try:
                self.call("GET", "/health")
                return server
            except OSError:
                time.sleep(1)
        raise SystemExit(
            "the Prefect server did not answer within two minutes; see prefect-server.log"
        )

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Make one call, again while the server is busy, and return the decoded answer."""
        for wait in (1.0, 3.0, 0.0):
            try:
                return self._call_once(method, path, body)
            except OSError as exc:
                is_busy = not isinstance(exc, urllib.error.HTTPError) or exc.code == 503
                if not wait or not is_busy or path == "/health":
                    raise
                time.sleep(wait)
        return None

    def _call_once(self, method: str, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            f"{self.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            content = answer.read()
            self.last_status = answer.status
        return json.loads(content) if content else None

    def pages(self, path: str, body: Row) -> list[Row]:
        """Return all rows of a filter."""
        rows: list[Row] = []
        while True:
            page = self.call("POST", path, {**body, "limit": 200, "offset": len(rows)})
            rows += page
            if len(page) < 200:
                return rows

    def deployment_id(self, name: str) -> str:
        """Return the id of a served deployment."""
        return str(self.call("GET", f"/deployments/name/{name}/{name}")["id"])

    def switch(self, name: str, verb: str) -> int:
        """Pause or resume a deployment by Prefect's own call; returns the HTTP status."""
        try:
            self.call("POST", f"/deployments/{self.deployment_id(name)}/{verb}_deployment", {})
            return int(self.last_status)
        except urllib.error.HTTPError as exc:
            return exc.code

    def start_by_hand(self, name: str, *, at: datetime, triggered_by: str) -> str:
        """Make a run of a deployment by hand for a later instant; returns its id."""
        found = self.call(
            "POST",
            f"/deployments/{self.deployment_id(name)}/create_flow_run",
            {
                "state": {"type": "SCHEDULED", "state_details": {"scheduled_time": to_text(at)}},
                "parameters": {"triggered_by": triggered_by},
                "tags": ["by-hand"],
            },
        )
        return str(found["id"])

    def cancel_waiting(self, name: str, message: str) -> int:
        """Cancel every run of a deployment that has not started; returns how many."""
        wanted = {
            "state": {"type": {"any_": ["SCHEDULED", "PENDING"]}},
            "deployment_id": {"any_": [self.deployment_id(name)]},
        }
        state = {"type": "CANCELLED", "name": "Cancelled", "message": message}
        rows = self.pages(
            "/flow_runs/filter", {"flow_runs": wanted, "sort": "EXPECTED_START_TIME_ASC"}
        )
        for row in rows:
            path = f"/flow_runs/{row['id']}/set_state"
            self.call("POST", path, {"state": state, "force": True})
        return len(rows)

    def in_flight(self, name: str) -> int:
        """Return how many runs of a flow are pending or running."""
        return len(
            self.pages(
                "/flow_runs/filter",
                {
                    "flows": {"name": {"any_": [name]}},
                    "flow_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING"]}}},
                    "sort": "EXPECTED_START_TIME_ASC",
                },
            )
        )

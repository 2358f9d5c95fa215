"""The Prefect server of the live demo: made from its own environment, on loopback, and asked for every figure."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

import workbench
from workbench.clock import from_text, to_text
from workbench.demo.crew import Crew, DemoFailed
from workbench.errors import NotFound
from workbench.settings import Settings, child_environment

VARIABLE = "WORKBENCH_PREFECT_ENVIRONMENT"
"""Names the folder of the engine's environment; `make demo-live` makes `.venv-prefect`."""

POOL = "live"
START_SECONDS = 120.0
LOOK_SECONDS = 0.3
BUSY = 503
BUSY_SECONDS = 30.0
"""How long a call is made again while SQLite under the server is locked."""

IDLE = (
    "CANCELLATION_CLEANUP",
    "CLEANUP_RECONCILER",
    "FOREMAN",
    "PAUSE_EXPIRATIONS",
    "REPOSSESSOR",
    "TRIGGERS",
)
"""Services of the server that have no part in the story."""

QUIET: Mapping[str, str] = {
    "DO_NOT_TRACK": "1",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_LOGGING_TO_API_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_UI_ENABLED": "false",
    # SQLite: a call that waits long for a lock keeps others from theirs; whoever asks, asks again after 503.
    "PREFECT_SERVER_DATABASE_TIMEOUT": "5",
    "PREFECT_SERVER_DATABASE_SQLALCHEMY_POOL_SIZE": "10",
    "PREFECT_SERVER_DATABASE_SQLALCHEMY_MAX_OVERFLOW": "20",
    # Its SQLite is shared by all that writes: a hundred starts planned ahead and services without work go without.
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "15",
    "PREFECT_SERVER_SERVICES_SCHEDULER_MAX_RUNS": "10",
    "PREFECT_SERVER_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME": "PT30S",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "20",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    **{f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in IDLE},
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_WORKER_PREFETCH_SECONDS": "1",
}


def environment_folder(named: str, beside: Path) -> Path:
    """Return the folder of the engine's environment; raises NotFound, saying what makes it."""
    folder = Path(named).expanduser().absolute() if named else beside / ".venv-prefect"
    if not (folder / "bin" / "prefect").exists():
        raise NotFound(
            f"There is no Prefect in {folder}, and the live demo needs a real server.",
            next_step=f"run `make demo-live` in the checkout, which installs it, or name its environment in {VARIABLE}",
        )
    return folder


def free_port() -> int:
    """Return a port of loopback that is free now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass(frozen=True)
class PrefectPlace:
    """Where the server lives: its environment, its home, and its port."""

    environment: Path
    home: Path
    port: int

    @property
    def url(self) -> str:
        """Address of its REST interface."""
        return f"http://127.0.0.1:{self.port}/api"

    def variables(self, settings: Settings) -> dict[str, str]:
        """Return the environment of the server and of the worker, whose runs ask the gate of these settings."""
        found = child_environment(settings)
        return {
            **found,
            **QUIET,
            "PATH": f"{self.environment / 'bin'}{os.pathsep}{found.get('PATH', os.defpath)}",
            "PREFECT_HOME": str(self.home),
            "PREFECT_API_URL": self.url,
            "PYTHONPATH": str(self.home / "installed"),
        }

    def install_package(self) -> None:
        """Put this package, and nothing else of its environment, where the engine's interpreter finds it."""
        folder = self.home / "installed"
        folder.mkdir(parents=True)
        (folder / "workbench").symlink_to(Path(workbench.__file__).parent)


class PrefectServer:
    """A client of the server that asks what any client could ask."""

    def __init__(self, url: str) -> None:
        """Ask at this address."""
        self.url = url
        self._client = httpx.Client(base_url=url, timeout=60, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def is_up(self) -> bool:
        """Tell whether it answers as a Prefect server does."""
        try:
            return self._client.get("/health", timeout=5).json() is True
        except (httpx.HTTPError, ValueError):
            return False

    def version(self) -> str:
        """Return the version that it says it has."""
        return str(self.send("GET", "/admin/version"))

    def send(self, method: str, path: str, *, body: Any = None) -> Any:
        """Make one call, again while the server says that it is busy; raises DemoFailed where it is refused."""
        end = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                answer = self._client.request(method, path, json=body)
            except httpx.HTTPError as exc:
                raise DemoFailed(
                    f"Prefect at {self.url} does not answer {path}: {exc}",
                    next_step="see prefect-server.err in the demo's folder, and play again on a quieter machine",
                ) from exc
            if answer.status_code != BUSY or time.monotonic() > end:
                break
            time.sleep(LOOK_SECONDS)
        if answer.status_code >= 300:
            raise DemoFailed(
                f"Prefect refused {method} {path}: {answer.status_code} {answer.text[:200]}"
            )
        return answer.json() if answer.content else None

    def make_pool(self) -> None:
        """Make the pool that the worker takes runs from."""
        self.send("POST", "/work_pools/", body={"name": POOL, "type": "thread"})

    def deploy(self, flow: str, *, every: timedelta, first_at: datetime) -> None:
        """Deploy a flow under its own name, with a schedule."""
        flow_id = self.send("POST", "/flows/", body={"name": flow})["id"]
        schedule = {
            "interval": every.total_seconds(),
            "anchor_date": to_text(first_at),
            "timezone": "UTC",
        }
        body = {
            "name": flow,
            "flow_id": flow_id,
            "entrypoint": f"workbench/demo/on_prefect/flows.py:{flow.replace('-', '_')}",
            "work_pool_name": POOL,
            "tags": [f"automation:{flow}"],
            "enforce_parameter_schema": False,
            "schedules": [{"active": True, "schedule": schedule}],
        }
        self.send("POST", "/deployments/", body=body)

    def started(self, flow: str, since: datetime) -> int:
        """Count runs of a flow that began at or after an instant."""
        return len(self._begun(flow, since))

    def failed(self, flow: str, since: datetime) -> int:
        """Count runs of a flow that began at or after an instant and failed."""
        return sum(row["state_type"] == "FAILED" for row in self._begun(flow, since))

    def ended_well(self, flow: str, since: datetime) -> int:
        """Count runs of a flow that began at or after an instant and completed."""
        return sum(row["state_type"] == "COMPLETED" for row in self._begun(flow, since))

    def worked(self, flow: str, since: datetime) -> int:
        """Count runs of a flow that were at work at or after an instant, whenever they had begun."""
        return len(
            [
                row
                for row in self._runs(flow)
                if row["state_type"] == "RUNNING" or _is_since(row["end_time"], since)
            ]
        )

    def _begun(self, flow: str, since: datetime) -> list[dict[str, Any]]:
        """Return runs by their start time; Prefect's own filter takes planned starts for it as well."""
        return [row for row in self._runs(flow) if _is_since(row["start_time"], since)]

    def _runs(self, flow: str) -> list[dict[str, Any]]:
        """Return the newest runs that have begun, 200 at most."""
        wanted = {"state": {"type": {"not_any_": ["SCHEDULED", "PENDING"]}}}
        asked = {"flows": {"name": {"any_": [flow]}}, "flow_runs": wanted, "limit": 200}
        rows = self.send("POST", "/flow_runs/filter", body={**asked, "sort": "START_TIME_DESC"})
        return list(rows)


def _is_since(at: str | None, since: datetime) -> bool:
    return at is not None and from_text(at) >= since


def start_server(
    crew: Crew, place: PrefectPlace, *, settings: Settings, server: PrefectServer
) -> None:
    """Start the server in a group of its own and return when it answers; raises DemoFailed when it does not in time."""
    place.install_package()
    words = ("server", "start", "--host", "127.0.0.1", "--port", str(place.port), "--no-ui")
    program = str(place.environment / "bin" / "prefect")
    child = crew.start(
        "prefect-server", words, program=program, environment=place.variables(settings)
    )
    wait_for(
        server.is_up, crew, seconds=START_SECONDS, why=lambda: why_silent(crew, place, child=child)
    )


def start_worker(crew: Crew, place: PrefectPlace, *, settings: Settings, provider_url: str) -> None:
    """Start the worker in a group of its own."""
    words = ("-m", "workbench.demo.on_prefect.flows", POOL, provider_url, str(crew.folder))
    program = str(place.environment / "bin" / "python")
    crew.start("prefect-worker", words, program=program, environment=place.variables(settings))


def why_silent(crew: Crew, place: PrefectPlace, *, child: subprocess.Popen[bytes]) -> str:
    """Say why the server is not up, with its own last words."""
    state = "runs" if child.poll() is None else f"ended with exit code {child.returncode}"
    said = crew.last_words("prefect-server")
    return f"The Prefect server on port {place.port} {state} and does not answer: {said}"


def wait_for(
    question: Callable[[], bool], crew: Crew, *, seconds: float, why: Callable[[], str]
) -> None:
    """Ask until it is so; raises DemoFailed when time is over or a program of the demo has ended."""
    end = time.monotonic() + seconds
    while not question():
        if time.monotonic() > end:
            raise DemoFailed(why())
        crew.check_alive()
        time.sleep(LOOK_SECONDS)


def now() -> datetime:
    """Return the instant now, UTC."""
    return datetime.now(UTC)

"""A real Prefect server on loopback with one worker, each in a process group of its own that is killed at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

REPOSITORY = Path(__file__).parents[3]
ENVIRONMENT = "WORKBENCH_PREFECT_ENVIRONMENT"
"""Names the folder of the engine's environment; `make test-engines` makes `.venv-prefect`."""

PATIENCE_SECONDS = 240.0
"""A run takes 5 s to start on an idle machine, and a minute on one that has other work."""

FLOWS = ("orders", "invoices", "attic", "kept", "shaky")
Row = dict[str, Any]


def environment_folder() -> Path:
    """Return the engine's environment, or skip, saying what makes it."""
    folder = Path(os.environ.get(ENVIRONMENT) or REPOSITORY / ".venv-prefect")
    if not (folder / "bin" / "prefect").exists():
        pytest.skip(
            f"no Prefect in {folder}: `make test-engines` installs it, or name it in {ENVIRONMENT}"
        )
    return folder


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Server:
    """One server with its worker; rows are asked for and changed as any client would."""

    folder: Path
    home: Path
    port: int = field(default_factory=free_port)
    groups: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def environment(self) -> dict[str, str]:
        """Return the variables of the server and of everything that talks to it."""
        own = {
            "PREFECT_HOME": str(self.home),
            "PREFECT_API_URL": self.url,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_CLI_PROMPT": "false",
            "PREFECT_SERVER_UI_ENABLED": "false",
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
            "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
            # SQLite: a call that waits long for a lock keeps others from theirs; whoever asks, asks again after 503.
            "PREFECT_SERVER_DATABASE_TIMEOUT": "5",
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "PREFECT_WORKER_PREFETCH_SECONDS": "2",
            "PREFECT_RUNNER_POLL_FREQUENCY": "2",
            "PYTHONPATH": str(REPOSITORY),
        }
        return {
            **os.environ,
            **own,
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }

    @property
    def code(self) -> Path:
        """Where flows are: a folder of their own, for the worker copies the whole of it before each run."""
        return self.home / "code"

    def start(self) -> None:
        self.code.mkdir(exist_ok=True)
        for file in ("tests/engines/live/prefect_flows.py", "workbench/hooks/prefect_probe.py"):
            shutil.copy(REPOSITORY / file, self.code)
        place = ["--host", "127.0.0.1", "--port", str(self.port), "--no-ui"]
        server = self.spawn("server", "prefect", "server", "start", *place)
        until(self._answers, lambda: f"the server does not answer: {self.log('server')}", server)
        self.send("POST", "/work_pools/", {"name": "main", "type": "process"})
        for flow in FLOWS:
            self.deploy(flow)
        self.deploy(
            "workbench-probe",
            "staging",
            entrypoint="prefect_probe.py:probe",
            schedules=[],
            tags=["workbench-probe"],
        )
        self.spawn("worker", "prefect", "worker", "start", "--pool", "main", "--type", "process")

    def spawn(self, name: str, *words: str, **other: str) -> subprocess.Popen[bytes]:
        """Start a program of the engine's environment in a process group of its own."""
        with (self.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(self.folder / "bin" / words[0]), *words[1:]],
                stdout=log,
                stderr=log,
                env={**self.environment(), **other},
                cwd=REPOSITORY,
                start_new_session=True,
            )
        self.groups.append(process)
        return process

    def stop(self) -> None:
        """Kill every group, workers first."""
        for process in reversed(self.groups):
            end_group(process)
        # A worker starts each run in a session of its own, which outlives it: they are known by their home.
        own = f"PREFECT_HOME={self.home}".encode()
        for entry in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if own in entry.read_bytes().split(b"\0"):
                    os.kill(int(entry.parent.name), signal.SIGKILL)

    def log(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text(errors="replace")[-30_000:]

    def deploy(self, flow: str, name: str = "", **other: Any) -> str:
        """Deploy a flow of the tests, or deploy it again; returns the deployment's id."""
        flow_id = self.send("POST", "/flows/", {"name": flow})["id"]
        hourly = {"interval": 3600.0, "anchor_date": in_seconds(1800), "timezone": "UTC"}
        body = {
            "name": name or flow,
            "flow_id": flow_id,
            "path": str(self.code),
            "entrypoint": f"prefect_flows.py:{flow}",
            "work_pool_name": "main",
            "enforce_parameter_schema": False,
            "schedules": [{"active": True, "schedule": hourly}],
            # What `serve` and `deploy` send as well, so that deploying again opens what was paused.
            "paused": False,
            "concurrency_limit": None,
            **other,
        }
        return str(self.send("POST", "/deployments/", body)["id"])

    def deployment(self, flow: str, name: str = "") -> Row:
        found: Row = self.send("GET", f"/deployments/name/{flow}/{name or flow}")
        return found

    def make(self, flow: str, *, after_seconds: float | None = None, **parameters: Any) -> str:
        """Make a run by hand; returns its id."""
        body: Row = {"parameters": parameters}
        if after_seconds is not None:
            due = {"scheduled_time": in_seconds(after_seconds)}
            body["state"] = {"type": "SCHEDULED", "state_details": due}
        return self.make_of(self.deployment(flow)["id"], body)

    def make_of(self, deployment_id: str, body: Row | None = None) -> str:
        """Make a run of a deployment; returns its id."""
        path = f"/deployments/{deployment_id}/create_flow_run"
        return str(self.send("POST", path, body or {})["id"])

    def begin(self, flow: str, **parameters: Any) -> str:
        """Make a run by hand and wait until it is in its first step; returns its id."""
        run_id = self.make(flow, **{"seconds": 4.0, **parameters})
        until(
            lambda: bool(self.steps(run_id)),
            lambda: f"{run_id} does not begin: {self.log('worker')}",
        )
        return run_id

    def run(self, run_id: str) -> Row:
        found: Row = self.send("GET", f"/flow_runs/{run_id}")
        return found

    def steps(self, run_id: str) -> list[tuple[str, str]]:
        """Return name and state of each step of a run, in order."""
        wanted = {"task_runs": {"flow_run_id": {"any_": [run_id]}}}
        rows = self.send("POST", "/task_runs/filter", wanted)
        rows.sort(key=lambda row: row["expected_start_time"])
        return [(row["name"].rsplit("-", 1)[0], row["state_name"]) for row in rows]

    def wait_for(self, run_id: str, *names: str) -> Row:
        """Wait until a run is in one of these states."""
        until(
            lambda: self.run(run_id)["state_name"] in names,
            lambda: f"run {run_id} is {self.run(run_id)['state_name']}, not {names}",
        )
        return self.run(run_id)

    def planned(self, flow: str) -> int:
        """Return how many starts are planned ahead."""
        ahead = {"next_scheduled_start_time": {"after_": in_seconds(0)}}
        chosen = {"deployments": {"id": {"any_": [self.deployment(flow)["id"]]}}}
        found: int = self.send("POST", "/flow_runs/count", {"flow_runs": ahead, **chosen})
        return found

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Make one call, again while the server is busy."""
        for _ in range(20):
            answer = httpx.request(
                method, f"{self.url}{path}", json=body, timeout=90, trust_env=False
            )
            if answer.status_code != 503:
                break
            time.sleep(1)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5, trust_env=False).json() is True
        except (httpx.HTTPError, ValueError):
            return False


def plugin_environment(home: Path, gate: Path) -> Row:
    """Return the variables that let Prefect's processes find this checkout's plugin, as if it were installed."""
    entry_points = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"][
        "entry-points"
    ]
    said = [f"{name} = {value}" for name, value in entry_points["prefect.plugins"].items()]
    folder = home / "installed" / "workbench-0.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: workbench\nVersion: 0\n")
    (folder / "entry_points.txt").write_text("\n".join(["[prefect.plugins]", *said]) + "\n")
    return {
        "PREFECT_PLUGINS_ENABLED": "true",
        "PREFECT_PLUGINS_STRICT": "true",
        "PYTHONPATH": f"{folder.parent}{os.pathsep}{REPOSITORY}",
        "WORKBENCH_GATE": str(gate),
    }


def in_seconds(seconds: float) -> str:
    """Return an instant from now on, as text."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def until(
    question: Callable[[], bool],
    why: Callable[[], str],
    process: subprocess.Popen[bytes] | None = None,
) -> None:
    """Ask until it is so; fails at once when the program that it depends on has ended."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not question():
        assert time.monotonic() < end, why()
        assert process is None or process.poll() is None, why()
        time.sleep(0.5)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a program with all that it started."""
    for kind, seconds in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    # The leader may end before its children: whoever is left of the group goes too.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def running(home: Path) -> Iterator[Server]:
    """Give a server that runs, and end all that belongs to it, also where it did not start."""
    server = Server(environment_folder(), home)
    try:
        server.start()
        yield server
    finally:
        server.stop()

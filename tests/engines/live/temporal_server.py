"""A real Temporal server on loopback with workers, each in a process group of its own that is killed at the end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from workbench.engines.temporal_asking import ACCEPT
from workbench.engines.temporal_words import encoded

REPOSITORY = Path(__file__).parents[3]
ENVIRONMENT = "WORKBENCH_TEMPORAL_ENVIRONMENT"
"""Names the folder of the engine's environment; `make test-engines` makes `.venv-temporal`."""

PATIENCE_SECONDS = 60.0


def environment_folder() -> Path:
    """Return the engine's environment, or skip, saying what makes it."""
    folder = Path(os.environ.get(ENVIRONMENT) or REPOSITORY / ".venv-temporal")
    if not (folder / "bin" / "temporal").exists():
        pytest.skip(
            f"no Temporal in {folder}: `make test-engines` installs it, or name it in {ENVIRONMENT}"
        )
    return folder


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Server:
    """One server; `address` is its gRPC address for workers, `url` its HTTP address."""

    folder: Path
    home: Path
    can_pause: bool = True
    grpc_port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    groups: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def start(self) -> None:
        command = [
            *(str(self.folder / "bin" / "temporal"), "server", "start-dev", "--headless"),
            *(
                "--ip",
                "127.0.0.1",
                "--port",
                str(self.grpc_port),
                "--http-port",
                str(self.http_port),
            ),
            *("--db-filename", str(self.home / "temporal.db"), "--log-level", "error"),
        ]
        if self.can_pause:
            command += ["--dynamic-config-value", "frontend.WorkflowPauseEnabled=true"]
        process = self._spawn("server", command)
        until(self._answers, f"the server does not answer: {self._log('server')}", process)

    def work(self, *words: str, name: str = "worker") -> None:
        """Start a worker with the engine's interpreter, and wait until it says that it is ready or polls."""
        command = [str(self.folder / "bin" / "python"), *words]
        process = self._spawn(name, command)
        if name == "worker":
            until(lambda: "ready" in self._log(name), lambda: self._log(name), process)

    def stop(self) -> None:
        """Kill every group, workers first."""
        for process in reversed(self.groups):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        end = time.monotonic() + 10
        for process in reversed(self.groups):
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)

    def begin(self, kind: str, *arguments: Any, **options: Any) -> str:
        """Start a run as a client would; returns its id."""
        workflow_id = options.pop("workflow_id", f"{kind}-{uuid4().hex[:8]}")
        body = {
            "workflowType": {"name": kind},
            "taskQueue": {"name": options.pop("queue", "main")},
            "input": {"payloads": [encoded(one) for one in arguments]},
            "identity": "api-client",
            "requestId": uuid4().hex,
            **options,
        }
        return f"{workflow_id}/{self.send('POST', f'workflows/{workflow_id}', body)['runId']}"

    def add_schedule(self, schedule_id: str, kind: str, **more: Any) -> None:
        action = {
            "workflowId": f"{kind}-scheduled",
            "workflowType": {"name": kind},
            "taskQueue": {"name": more.pop("queue", "main")},
            "input": {"payloads": [encoded(one) for one in more.pop("arguments", ())]},
        }
        every = more.pop("every", "86400s")
        schedule = {
            "spec": {"interval": [{"interval": every}]},
            "action": {"startWorkflow": action},
            "policies": more.pop("policies", {}),
            "state": more,
        }
        body = {"schedule": schedule, "identity": "deployer", "requestId": uuid4().hex}
        self.send("POST", f"schedules/{schedule_id}", body)

    def patch(self, schedule_id: str, patch: dict[str, Any], *, who: str) -> None:
        body = {"patch": patch, "identity": who, "requestId": uuid4().hex}
        self.send("POST", f"schedules/{schedule_id}/patch", body)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        answer = httpx.request(
            method,
            f"{self.url}/api/v1/namespaces/default/{path}",
            json=body,
            headers={"Accept": ACCEPT},
            timeout=20,
            trust_env=False,
        )
        assert answer.status_code == 200, f"{method} {path}: {answer.text}"
        return answer.json()

    def _answers(self) -> bool:
        try:
            self.send("GET", "schedules")
        except (httpx.HTTPError, AssertionError):
            return False
        return True

    def _spawn(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        kept = {one: os.environ[one] for one in ("PATH", "LANG", "TZ") if one in os.environ}
        environment = {**kept, "HOME": str(self.home), "PYTHONPATH": str(REPOSITORY)}
        with (self.home / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                ["nice", "-n", "5", *command],
                env=environment,
                cwd=self.home,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        self.groups.append(process)
        return process

    def _log(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text(errors="replace")[-2000:]


def _end_with_parent() -> None:
    """Let the kernel kill the child when the tests are killed, and run no clean-up (prctl(2), PR_SET_PDEATHSIG)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)


@contextlib.contextmanager
def serving(home: Path, **options: Any) -> Iterator[Server]:
    """Give a server that is up; whatever happens in the block, nothing of it is left."""
    server = Server(environment_folder(), home, **options)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def until(question: Any, why: Any, process: subprocess.Popen[bytes] | None = None) -> None:
    """Ask until it is so."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not question():
        is_over = process is not None and process.poll() is not None
        said = why() if callable(why) else why
        assert time.monotonic() < end, said
        assert not is_over, said
        time.sleep(0.2)

"""A real Airflow on loopback: one start for all live tests, in a process group of its own that is ended whole."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
HOOK = "from workbench.hooks.airflow import task_policy\n"
"""What the hook's user writes into `airflow_local_settings.py`."""

USERS = {"ops": "admin", "olga": "op", "bob": "viewer"}
COMPONENTS = ("api-server", "scheduler", "dag-processor")


def free_port() -> int:
    """Return a port that nobody listens at now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class AirflowServer:
    """Airflow's own processes; `stop` ends the whole group, whatever they have started.

    Attributes:
        database: address of an empty PostgreSQL database; on SQLite the scheduler ends itself on a busy machine.
        gate: gate folder that every task asks through our hook; None leaves the hook out.
    """

    python: Path
    home: Path
    database: str
    dag_folders: tuple[Path, ...] = (HERE / "airflow_dags",)
    gate: Path | None = None
    began_at: str = field(
        default_factory=lambda: datetime.now(UTC).replace(microsecond=0).isoformat()
    )
    port: int = field(default_factory=free_port)
    passwords: dict[str, str] = field(
        default_factory=lambda: {user: secrets.token_hex(8) for user in USERS}
    )
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """Return what the server's processes see: nothing of ours but the way to programs."""
        folder = self.home / "dags"
        settings = {
            "CORE__DAGS_FOLDER": str(folder),
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__PARALLELISM": "4",
            "CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{u}:{r}" for u, r in USERS.items()),
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "DATABASE__SQL_ALCHEMY_CONN": self.database.replace(":", "+psycopg2:", 1),
            "DATABASE__SQL_ALCHEMY_CONN_ASYNC": self.database.replace(":", "+asyncpg:", 1),
            "API__WORKERS": "1",
            "API__SECRET_KEY": secrets.token_hex(16),
            "API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "SCHEDULER__JOB_HEARTBEAT_SEC": "2",
            "SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
            "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
            "DAG_PROCESSOR__PARSING_PROCESSES": "1",
            "LOGGING__LOGGING_LEVEL": "WARNING",
            "CORE__DEFAULT_TIMEZONE": "utc",
            "WORKBENCH__RECHECK_SECONDS": "3",
            "USAGE_DATA_COLLECTION__ENABLED": "False",
        }
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
        own = {f"AIRFLOW__{name}": text for name, text in settings.items()}
        home = {"HOME": str(self.home), "AIRFLOW_HOME": str(self.home)}
        ours = {"PYTHONPATH": str(REPOSITORY), "WORKBENCH_GATE": str(self.gate)}
        asks = ours if self.gate is not None else {}
        return {**kept, **home, **asks, "LIVE_TEST_BEGAN_AT": self.began_at, **own}

    def start(self, *, patience_seconds: float = 180.0) -> None:
        """Lay out the home, make the database, start every component and wait until all are alive."""
        (self.home / "dags").mkdir(parents=True)
        for number, folder in enumerate(self.dag_folders):
            (self.home / "dags" / f"from_{number}").symlink_to(folder, target_is_directory=True)
        if self.gate is not None:
            (self.home / "config").mkdir()
            (self.home / "config" / "airflow_local_settings.py").write_text(HOOK)
        (self.home / "passwords.json").write_text(json.dumps(self.passwords))
        environment = self.environment()
        try:
            self._run(environment, "db", "migrate")
            for component in COMPONENTS:
                self._spawn(environment, component)
            self._wait(patience_seconds)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process of every group that was started here."""
        for sign, patience in ((signal.SIGTERM, 8.0), (signal.SIGKILL, 5.0)):
            for process in self.processes:
                _signal_group(process.pid, sign)
            end = time.monotonic() + patience
            while time.monotonic() < end and any(_is_alive(p) for p in self.processes):
                time.sleep(0.1)
        self.processes.clear()

    def assert_alive(self) -> None:
        """Fail with the end of its log where a component has ended by itself."""
        for component, process in zip(COMPONENTS, self.processes, strict=False):
            if process.poll() is not None:
                log = (self.home / f"{component}.log").read_text(errors="replace")[-1_500:]
                raise AssertionError(f"{component} ended ({process.returncode}): ...{log}")

    def _command(self, *words: str) -> list[str]:
        return ["nice", "-n", "5", str(self.python), "-m", "airflow", *words]

    def _run(self, environment: dict[str, str], *words: str) -> None:
        done = subprocess.run(
            self._command(*words), env=environment, capture_output=True, timeout=180, cwd=self.home
        )
        assert done.returncode == 0, done.stderr.decode()[-2000:]

    def _spawn(self, environment: dict[str, str], component: str) -> None:
        words = (
            ("--port", str(self.port), "--host", "127.0.0.1") if component == "api-server" else ()
        )
        with open(self.home / f"{component}.log", "wb") as log:
            self.processes.append(
                subprocess.Popen(
                    self._command(component, *words),
                    env=environment,
                    cwd=self.home,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )

    def _wait(self, patience_seconds: float) -> None:
        end = time.monotonic() + patience_seconds
        while True:
            self.assert_alive()
            health = self._health()
            alive = [health.get(n, {}).get("status") for n in ("scheduler", "dag_processor")]
            if alive == ["healthy"] * 2:
                return
            assert time.monotonic() < end, f"never came up: {health}; see the logs in {self.home}"
            time.sleep(0.3)

    def _health(self) -> dict[str, dict[str, str]]:
        try:
            with urllib.request.urlopen(f"{self.url}/api/v2/monitor/health", timeout=5) as answer:
                return dict(json.load(answer))
        except (urllib.error.URLError, OSError, ValueError):
            return {}


def _signal_group(group: int, sign: int) -> None:
    try:
        os.killpg(group, sign)
    except ProcessLookupError:
        return


def _is_alive(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether anything of a process's group is left; its leader is reaped on the way."""
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True

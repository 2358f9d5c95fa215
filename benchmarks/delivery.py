"""How long 200 automations take to be confirmed paused in an engine that takes 50 ms for each call."""

from __future__ import annotations

import json
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from benchmarks.cold import run_as
from benchmarks.measure import Figure, Target, of_rounds
from tests.engines.fake_airflow import FakeAirflow, MovingClock
from tests.engines.fake_temporal import FakeTemporal
from tests.engines.prefect_server import PrefectServer
from workbench.clock import SystemClock
from workbench.control import open_control
from workbench.registry import read_registry
from workbench.settings import Settings, child_environment
from workbench.store import init_store

TARGET_COUNT = 200
CALL_SECONDS = 0.05
CALLS_AT_ONCE = 16
ROUNDS = 3
TARGET = Target(5.0)

Answer = Callable[[httpx.Request], httpx.Response]


def measure(root: Path) -> list[Figure]:
    """Pause everything from a shell, by turns with one bare call for each target, on loopback."""
    return [measured(root / kind, kind) for kind in ("airflow", "prefect", "temporal")]


def measured(root: Path, kind: str) -> Figure:
    """Measure one kind of engine: from the typed command to the exit that says that all are confirmed."""
    seconds, bare, calls = [], [], 0
    for number in range(ROUNDS):
        answer, address = an_engine(kind)
        folder = root / str(number)
        with served(answer, address) as (url, asked):
            settings = a_place(folder, kind, url)
            asked.clear()
            seconds.append(paused(settings))
            calls = len(asked)
            bare.append(bare_calls(url))
    return of_rounds(
        f"{TARGET_COUNT} confirmed, {kind}",
        seconds,
        bare,
        bare=f"{TARGET_COUNT} bare calls, {CALLS_AT_ONCE} at once",
        target=TARGET,
        note=f"`workbench pause '*'` in a new interpreter, until it ends with {TARGET_COUNT} of {TARGET_COUNT} read "
        f"back; each HTTP call takes {CALL_SECONDS * 1000:.0f} ms, {calls:,} were made",
    )


def an_engine(kind: str) -> tuple[Answer, str]:
    """Return an engine in memory with its workflows, and the address under which it believes to be."""
    if kind == "airflow":
        airflow = FakeAirflow(MovingClock(SystemClock().now()), needs_token=False)
        airflow.add(*names())
        return airflow.answer, "http://airflow.example:8080"
    if kind == "temporal":
        temporal = FakeTemporal()
        for name in names():
            temporal.add_schedule(f"every-{name}", name)
        return temporal.answer, "http://temporal.example:7243"
    prefect = PrefectServer()
    prefect.schedules_planned = 0
    for name in names():
        prefect.deploy(name)
    return prefect.answer, "http://prefect.example:4200"


def names() -> list[str]:
    """Return the names of the workflows, which are those of the automations."""
    return [f"job-{number}" for number in range(TARGET_COUNT)]


def a_place(folder: Path, kind: str, url: str) -> Settings:
    """Make a store whose automations all run in this engine."""
    settings = Settings(folder / "store", folder / "gate", folder / "home")
    init_store(settings, SystemClock(), environment="staging", actor="benchmark")
    head = '[owners.ops-lead]\nmembers = ["ops-lead"]\n\n[categories.ops]\nowner = "ops-lead"\n'
    rows = [
        f'\n[automations.{name}]\nkind = "workflow"\ncategory = "ops"\nenvironment = "staging"\n'
        f'engine = "sim"\nengine_ref = "{name}"\nasks_gate = false\n'
        for name in names()
    ]
    file = folder / "automations.toml"
    file.write_text(head + "".join(rows), encoding="utf-8")
    open_control(settings, SystemClock()).apply_registry(read_registry(file))
    path = "/api" if kind == "prefect" else ""
    settings.home.mkdir(exist_ok=True)
    (settings.home / "engines.toml").write_text(
        f'[engines.sim]\nkind = "{kind}"\nurl = "{url}{path}"\n', encoding="utf-8"
    )
    return settings


def paused(settings: Settings) -> float:
    """Type a pause of everything; returns its seconds, and raises where not every target was confirmed."""
    command = Path(sysconfig.get_path("scripts")) / "workbench"
    words = [str(command), "pause", "*", "--reason", "benchmark", "--yes", "--json"]
    begun = time.perf_counter()
    found = run_as(words, child_environment(settings))
    took = time.perf_counter() - begun
    told = json.loads(found.stdout)
    confirmed = sum(bool(one["confirmed_at"]) for one in told["targets"])
    if confirmed != TARGET_COUNT:
        raise AssertionError(f"{confirmed} of {TARGET_COUNT} targets were confirmed")
    return took


def bare_calls(url: str) -> float:
    """Ask the server once for each target, so many at once; returns the seconds."""
    with httpx.Client(timeout=30) as client, ThreadPoolExecutor(CALLS_AT_ONCE) as pool:
        begun = time.perf_counter()
        list(pool.map(lambda _: client.get(f"{url}/bare"), range(TARGET_COUNT)))
        return time.perf_counter() - begun


@contextmanager
def served(answer: Answer, address: str) -> Iterator[tuple[str, list[str]]]:
    """Serve an engine in memory on loopback, each call taking its time; yields its URL and what was asked."""
    asked: list[str] = []
    turn = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # One packet for head and body: two wait for the client's delayed acknowledgement, 40 ms that no call takes.
        wbufsize = 65_536
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            time.sleep(CALL_SECONDS)
            if self.path == "/bare":
                self._say(200, {}, b"{}")
                return
            request = httpx.Request(
                self.command, f"{address}{self.path}", headers=dict(self.headers), content=body
            )
            with turn:
                asked.append(f"{self.command} {self.path}")
                found = answer(request)
            self._say(found.status_code, found.headers, found.content)

        do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _answer  # noqa: N815 - names that http.server looks for

        def _say(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", headers.get("content-type", "application/json"))
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing: the benchmark's table is what is read."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

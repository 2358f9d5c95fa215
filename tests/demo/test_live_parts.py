"""The parts of the live demo: what is shown is what is run, no Prefect is said plainly, and nothing is left running."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.demo.played import run_workbench
from workbench.demo.crew import Crew, DemoFailed
from workbench.demo.on_prefect.desk import AUTOMATIONS, OTHERS, PAUSED, Desk
from workbench.demo.on_prefect.place import LOCK, MARK, choose_folder, emptied
from workbench.demo.on_prefect.play import REGISTRY
from workbench.demo.on_prefect.provider import PROVIDER, Provider
from workbench.demo.on_prefect.scenes import SCOPE, export, note_change, show_failures, steps_of
from workbench.demo.on_prefect.server import (
    PrefectPlace,
    PrefectServer,
    environment_folder,
    free_port,
    wait_for,
)
from workbench.demo.place import Place
from workbench.demo.screen import Screen
from workbench.errors import NotFound, Refused, UsageFault
from workbench.records import Hold, Mode, Purpose, Target, TargetState
from workbench.registry import read_registry
from workbench.scope import Scope
from workbench.settings import Settings

BEGAN = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


class Answers(BaseHTTPRequestHandler):
    """Answers as Prefect does, from rows that a test gives; the first answer may be that it is busy."""

    runs: list[dict[str, Any]]
    busy_count: int

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        self._send(200, True)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if type(self).busy_count:
            type(self).busy_count -= 1
            self._send(503, {"exception_message": "Service Unavailable"})
        elif self.path != "/flow_runs/filter":
            self._send(409, {"detail": "no such place"})
        else:
            names = asked["flows"]["name"]["any_"]
            self._send(200, [row for row in self.runs if row["flow"] in names])

    def _send(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def answers() -> Iterator[tuple[type[Answers], PrefectServer]]:
    """Return what answers, to be changed by a test, and a client of it."""
    own = type("Own", (Answers,), {"runs": [], "busy_count": 0})
    with ThreadingHTTPServer(("127.0.0.1", 0), own) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = PrefectServer(f"http://127.0.0.1:{server.server_port}")
        yield own, client
        client.close()
        server.shutdown()


@pytest.fixture
def desk(tmp_path: Path, answers: tuple[type[Answers], PrefectServer]) -> Iterator[Desk]:
    """Return a desk in an empty folder, with a provider and a server that answers."""
    place = choose_folder(Settings.from_environment(), tmp_path / "live")
    with emptied(place), Provider().answering() as provider:
        yield Desk(Screen(), place, Crew(place.folder), answers[1], provider, BEGAN)


def a_run(
    flow: str, state: str, *, began: float | None, ended: float | None = None
) -> dict[str, Any]:
    """Return a run as Prefect tells of it, with seconds from the known instant."""

    def at(seconds: float | None) -> str | None:
        return None if seconds is None else (BEGAN + timedelta(seconds=seconds)).isoformat()

    return {"flow": flow, "state_type": state, "start_time": at(began), "end_time": at(ended)}


def ask(url: str, path: str) -> tuple[int, dict[str, str]]:
    """Send one request to the provider."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
    connection.request("POST", path, body=b"{}")
    answer = connection.getresponse()
    found = json.loads(answer.read())
    connection.close()
    return answer.status, found


def test_without_a_prefect_it_says_so_and_makes_nothing(tmp_path: Path) -> None:
    """One clear sentence with what to do next, exit code 4, and no folder of the demo is left."""
    own = {"WORKBENCH_PREFECT_ENVIRONMENT": str(tmp_path / "none")}
    ended = run_workbench("demo", "--live", "--folder", str(tmp_path / "live"), environment=own)
    assert ended.returncode == 4
    assert f"no Prefect in {tmp_path / 'none'}" in ended.stderr
    assert "make demo-live" in ended.stderr
    assert not (tmp_path / "live").exists()


def test_the_environment_can_be_named(tmp_path: Path) -> None:
    """A named folder with Prefect in it is taken, else the one beside the checkout."""
    for name in ("own", ".venv-prefect"):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "bin" / "prefect").touch()
    assert environment_folder(str(tmp_path / "own"), tmp_path) == tmp_path / "own"
    assert environment_folder("", tmp_path) == tmp_path / ".venv-prefect"
    with pytest.raises(NotFound):
        environment_folder("", tmp_path / "own")


def test_a_server_that_does_not_come_up_is_told_with_its_words(tmp_path: Path) -> None:
    """When Prefect ends at its start the demo fails, says why, and takes away what it started."""
    program = tmp_path / "engine" / "bin" / "prefect"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\nsleep 600 &\necho 'the port is taken' >&2\nexit 3\n")
    program.chmod(0o755)
    own = {"WORKBENCH_PREFECT_ENVIRONMENT": str(tmp_path / "engine")}
    ended = run_workbench("demo", "--live", "--folder", str(tmp_path / "live"), environment=own)
    assert ended.returncode == 1
    assert "prefect-server ended with exit code 3: the port is taken" in ended.stderr
    assert not sleeping_in(tmp_path / "live")


def sleeping_in(folder: Path) -> list[int]:
    """Return the processes that have this home of Prefect in their environment."""
    own = f"PREFECT_HOME={folder}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if own in entry.read_bytes():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whatever_ends_it_ends_what_it_started(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C, a polite kill and a closed terminal: the server's whole group is gone, children included."""
    program = tmp_path / "engine" / "bin" / "prefect"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\ntrap '' INT TERM HUP\nsleep 600 & sleep 600\n")
    program.chmod(0o755)
    live = tmp_path / "live"
    playing = subprocess.Popen(
        [sys.executable, "-m", "workbench", "demo", "--live", "--folder", str(live)],
        env={**os.environ, "WORKBENCH_PREFECT_ENVIRONMENT": str(tmp_path / "engine")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + 60
    while len(sleeping_in(live)) < 3 and time.monotonic() < end:
        time.sleep(0.1)
    assert len(sleeping_in(live)) == 3
    playing.send_signal(number)
    assert playing.wait(60) == 128 + number
    assert not sleeping_in(live)


def test_what_is_shown_is_what_is_run(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """A line is split as a shell splits it, run in the demo's store, and its output shown word for word."""
    desk.type("store init --environment staging")
    desk.type('find "no such thing"', expected=(0, 4))
    shown = capsys.readouterr().out
    assert "$ workbench store init --environment staging" in shown
    assert str(desk.place.settings.store) in "".join(line.strip() for line in shown.splitlines())
    with pytest.raises(DemoFailed, match="exit code 3, not 0"):
        desk.type("store init --environment staging")
    assert "exit code 3" in capsys.readouterr().out


def test_counts_are_of_runs_that_began(answers: tuple[type[Answers], PrefectServer]) -> None:
    """A run that has no start, or an earlier one, is not counted; one that went on is at work, not started."""
    own, server = answers
    own.runs = [
        a_run("order-sync", "COMPLETED", began=-5, ended=-1),
        a_run("order-sync", "COMPLETED", began=-1, ended=2),
        a_run("order-sync", "FAILED", began=1, ended=2),
        a_run("order-sync", "RUNNING", began=3),
        a_run("order-sync", "CANCELLED", began=None, ended=4),
        a_run("ticket-reply", "COMPLETED", began=1, ended=2),
    ]
    assert server.started("order-sync", BEGAN) == 2
    assert server.failed("order-sync", BEGAN) == 1
    assert server.ended_well("order-sync", BEGAN) == 0
    assert server.worked("order-sync", BEGAN) == 4
    assert server.started("ticket-reply", BEGAN) == 1


def test_a_busy_server_is_asked_again_and_a_refusal_is_told(
    answers: tuple[type[Answers], PrefectServer],
) -> None:
    """503 is asked again; any other refusal fails the demo with the server's own words."""
    own, server = answers
    own.busy_count = 2
    assert server.started("order-sync", BEGAN) == 0
    with pytest.raises(DemoFailed, match=r"409 .*no such place"):
        server.make_pool()
    with pytest.raises(DemoFailed, match="does not answer"):
        PrefectServer(f"http://127.0.0.1:{free_port()}").version()


def test_failures_of_the_others_fail_the_demo(
    desk: Desk, answers: tuple[type[Answers], PrefectServer]
) -> None:
    """When an automation of another provider fails too, the story would not be true, and the demo says so."""
    later = (datetime.now(UTC) + timedelta(hours=1) - BEGAN).total_seconds()
    answers[0].runs = [a_run(name, "FAILED", began=later) for name in PAUSED * 3]
    show_failures(desk)
    answers[0].runs.append(a_run(OTHERS[0], "FAILED", began=later))
    with pytest.raises(DemoFailed, match=f"{OTHERS[0]} 1"):
        show_failures(desk)


def test_the_provider_degrades_alone_and_tells_of_it(tmp_path: Path) -> None:
    """Only the provider that was told to answers 503, only meanwhile, and its status page has the times."""
    page = tmp_path / "page.jsonl"
    with Provider().answering() as provider:
        assert ask(provider.url, f"/{PROVIDER}")[0] == 200
        provider.degrade()
        assert ask(provider.url, f"/{PROVIDER}")[0] == 503
        assert ask(provider.url, "/birch-llm")[0] == 200
        provider.mend()
        assert ask(provider.url, f"/{PROVIDER}")[0] == 200
        provider.write_status_page(page)
    lines = [json.loads(line) for line in page.read_text().splitlines()]
    assert [line["status"] for line in lines] == ["operational", "major_outage", "operational"]
    assert [line["until_at"] for line in lines] == [*(line["since_at"] for line in lines[1:]), None]
    assert provider.answered[f"/{PROVIDER}"] == [2, 1]


def test_only_whole_lines_are_exported(desk: Desk) -> None:
    """A line that the worker is just writing is left for the next time."""
    for name in ("records", "audit"):
        (desk.place.folder / f"{name}.jsonl").write_text('{"a": 1}\n{"b"')
    export(desk)
    note_change(desk, "mended")
    for name in ("drafts", "agents-audit"):
        assert (desk.place.folder / f"{name}.jsonl").read_text() == '{"a": 1}\n'
    assert json.loads((desk.place.folder / "changes.jsonl").read_text())["target"] == SCOPE


def test_a_folder_of_somebody_else_is_not_touched(tmp_path: Path) -> None:
    """Only what a live demo made is emptied, and one that is playing there is not disturbed."""
    foreign = choose_folder(Settings.from_environment(), tmp_path / "foreign")
    foreign.settings.home.mkdir()
    (foreign.settings.home / "letter").write_text("dear")
    with pytest.raises(Refused, match="not made by the live demo"), emptied(foreign):
        pass
    assert (foreign.settings.home / "letter").read_text() == "dear"
    own = choose_folder(Settings.from_environment(), tmp_path / "own")
    with emptied(own):
        (own.folder / "left").touch()
        with pytest.raises(Refused, match="Another live demo"), emptied(own):
            pass
        assert (own.folder / "left").exists()
    with emptied(own):
        names = {path.name for path in own.settings.home.iterdir()}
        assert names == {MARK, LOCK, own.folder.name}
        assert not any(own.folder.iterdir())


def test_a_standing_clock_is_refused(tmp_path: Path) -> None:
    """What is measured now cannot be measured by a recorded clock."""
    settings = Settings.from_environment({"WORKBENCH_CLOCK": "2026-11-20T09:30:00Z"})
    with pytest.raises(UsageFault, match="WORKBENCH_CLOCK"):
        choose_folder(settings, tmp_path)


def test_a_recording_and_live_do_not_go_together(tmp_path: Path) -> None:
    """Who names a recording for the live demo is told that it plays none."""
    ended = run_workbench("demo", "--live", "--recording", str(tmp_path), environment={})
    assert (ended.returncode, "nothing that was recorded" in ended.stderr) == (2, True)


def test_waiting_ends_when_time_is_over_or_a_program_ended(tmp_path: Path) -> None:
    """What never happens fails with its own sentence, and a child that ended fails at once."""
    crew = Crew(tmp_path)
    with pytest.raises(DemoFailed, match="nothing came"):
        wait_for(lambda: False, crew, seconds=0, why=lambda: "nothing came")
    crew.start("child", ("-c", "raise SystemExit('no room')"), environment=dict(os.environ)).wait()
    with pytest.raises(DemoFailed, match="child ended with exit code 1: no room"):
        wait_for(lambda: False, crew, seconds=60, why=lambda: "nothing came")


def test_the_engine_finds_this_package_and_nothing_else_of_ours(tmp_path: Path) -> None:
    """Another interpreter imports the gate by the variables that server and worker get."""
    place = PrefectPlace(tmp_path / "engine", tmp_path / "prefect", 4200)
    place.install_package()
    settings = choose_folder(Settings.from_environment(), tmp_path).settings
    found = place.variables(settings)
    words = [sys.executable, "-S", "-c", "import workbench.gate as g; print(g.__file__)"]
    said = subprocess.run(words, env=found, cwd="/", capture_output=True, text=True, check=True)
    assert str(tmp_path / "prefect" / "installed") in said.stdout
    assert os.listdir(found["PYTHONPATH"]) == ["workbench"]
    assert found["WORKBENCH_GATE"] == str(settings.gate)
    assert found["PREFECT_API_URL"] == "http://127.0.0.1:4200/api"


def test_the_registry_has_what_the_story_pauses() -> None:
    """The scope of the story covers exactly two of the four, and every name is deployed."""
    found = read_registry(REGISTRY).automations
    assert sorted(found) == sorted(AUTOMATIONS)
    scope = Scope.parse(SCOPE, found.values())
    assert {name for name, one in found.items() if scope.covers(one)} == set(PAUSED)
    assert all(one.engine == "prefect" and one.asks_gate for one in found.values())


def test_steps_that_were_not_reached_are_said() -> None:
    """How far a target is reads in seconds since the hold was recorded, and *not yet* where it is not."""
    hold = Hold("H-1", SCOPE, Purpose.INCIDENT, Mode.FREEZE, "why", "", "ops-lead", BEGAN, 1)
    target = Target("x", TargetState.DELIVERED, BEGAN, BEGAN + timedelta(seconds=1.25))
    assert steps_of(hold, target) == "delivered +1.2 s, confirmed not yet, quiet not yet"


def test_it_plays_beside_the_store_that_is_named(tmp_path: Path) -> None:
    """Without a folder it plays in `live` of the private folder and never in the store of the variables."""
    env = {"WORKBENCH_HOME": str(tmp_path), "WORKBENCH_STORE": str(tmp_path / "precious")}
    place: Place = choose_folder(Settings.from_environment(env), None)
    assert place.settings.store == tmp_path / "live" / "store"
    assert place.settings.engines_file == tmp_path / "live" / "engines.toml"

"""The parts of the demo: the strangers' database, the worker, the crew, the screen and the replay."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.demo.played import left_running, living_in
from workbench.clock import FixedClock, SystemClock, to_text
from workbench.control import Control
from workbench.control.placing import PauseRequest
from workbench.control.resuming import ResumeRequest
from workbench.demo import worker as worker_module
from workbench.demo.crew import DemoFailed, crew_of
from workbench.demo.evidence import Making, open_recording
from workbench.demo.live import Live, Pause, show_targets
from workbench.demo.place import Place
from workbench.demo.play import REGISTRY
from workbench.demo.screen import Board, Screen
from workbench.demo.worker import STEPS, Worker
from workbench.demo.world import Count, Entry, World, alter_copy, create_world
from workbench.errors import NotFound
from workbench.gate import Gate, Paused
from workbench.recordings import Instant
from workbench.records import Automation
from workbench.registry import read_registry
from workbench.settings import Settings, has_desktop, is_place_named
from workbench.store import init_store
from workbench.store.audit import verify_store

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def an_entry(name: str, second: float, *, run: str = "r-1", is_failure: bool = False) -> Entry:
    """Return a write at so many seconds after the known instant."""
    return Entry(name, run, 1, is_failure, NOW + timedelta(seconds=second))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return an empty database."""
    return create_world(tmp_path / "world.sqlite")


@pytest.fixture
def place(own_folders: Path) -> Place:
    """Return a place with its folder made."""
    found = Place(Settings.from_environment())
    found.folder.mkdir(parents=True)
    return found


@pytest.fixture
def control(place: Place) -> Control:
    """Return a store with the demo's six automations."""
    made = init_store(place.settings, SystemClock(), environment="demo", actor="os:test")
    control = Control(made, SystemClock())
    control.apply_registry(read_registry(REGISTRY))
    return control


def test_writes_are_counted_in_a_half_open_window(world: World) -> None:
    """A write at the beginning of a second counts in it, one at its end in the next."""
    for second, failed in ((0.0, False), (0.5, True), (1.0, False)):
        world.write(an_entry("a", second, is_failure=failed))
    world.write(an_entry("b", 0.2))
    found = world.counts(NOW, NOW + timedelta(seconds=1))
    assert found == {"a": Count(2, 1), "b": Count(1, 0)}


def test_writes_after_an_instant_exclude_it(world: World) -> None:
    """Writes and runs after an instant are counted without the one at the instant itself."""
    world.write(an_entry("a", 0.0))
    world.write(an_entry("a", 1.0, run="r-2"))
    world.write(an_entry("a", 2.0, run="r-2"))
    world.write(an_entry("b", 2.0, run="r-3"))
    assert world.count_since("a", NOW) == (2, 1)


def test_the_last_write_is_found(world: World) -> None:
    """The last write of an automation is told, and None where there is none."""
    assert world.last_write_at("a") is None
    world.write(an_entry("a", 3.0))
    world.write(an_entry("a", 2.0))
    assert world.last_write_at("a") == NOW + timedelta(seconds=3)


def test_two_processes_write_at_once(world: World, tmp_path: Path) -> None:
    """A second connection writes while the first reads; nothing is lost."""
    other = World(tmp_path / "world.sqlite")
    for second in range(5):
        other.write(an_entry("a", second))
        world.write(an_entry("b", second))
    assert world.count_since("a", NOW - timedelta(1)) == (5, 1)
    assert other.count_since("b", NOW - timedelta(1)) == (5, 1)
    other.close()


def a_worker(control: Control, world: World) -> Worker:
    """Return a worker that asks the gate of a store and hardly waits."""
    gate = Gate(control.store.gate_folder)
    return Worker("invoice-triage", gate, world=world, step_seconds=0.0)


def work_until(worker: Worker, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a worker live until it has looked so often whether its parent lives."""
    looks = iter([7] * limit)
    monkeypatch.setattr(worker_module.os, "getppid", lambda: next(looks, 1))
    monkeypatch.setattr(worker_module, "ASK_AGAIN_SECONDS", 0.0)
    worker.work(7, None)


def test_a_worker_writes_run_after_run(
    control: Control, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker does whole runs of three writes until its parent has gone."""
    work_until(a_worker(control, world), 2 * (STEPS + 1), monkeypatch)
    assert world.count_since("invoice-triage", NOW) == (2 * STEPS, 2)


def test_a_worker_under_a_hold_writes_nothing(
    control: Control, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A held automation asks again and again, and the database stays as it is."""
    control.pause(PauseRequest("kind=agent", "test"), wait_seconds=0)
    work_until(a_worker(control, world), 20, monkeypatch)
    assert world.count_since("invoice-triage", NOW) == (0, 0)


def test_a_run_that_was_stopped_goes_on_where_it_stood(control: Control, world: World) -> None:
    """A freeze stops a run at its next step; after the release the same run does the rest, once."""
    worker = a_worker(control, world)
    with worker.gate.run("invoice-triage", "invoice-triage-1"):
        worker.gate.pause_point()
    control.pause(PauseRequest("kind=agent", "test"), wait_seconds=0)
    with pytest.raises(Paused), worker.gate.run("invoice-triage", "invoice-triage-1"):
        pass
    control.resume_full(ResumeRequest("H-1", break_glass_reason="test"))
    worker.step = 2
    with worker.gate.run("invoice-triage", "invoice-triage-1"):
        worker._run(os.getppid(), None)
    assert world.count_since("invoice-triage", NOW) == (STEPS - 1, 1)
    assert (worker.run_number, worker.step) == (2, 1)


def test_a_worker_stops_at_the_limit_of_a_narrow_restart(
    control: Control, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a narrow restart of two runs a worker makes two runs, however often it asks."""
    control.pause(PauseRequest("kind=agent", "test"), wait_seconds=0)
    request = ResumeRequest("H-1", only="automation=invoice-triage", runs=2)
    control.resume_narrow(
        ResumeRequest(**{**vars(request), "break_glass_reason": "the limit is what is tested"})
    )
    work_until(a_worker(control, world), 60, monkeypatch)
    assert world.count_since("invoice-triage", NOW) == (2 * STEPS, 2)


def test_the_staged_fault_fails_writes(control: Control, world: World, tmp_path: Path) -> None:
    """While the fault file is there a write of each run fails, and without it none does."""
    fault, worker = tmp_path / "fault", a_worker(control, world)
    for is_there in (True, False):
        fault.touch() if is_there else fault.unlink()
        with worker.gate.run("invoice-triage", f"run-{is_there}"):
            worker._run(os.getppid(), fault)
    later = datetime.now(UTC) + timedelta(seconds=1)
    assert world.counts(NOW - timedelta(days=9_999), later)["invoice-triage"] == Count(6, 1)


def test_an_altered_row_of_a_copy_is_named(control: Control) -> None:
    """With the guards dropped a row can be altered, and the chain then names exactly that row."""
    control.pause(PauseRequest("kind=agent", "agents fail"), wait_seconds=0)
    placed = next(e for e in control.store.events() if e.action == "hold.place")
    assert (
        alter_copy(control.store.path, placed.seq, before="agents fail", after="all is well") == 1
    )
    result = verify_store(control.store)
    assert result.broken_at == placed.seq
    assert "altered after it was recorded" in result.finding


def test_an_agent_that_is_not_quiet_yet_is_told_so(
    place: Place, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pause returns when all have confirmed; a run that ends a moment later is told, and stops no demo."""
    target = {
        "automation_id": "invoice-triage",
        "delivered_at": "2026-11-20T08:00:00.004000+00:00",
        "confirmed_at": "2026-11-20T08:00:00.020000+00:00",
        "quiet_at": None,
    }
    recorded_at = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    screen = Screen()
    with crew_of(place) as crew:
        live = Live(screen, Board(screen, []), place, crew, world, [])
        show_targets(live, Pause("H-1", recorded_at, recorded_at, [target]))
    said = " ".join(capsys.readouterr().out.split())
    assert "invoice-triage delivered +4 ms confirmed +20 ms quiet not yet" in said


def test_a_child_that_failed_is_named(place: Place) -> None:
    """A worker that dies makes the demo say so instead of counting zeros for it."""
    with crew_of(place) as crew:
        crew.start("order-sync", ["-c", "raise SystemExit(9)"], environment=dict(os.environ))
        deadline = time.monotonic() + 20
        with pytest.raises(DemoFailed, match="order-sync ended with exit code 9"):
            while time.monotonic() < deadline:
                crew.check_alive()
                time.sleep(0.02)


def test_children_and_their_children_are_ended(place: Place) -> None:
    """Leaving the crew ends what it started, also what ignores a polite end and what that started."""
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)', sys.argv[1]])\n"
        "time.sleep(60)\n"
    )
    words = ["-c", code, str(place.folder)]
    with crew_of(place) as crew:
        crew.start("stubborn", words, environment=dict(os.environ))
        deadline = time.monotonic() + 20
        while len(living_in(place.folder)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(living_in(place.folder)) == 2
    assert left_running(place.folder) == []


def test_a_crew_gives_signals_back(place: Place) -> None:
    """After the crew the polite kill does what it did before."""
    before = signal.getsignal(signal.SIGTERM)
    with crew_of(place):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_demo_leaves_nothing_running(tmp_path: Path, number: int, code: int) -> None:
    """Ctrl-C or a polite kill in the middle ends every process, kernels included, and says so."""
    line = [sys.executable, "-m", "workbench", "demo", "--no-open", "--folder", str(tmp_path)]
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        assert child.stdout is not None
        for said in child.stdout:
            if "staged:" in said:
                break
        child.send_signal(number)
        rest = child.stdout.read()
    assert child.returncode == code, rest
    assert left_running(tmp_path) == []


def test_the_board_has_one_line_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    """A line shows time, writes of each automation, failures marked, and what the alert says."""
    automations = [Automation(n, "agent", "c", "demo", "o") for n in ("invoice-triage", "x-y")]
    board = Board(Screen(), automations)
    board.head()
    board.row(NOW, {"invoice-triage": Count(8, 3)}, alert="FIRING 3")
    *_, line = capsys.readouterr().out.splitlines()
    assert line.split() == ["09:30:00", "8", "(3!)", "0", "FIRING", "3"]


def test_the_board_fits_a_narrow_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Six automations fit into eighty columns."""
    automations = list(read_registry(REGISTRY).automations.values())
    board = Board(Screen(), automations)
    board.head()
    board.row(NOW, {a.automation_id: Count(10, 5) for a in automations}, alert="FIRING 10")
    assert max(len(line) for line in capsys.readouterr().out.splitlines()) <= 80


def test_each_recorded_line_says_demo(capsys: pytest.CaptureFixture[str]) -> None:
    """A long sentence from the recording says DEMO and the recorded time on every line of it."""
    Screen().recorded(NOW, "evidence " * 40)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 3
    assert all(line.startswith("   DEMO 2026-11-20 09:30:00 UTC  evidence") for line in lines)


def test_long_output_goes_on_under_its_beginning(capsys: pytest.CaptureFixture[str]) -> None:
    """What a command printed keeps its indentation when it has to be wrapped."""
    Screen().printed("    next: " + "word " * 60)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 1
    assert all(line.startswith("         ") and line[9] != " " for line in lines)


def a_making(folder: Path, *, code: int, out: str = "", err: str = "") -> Making:
    """Return a report whose process is over and said this."""
    (folder / "report-x.out").write_text(out)
    (folder / "report-x.err").write_text(err)
    child = subprocess.Popen([sys.executable, "-c", f"raise SystemExit({code})"])
    child.wait()
    instant = Instant("x", NOW, "H-1", "", (), 1, "")
    return Making(instant, "report-x", child, folder)  # type: ignore[arg-type]


def test_a_report_that_failed_is_told(tmp_path: Path) -> None:
    """When a review does not succeed the demo fails with the review's own last words."""
    making = a_making(
        tmp_path, code=12, err='{"step": "a"}\nworkbench: R-1 is bad\n    next: look\n'
    )
    assert making.new_steps() == ["a"]
    with pytest.raises(DemoFailed, match="exit code 12: R-1 is bad"):
        making.collect()


def test_a_report_without_a_page_is_told(tmp_path: Path) -> None:
    """A review that claims to be complete and left no page does not pass."""
    out = json.dumps({"is_complete": True, "html": str(tmp_path / "none.html")})
    with pytest.raises(DemoFailed, match="not complete"):
        a_making(tmp_path, code=0, out=out).collect()


def test_steps_are_told_once(tmp_path: Path) -> None:
    """Each step that a report tells of is shown one time, also when it is read half-way."""
    making = a_making(tmp_path, code=0, err='{"step": "one"}\n')
    assert making.new_steps() == ["one"]
    (tmp_path / "report-x.err").write_text('{"step": "one"}\nnoise\n{"step": "two"}\n{"ste')
    assert making.new_steps() == ["two"]


def test_an_unknown_recording_is_named(tmp_path: Path) -> None:
    """A folder that is no recording is refused with what there is."""
    with pytest.raises(NotFound, match="no recording"):
        open_recording(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["WORKBENCH_STORE", "WORKBENCH_GATE", "WORKBENCH_HOME"])
def test_one_variable_is_enough_to_name_the_place(name: str) -> None:
    """Whichever of the three variables is set, the demo plays where they point."""
    assert is_place_named({name: "/x"})
    assert not is_place_named({"OTHER": "/x"})


def test_a_desktop_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports are opened only where somebody would see them."""
    monkeypatch.setattr(sys, "platform", "linux")
    assert has_desktop({"DISPLAY": ":0"})
    assert has_desktop({"WAYLAND_DISPLAY": "wayland-0"})
    assert not has_desktop({})
    monkeypatch.setattr(sys, "platform", "darwin")
    assert has_desktop({})


def test_instants_are_text_of_one_width(world: World) -> None:
    """The database keeps instants so that text order is time order, at any fraction of a second."""
    texts = [to_text(NOW + timedelta(microseconds=m)) for m in (0, 1, 500_000, 999_999)]
    assert texts == sorted(texts)
    assert len({len(text) for text in texts}) == 1


def test_the_demo_s_registry_is_whole(clock: FixedClock) -> None:
    """The six automations are of all five kinds, two of them agents, each with somebody who restarts it."""
    found: dict[str, Any] = dict(read_registry(REGISTRY).automations)
    kinds = sorted(a.kind for a in found.values())
    assert kinds == ["agent", "agent", "custom_tool", "playbook", "watcher", "workflow"]
    assert all(a.asks_gate and a.restart_owner and a.owner for a in found.values())

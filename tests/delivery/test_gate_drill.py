"""A drill of the gate alone: real processes that ask, a real hold, and what they noted themselves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.ground import a_store, events, refused, run
from workbench.clock import SystemClock
from workbench.control import drilling as control_drilling
from workbench.delivery import drilling
from workbench.delivery.gate_engine import GateEngine
from workbench.engines.switching import EngineScope, ScopeKind, WorkClass
from workbench.gate import Gate
from workbench.records import Mode, RunStatus

STEP = 0.6
DRILL_STEP = 4.0
"""Of a whole drill: what waits does so for three of them, and the pause has to come before, on a busy machine too."""
DRILL = ("drill", "gate", "--yes", "--no-page", "--watch", "16", "--after", "18")
PROBES = EngineScope(ScopeKind.WORKFLOW, "drill-gate")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store of staging, and probes whose steps are short."""
    a_store()
    right = drilling.Pace.__init__

    def pace(self, *words, **named):  # type: ignore[no-untyped-def]
        right(self, *words, **named)
        object.__setattr__(self, "sample_seconds", 0.2)

    monkeypatch.setattr(drilling.Pace, "__init__", pace)
    monkeypatch.setattr(
        control_drilling,
        "GateEngine",
        lambda folder, *, clock: GateEngine(folder, clock=clock, step_seconds=DRILL_STEP),
    )


def test_what_asks_the_gate_is_drilled_and_on_the_card(quick: None) -> None:
    """Each class does what is declared; the certificate is of `gate`, and the card of what has no engine shows it."""
    found = run(*DRILL)
    assert found.code == 0, found.said
    assert "Drill of gate (gate " in found.out and "freeze: PASSED" in found.out
    rows = {line.split()[0]: line for line in found.out.splitlines() if line.split()}
    assert "finishes_step_then_waits" in rows["running"]
    assert all("waits" in rows[name] for name in ("waiting", "retrying")), found.out
    assert "dropped" in rows["scheduled"] and "lost" in rows["scheduled"]
    assert "dropped" in rows["new_manual"]
    assert "not tried" in rows["queued"]
    assert [e.payload["engine"] for e in events("drill.record")] == ["gate"]
    assert "freeze PASSED" in run("card", "automation=ticket-reply").out
    assert run("audit", "verify").code == 0


def test_a_drain_lets_go_on_what_had_begun_and_says_so(quick: None) -> None:
    """Running work ends under a drain: declared, so no failure, and no new start goes through."""
    found = run(*DRILL, "--mode", "drain")
    assert found.code == 0, found.said
    rows = {line.split()[0]: line for line in found.out.splitlines() if line.split()}
    assert "continues" in rows["running"]
    assert "dropped" in rows["new_manual"]


def test_a_gate_that_lets_through_fails_its_drill(
    quick: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Seeded bug: probes that ask another folder than the store's are not stopped, and the drill says FAILED."""
    elsewhere = tmp_path / "elsewhere"
    real = GateEngine.__init__

    def astray(self, folder, **named):  # type: ignore[no-untyped-def]
        real(self, folder, **named)
        shutil.copytree(folder, elsewhere, dirs_exist_ok=True)
        self._folder = elsewhere

    monkeypatch.setattr(GateEngine, "__init__", astray)
    found = run(*DRILL)
    assert found.code == 16, found.said
    assert "freeze: FAILED" in found.out
    assert "freeze FAILED" in run("card", "automation=ticket-reply").out


def test_another_name_is_still_refused(quick: None) -> None:
    """What is neither in the file nor the gate is named, with what there is."""
    refused(run("drill", "other", "--yes"), 4, "gate (what asks the gate)")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[GateEngine]:
    """Probes over the gate folder of a new store, ended with the test however that ends."""
    a_store()
    probes = GateEngine(Path(os.environ["WORKBENCH_GATE"]), clock=SystemClock(), step_seconds=STEP)
    yield probes
    probes.close()


def wait_for(engine: GateEngine, run_id: str, status: RunStatus) -> None:
    """Wait until a probe has come so far."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        row = engine.runs_by_id([run_id], SystemClock().now())[0]
        if row.status == status:
            return
        time.sleep(0.05)
    raise AssertionError(f"{run_id} is {row.status}")


def test_without_a_hold_every_probe_comes_to_its_end(engine: GateEngine) -> None:
    """Steps are counted once each, nothing is held, and cleaning up leaves no process and no journal."""
    works = [
        engine.start(one) for one in (WorkClass.RUNNING, WorkClass.RETRYING, WorkClass.WAITING)
    ]
    for work in works:
        wait_for(engine, work.run_id, RunStatus.SUCCEEDED)
    assert len(engine.steps([works[0].run_id])) == 3
    assert [
        row.attempt_count for row in engine.runs_by_id([works[1].run_id], SystemClock().now())
    ] == [2]
    assert engine.state([PROBES])[0].running_ids == ()
    journals = engine._journals
    assert list(engine.clean_up()) == []
    assert not journals.exists()
    assert all(one.child.poll() is not None for one in engine._probes)


def test_it_reads_back_from_the_processes(engine: GateEngine) -> None:
    """A pause is not met while the running process has not come to its next step, and is when that says `held`."""
    work = engine.start(WorkClass.RUNNING)
    wait_for(engine, work.run_id, RunStatus.RUNNING)
    plan = engine.plan_pause([PROBES], Mode.FREEZE)
    assert plan.calls == ()
    assert "does not say PAUSED" in next(iter(engine.verify(plan).unmet.values()))
    assert run(
        "pause", "automation=drill-gate", "-r", "x", "--yes", "--unregistered", "--no-wait"
    ).code in (0, 10)
    until = time.monotonic() + 30
    while engine.verify(plan).unmet and time.monotonic() < until:
        time.sleep(0.05)
    assert engine.verify(plan).unmet == {}
    assert engine.state([PROBES])[0].frozen_ids == (work.run_id,)
    assert Gate(engine._folder).check("drill-gate").state.name == "PAUSED"


def test_a_line_that_is_being_written_is_left_for_later(engine: GateEngine) -> None:
    """Half of a note is not read, and nothing is made of it."""
    work = engine.start(WorkClass.RUNNING)
    wait_for(engine, work.run_id, RunStatus.RUNNING)
    probe = engine._probes[0]
    probe.child.kill()
    probe.child.wait()
    count = len(probe.acts())
    with probe.journal.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"act": "ended"})[:8])
    assert len(probe.acts()) == count
    assert engine.runs_by_id([work.run_id], SystemClock().now())[0].status == RunStatus.CRASHED


@pytest.mark.parametrize("work_class", [WorkClass.RUNNING, WorkClass.RETRYING, WorkClass.WAITING])
def test_what_a_pause_finds_begun_has_begun(engine: GateEngine, work_class: WorkClass) -> None:
    """Its process is up when its start returns: a pause right after meets work, not a start that it refuses."""
    engine.start(work_class)
    assert engine._probes[0].acts()[0]["act"] == "started"


def test_a_run_that_noted_its_end_is_over_though_its_process_still_goes(engine: GateEngine) -> None:
    """Seeded delay: between the last note and the end of a process lies time, and no verdict may hang on it."""
    work = engine.start(WorkClass.RUNNING)
    wait_for(engine, work.run_id, RunStatus.RUNNING)
    assert engine.state([PROBES])[0].running_ids == (work.run_id,)
    probe = engine._probes[0]
    os.kill(probe.child.pid, signal.SIGSTOP)
    with probe.journal.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"at": SystemClock().now().isoformat(), "act": "ended"}) + "\n")
    assert engine.state([PROBES])[0].running_ids == ()
    os.kill(probe.child.pid, signal.SIGCONT)


def test_a_watch_that_is_too_short_is_refused(quick: None) -> None:
    """A watch that ends before what waits has asked would call everything held: nothing is started."""
    refused(
        run("drill", "gate", "--yes", "--no-page", "--watch", "1"), 3, "sees nothing", "--watch 16"
    )
    assert events("hold.place") == []


def test_a_drill_that_was_broken_off_spoils_no_later_one(quick: None) -> None:
    """Its hold is released, as a drill's, by the next drill of the same."""
    words = ("pause", "automation=drill-gate", "-r", "x", "--yes", "--unregistered", "--no-wait")
    assert run(*words, "--purpose", "drill").code in (0, 10)
    found = run(*DRILL)
    assert found.code == 0, found.said
    assert run("hold", "list", "--json").document == []


def test_probes_end_with_whoever_started_them(tmp_path: Path) -> None:
    """Seeded death: the process that drills is killed with -9, and no probe goes on asking."""
    a_store()
    script = (
        "import sys, time; from pathlib import Path; from workbench.clock import SystemClock;"
        "from workbench.delivery.gate_engine import GateEngine; from workbench.engines.switching import WorkClass;"
        "e = GateEngine(Path(sys.argv[1]), clock=SystemClock(), step_seconds=60);"
        "e.start(WorkClass.RUNNING); print(e._probes[0].child.pid, flush=True); time.sleep(600)"
    )
    driller = subprocess.Popen(
        [sys.executable, "-c", script, os.environ["WORKBENCH_GATE"]],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert driller.stdout is not None
    probe = int(driller.stdout.readline())
    assert is_alive(probe)
    driller.kill()
    driller.wait()
    driller.stdout.close()
    until = time.monotonic() + 60
    while is_alive(probe) and time.monotonic() < until:
        time.sleep(0.1)
    assert not is_alive(probe)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended and that nobody reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

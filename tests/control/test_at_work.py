"""A hold that stands is not the same as work that stopped: status says what is still unknown, or still runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.store.ground import START, a_control, break_glass, pause
from workbench.clock import SystemClock
from workbench.control import Control
from workbench.control.at_work import at_work_words
from workbench.control.views import AutomationStatus
from workbench.gate import Gate, GateState, Paused
from workbench.presence import Presence

TRIAGE = "automation=invoice-triage"


@pytest.fixture
def control(tmp_path: Path) -> Control:
    """A store of two agents."""
    return a_control(tmp_path, SystemClock())


def row(control: Control) -> AutomationStatus:
    """Return the line of one automation."""
    (found,) = [
        r for r in control.status().automations if r.automation.automation_id == "invoice-triage"
    ]
    return found


def test_a_run_that_has_not_asked_since_is_not_called_paused_alone(
    tmp_path: Path, control: Control
) -> None:
    """Until it asks it is UNCONFIRMED and in flight; when it has asked its run is in flight; after it, paused."""
    gate = Gate(tmp_path / "gate")
    with pytest.raises(Paused), gate.run("invoice-triage", "r1"):
        assert row(control).state_in_words == "running"
        pause(control, TRIAGE)
        said = row(control)
        assert said.state == "paused", "what a machine reads stays one word"
        assert "paused, UNCONFIRMED: has not asked since " in said.state_in_words
        assert said.state_in_words.endswith(", 1 run in flight")
        assert gate.check("invoice-triage").state is GateState.PAUSED
        assert row(control).state_in_words == "paused, 1 run in flight"
        gate.pause_point()
    assert row(control).state_in_words == "paused"


def test_one_hold_that_was_seen_is_enough(tmp_path: Path, control: Control) -> None:
    """Under a second hold, which nobody asked about, a process that saw the first is still stopped."""
    pause(control, TRIAGE)
    gate = Gate(tmp_path / "gate")
    gate.check("invoice-triage")
    pause(control, "kind=agent")
    assert row(control).state_in_words == "paused"
    control.resume_full(break_glass("H-1"))
    assert "UNCONFIRMED" in row(control).state_in_words, "the one that it saw is gone"


def test_what_never_asked_stays_unconfirmed(control: Control) -> None:
    """What no process ever asked about is not proved to have stopped: it may ask another gate folder, or none."""
    pause(control, TRIAGE)
    assert row(control).state_in_words == "paused, UNCONFIRMED: no process asks"


def test_what_was_confirmed_once_stays_so(tmp_path: Path, control: Control) -> None:
    """A process that saw the hold and ended confirmed it for good, its file there or not."""
    pause(control, TRIAGE)
    Gate(tmp_path / "gate").check("invoice-triage")
    assert control.look() == ""
    for path in (tmp_path / "gate/seen").glob("*.json"):
        path.unlink()
    assert row(control).state_in_words == "paused"


def test_a_late_process_is_told_by_its_host() -> None:
    """Where some ask on another host it is said which one has not asked since; one that ended is told with its day."""
    at = START

    def one(seq: int, is_alive: bool = True) -> Presence:
        return Presence("invoice-triage", 1, seq, at, at, (), is_alive)

    said = at_work_words([("", one(1)), ("b", one(9))], {"H-1": 5})
    assert said == "UNCONFIRMED: has not asked since 09:30:00 UTC on this host"
    assert at_work_words([("b", one(1))], {"H-1": 5}).endswith("09:30:00 UTC on host b")
    ended = at_work_words([("", one(1, False))], {"H-1": 5})
    assert ended == "UNCONFIRMED: no process asks, the last did at 2026-11-20 09:30:00 UTC"
    assert at_work_words([("", one(1, False))], {"H-1": 5}, is_confirmed=True) == ""


def test_the_command_and_its_json_say_it(
    tmp_path: Path, control: Control, capsys: pytest.CaptureFixture[str]
) -> None:
    """`workbench status` prints it in the state, and `--json` beside it."""
    from workbench.cli.status import _document

    gate = Gate(tmp_path / "gate")
    gate.check("invoice-triage")
    pause(control, TRIAGE)
    found = control.status()
    document = json.loads(json.dumps(_document(found, list(found.automations)), default=str))
    (said,) = [a for a in document["automations"] if a["automation_id"] == "invoice-triage"]
    assert said["state"] == "paused"
    assert said["at_work"].startswith("UNCONFIRMED: has not asked since ")


def test_a_hold_that_lets_a_run_through_confirms_no_other(tmp_path: Path, control: Control) -> None:
    """A run inside a narrow restart has seen that hold alone: under a second one it is UNCONFIRMED until it asks."""
    pause(control, TRIAGE)
    control.resume_narrow(break_glass("H-1", TRIAGE, 3))
    gate = Gate(tmp_path / "gate")
    with pytest.raises(Paused), gate.run("invoice-triage", "r1"):
        pause(control, "kind=agent")
        assert "UNCONFIRMED: has not asked since " in row(control).state_in_words
        gate.pause_point()
    assert "UNCONFIRMED" not in row(control).state_in_words

"""The whole panel's state: re-read from the store, honest about what it could not read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.panels.stage import (
    AGENTS,
    FaultyControl,
    a_pause,
    a_registry,
    an_automation,
    break_store,
    events_of,
)
from workbench.clock import FixedClock
from workbench.errors import WorkbenchError
from workbench.gate import Gate
from workbench.panels import control_model
from workbench.panels.control_model import ControlModel
from workbench.records import TargetState


def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so; fail after ten seconds."""
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be so"
        time.sleep(0.01)


def test_the_head_comes_from_inside_the_store(model: ControlModel, control: FaultyControl) -> None:
    """Store id, environment, place and seq are what the store says, not what a file beside it says."""
    assert model.head is not None
    assert model.head.environment == "staging"
    assert model.head.store_id == control.head_note().store_id
    assert model.head.place == str(control.store.backend.folder)
    assert model.head.seq == control.head_note().seq


def test_a_pause_made_elsewhere_shows_up(model: ControlModel, control: FaultyControl) -> None:
    """The panel keeps no state of its own: a pause from the command line is there at the next read."""
    a_pause(control)
    model.refresh()
    assert [view.hold.hold_id for view in model.holds] == ["H-1"]
    assert model.watched_id == "H-1"
    assert model.stopped_count == 2
    assert model.not_stopped_count == 1


def test_a_new_panel_shows_what_stood_before(control: FaultyControl) -> None:
    """After a kernel restart a panel built anew reads everything from the store."""
    a_pause(control)
    fresh = ControlModel(control)
    assert [view.hold.hold_id for view in fresh.holds] == ["H-1"]
    assert fresh.pause.armed is None
    assert len(fresh.targets) == 3


def test_after_the_click_the_new_hold_is_watched(
    filled: ControlModel, control: FaultyControl
) -> None:
    """Progress shows the hold that was just placed, though others stand."""
    a_pause(control, "kind=watcher")
    filled.refresh()
    filled.pause.arm()
    filled.pause.confirm()
    assert filled.watched_id == "H-2"
    assert {target.automation_id for target in filled.targets} >= {"invoice-triage", "product-copy"}
    filled.watch("H-1")
    assert [target.automation_id for target in filled.targets] == ["stock-watch"]


def test_a_target_that_has_not_asked_is_unconfirmed_and_on_top(
    filled: ControlModel, control: FaultyControl
) -> None:
    """The four steps are apart: one agent confirms, another has not asked, a third is not stopped."""
    gate = Gate(control.store.gate_folder)
    gate.check("invoice-triage")
    filled.pause.arm()
    filled.pause.confirm()
    gate.check("invoice-triage")
    filled.refresh()
    by_id = {target.automation_id: target for target in filled.targets}
    assert by_id["invoice-triage"].confirmed_at is not None
    assert by_id["ticket-reply"].state is TargetState.UNCONFIRMED
    assert by_id["ticket-reply"].note.startswith("has not asked")
    assert by_id["ticket-reply"].delivered_at is not None
    assert by_id["product-copy"].delivered_at is None
    assert filled.targets[-1].automation_id == "invoice-triage"


def test_what_arrives_after_the_click_is_recorded(
    filled: ControlModel, control: FaultyControl
) -> None:
    """A confirmation seen by the panel is in the log, because a review asks for it later."""
    filled.pause.arm()
    filled.pause.confirm()
    Gate(control.store.gate_folder).check("invoice-triage")
    filled.refresh()
    recorded = [event.payload["targets"] for event in events_of(control, "hold.observe")]
    assert any("confirmed_at" in targets.get("invoice-triage", {}) for targets in recorded)


def test_watching_another_persons_hold_records_nothing(
    model: ControlModel, control: FaultyControl
) -> None:
    """Looking writes nothing: only the panel that placed a hold records what it saw."""
    a_pause(control)
    seq = control.head_note().seq
    Gate(control.store.gate_folder).check("invoice-triage")
    model.refresh()
    model.watch("H-1")
    assert control.head_note().seq == seq


def test_an_overdue_hold_still_pauses(clock: FixedClock, control: FaultyControl) -> None:
    """Time alone opens nothing: past its review a hold is counted as overdue and as pausing."""
    a_pause(control, review_by=clock.now() + timedelta(hours=1))
    control.clock = FixedClock(clock.now() + timedelta(hours=2))
    model = ControlModel(control)
    assert model.overdue_count == 1
    assert model.stopped_count == 2
    assert model.holds[0].state_in_words == "overdue, still paused"


def test_an_automation_registered_into_a_held_scope_shows_as_held(
    model: ControlModel, control: FaultyControl
) -> None:
    """What matches a standing hold is born paused, and the panel counts it."""
    a_pause(control)
    control.apply_registry(
        a_registry(an_automation("new-agent", "agent", "support", provider="acme-llm"))
    )
    model.refresh()
    assert model.stopped_count == 3


def test_when_the_store_is_gone_the_old_state_stays_and_is_called_old(
    model: ControlModel, control: FaultyControl
) -> None:
    """A failed read keeps what is shown, says since when it is old, and recovers by itself."""
    a_pause(control)
    model.refresh()
    read_at = model.read_at
    moved = break_store(control)
    model.refresh()
    assert model.read_problem
    assert model.read_at == read_at
    assert [view.hold.hold_id for view in model.holds] == ["H-1"]
    moved.rename(control.store.backend.folder)
    model.refresh()
    assert model.read_problem == ""


@pytest.mark.parametrize("fault", [WorkbenchError("the store is away"), RuntimeError("surprise")])
def test_a_failed_read_never_ends_the_refreshing(
    model: ControlModel, control: FaultyControl, fault: Exception
) -> None:
    """Neither a known failure nor a surprise stops the thread that re-reads."""
    control.faults["status"] = fault
    model.refresh()
    assert str(fault) in model.read_problem
    model.refresh()
    assert model.read_problem == ""


def test_the_thread_re_reads_until_stopped(
    model: ControlModel, control: FaultyControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started, the panel follows the store by itself; stopped, it no longer does."""
    monkeypatch.setattr(control_model, "REFRESH_SECONDS", 0.01)
    model.start()
    a_pause(control)
    until(lambda: len(model.holds) == 1)
    model.stop()
    until(lambda: "panel-refresh" not in {thread.name for thread in threading.enumerate()})
    a_pause(control, "kind=watcher")
    assert len(model.holds) == 1


def test_a_hung_read_does_not_hold_up_a_pause(
    filled: ControlModel, control: FaultyControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a re-read hangs a pause still goes out, and the screen says that it may be old."""
    monkeypatch.setattr(control_model, "REFRESH_PATIENCE_SECONDS", 0.01)
    filled.pause.arm()
    with filled._read_lock:
        filled.pause.confirm()
    assert len(events_of(control, "hold.place")) == 1
    assert "not answered yet" in filled.read_problem


def test_the_recorded_clock_is_part_of_the_state(control: FaultyControl) -> None:
    """On a recorded clock the panel knows the instant that every screen of it must show."""
    at = datetime(2026, 11, 20, 3, 12, tzinfo=UTC)
    assert ControlModel(control, recorded_at=at).recorded_at == at
    assert ControlModel(control).recorded_at is None


def test_the_scopes_on_offer_follow_the_registry(
    model: ControlModel, control: FaultyControl
) -> None:
    """A kind that was registered a second ago can be paused from the list."""
    control.apply_registry(a_registry(an_automation("refunds", "playbook", "commerce")))
    model.refresh()
    assert "kind=playbook" in {str(proposal.scope) for proposal in model.pause.proposals}
    assert AGENTS not in {str(proposal.scope) for proposal in model.pause.proposals}

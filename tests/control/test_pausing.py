"""A pause: what is said before, what is recorded, and how far it has come at each automation."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.store.ground import (
    AGENTS,
    START,
    SetClock,
    a_control,
    an_automation,
    break_glass,
    pause,
    settings_in,
    start_asking,
    stop_asking,
    wait_until,
)
from workbench.clock import SystemClock
from workbench.control import Control, open_control
from workbench.control.placing import PauseRequest
from workbench.errors import NoMatch, NotFound, Refused, ScopeError, StorageUnavailable, UsageFault
from workbench.gate import Gate, GateState
from workbench.presence import read_presences
from workbench.records import HoldState, Mode, Purpose, Target
from workbench.store.store import Store


def state_of(targets: tuple[Target, ...], automation_id: str) -> str:
    """Return how far one automation has come."""
    return str(next(t.state for t in targets if t.automation_id == automation_id))


def test_a_preview_lists_everything_before_anything_happens(tmp_path: Path) -> None:
    """It names each automation covered, which ask the gate, which do not, and records nothing."""
    control = a_control(
        tmp_path, automations=[an_automation("a"), an_automation("deaf", asks_gate=False)]
    )
    before = control.head_note()
    found = control.preview("kind=agent", Mode.HALT)
    assert [a.automation_id for a in found.automations] == ["a", "deaf"]
    assert [a.automation_id for a in found.not_stopped] == ["deaf"]
    assert (
        found.sentence == "stops automations that ask the gate: 1 of 2; the others are NOT stopped"
    )
    assert "cannot cancel a run" in found.notes[2]
    assert control.head_note() == before


def test_a_preview_says_what_is_held_already(tmp_path: Path) -> None:
    """Automations under another hold are named, and their new hold is one more padlock."""
    control = a_control(tmp_path)
    pause(control, "automation=ticket-reply")
    assert control.preview("kind=agent").already_paused == ("ticket-reply",)
    assert control.preview("*").notes[-1] == "Already under a hold: ticket-reply."


@pytest.mark.parametrize(
    ("scope", "error"),
    [
        ("kind=robot", NoMatch),
        ("provider=acme-lm", NoMatch),
        ("automation=ghost", NoMatch),
        ("kind=workflow,provider=acme-llm", NoMatch),
        ("Kind=agent", ScopeError),
        ("", ScopeError),
    ],
)
def test_a_scope_that_would_stop_nothing_is_an_error(
    tmp_path: Path, scope: str, error: type[Exception]
) -> None:
    """Never "0 targets, ok": preview and pause refuse it, and nothing is recorded."""
    control = a_control(tmp_path)
    before = control.head_note()
    with pytest.raises(error):
        control.preview(scope)
    with pytest.raises(error):
        pause(control, scope)
    assert control.head_note() == before


@pytest.mark.parametrize("reason", ["", "  ", "\n"])
def test_a_pause_needs_a_reason(tmp_path: Path, reason: str) -> None:
    """Without a reason nothing is placed."""
    control = a_control(tmp_path)
    with pytest.raises(UsageFault, match="needs a reason"):
        pause(control, reason=reason)
    assert control.state().holds == {}


def test_a_reason_the_terminal_could_not_decode_stops_no_pause(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 and control characters in the reason are stored as text."""
    control = a_control(tmp_path)
    receipt = pause(control, reason="caf\udce9 \x1b[31m \u202e" + "x" * 10_000)
    assert receipt.hold.reason.startswith("caf? \x1b[31m")
    assert control.state().holds["H-1"].reason == receipt.hold.reason


def test_a_hold_keeps_everything_that_was_asked(tmp_path: Path) -> None:
    """Mode, purpose, incident, review time, covered ids, actor and position are in the log."""
    control = a_control(tmp_path)
    review_by = START + timedelta(hours=1)
    receipt = pause(
        control,
        mode=Mode.DRAIN,
        purpose=Purpose.MAINTENANCE,
        incident_id="I-2",
        review_by=review_by,
    )
    hold = control.state().holds["H-1"]
    assert (hold.mode, hold.purpose, hold.incident_id) == ("drain", "maintenance", "I-2")
    assert (hold.review_by, hold.covered_at_placement, hold.placed_at) == (review_by, AGENTS, START)
    assert hold.placed_by.startswith("os:") and hold.placed_by.endswith("(unverified)")
    event = control.store.events()[hold.placed_seq - 1]
    assert (event.action, event.correlation_id, event.outcome) == ("hold.place", "I-2", "success")
    assert receipt.hold == hold


def test_a_role_must_be_registered(tmp_path: Path) -> None:
    """Acting for a role writes it beside the user; an unknown role is refused."""
    control = a_control(tmp_path)
    as_lead = Control(control.store, control.clock, role="ops-lead")
    assert pause(as_lead).hold.placed_by.startswith("ops-lead (os:")
    with pytest.raises(Refused, match="'boss' is not a registered role; there are: ops-lead"):
        pause(Control(control.store, control.clock, role="boss"))


def test_an_unregistered_automation_is_held_by_its_own_id(tmp_path: Path) -> None:
    """`--unregistered` holds an id nobody registered; without it the error says how."""
    control = a_control(tmp_path)
    with pytest.raises(NoMatch, match="--unregistered"):
        pause(control, "automation=ghost")
    receipt = pause(control, "automation=ghost", is_unregistered=True)
    assert [t.automation_id for t in receipt.targets] == ["ghost"]
    gate = Gate(tmp_path / "gate")
    assert gate.check("ghost").state is GateState.PAUSED
    control.resume_full(break_glass("H-1"))
    assert gate.check("ghost").state is GateState.UNKNOWN


def test_safe_mode_holds_what_nobody_has_registered(tmp_path: Path) -> None:
    """`*` pauses everything: registered, retired and never heard of, today and later."""
    control = a_control(tmp_path)
    assert pause(control, "*").hold.scope == "*"
    gate = Gate(tmp_path / "gate")
    assert {gate.check(name).state for name in (*AGENTS, "order-sync", "ghost")} == {
        GateState.PAUSED
    }


def test_a_deaf_automation_is_told_as_not_stopped(tmp_path: Path) -> None:
    """An automation that does not ask the gate is covered, UNCONFIRMED, and named as NOT stopped."""
    control = a_control(
        tmp_path, automations=[an_automation("a"), an_automation("deaf", asks_gate=False)]
    )
    receipt = pause(control)
    deaf = next(t for t in receipt.targets if t.automation_id == "deaf")
    assert (str(deaf.state), deaf.delivered_at, deaf.confirmed_at) == ("UNCONFIRMED", None, None)
    assert deaf.note == "does not ask the gate and no engine is bound: NOT stopped"
    assert not receipt.is_confirmed


def test_a_file_of_engines_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Named and missing, by a slip of the finger, is not the same as no engines: the preview says that none is told."""
    a_control(tmp_path)
    settings = settings_in(tmp_path)
    assert not any("engine" in note for note in open_control(settings).preview("*").notes)
    named = replace(settings, engines=tmp_path / "engine.toml")
    notes = open_control(named).preview("*").notes
    assert any(f"WORKBENCH_ENGINES names {named.engines}" in note for note in notes)


def test_who_never_asked_stays_unconfirmed(tmp_path: Path) -> None:
    """Delivered is not confirmed: an automation that has not asked says so, and is on top."""
    control = a_control(tmp_path)
    Gate(tmp_path / "gate").check("ticket-reply")
    receipt = pause(control)
    assert [str(t.state) for t in receipt.targets] == ["UNCONFIRMED"] * 3
    assert all(t.recorded_at and t.delivered_at and not t.confirmed_at for t in receipt.targets)
    notes = {t.automation_id: t.note for t in receipt.targets}
    assert notes["invoice-triage"] == "has not asked yet"
    assert notes["ticket-reply"].startswith("has not asked since 20")


def test_a_living_process_confirms_and_falls_quiet(tmp_path: Path) -> None:
    """A real process that asks is confirmed within the wait, stops, and each stage has its time."""
    control = a_control(tmp_path, SystemClock())
    child = start_asking(tmp_path / "gate", "ticket-reply")
    try:
        seen: list[str] = []
        receipt = control.pause(
            PauseRequest("automation=ticket-reply", "why"),
            wait_seconds=10,
            on_progress=lambda targets: seen.append(str(targets[0].state)),
        )
        assert receipt.is_confirmed
        wait_until(lambda: state_of(control.observe("H-1"), "ticket-reply") == "quiet")
        (target,) = control.targets("H-1")
        stages = [target.recorded_at, target.delivered_at, target.confirmed_at, target.quiet_at]
        assert None not in stages
        assert stages == sorted(stages)  # type: ignore[type-var] # none is None, as asserted
        assert seen[-1] in ("confirmed", "quiet")
    finally:
        stop_asking(child)
    assert state_of(control.targets("H-1"), "ticket-reply") == "quiet"
    observed = control.state().observed["H-1", "ticket-reply"]
    assert set(observed) == {"delivered_at", "confirmed_at", "quiet_at"}


def test_a_process_in_the_middle_of_a_step_is_waited_for(tmp_path: Path) -> None:
    """While one of two processes has not asked again the automation is not confirmed."""
    control = a_control(tmp_path, SystemClock())
    quick = start_asking(tmp_path / "gate", "ticket-reply")
    slow = start_asking(tmp_path / "gate", "ticket-reply", step_seconds=0.7)
    try:
        receipt = control.pause(PauseRequest("automation=ticket-reply", "why"), wait_seconds=0.1)
        assert not receipt.is_confirmed
        assert receipt.targets[0].in_flight_count
        wait_until(lambda: control.observe("H-1")[0].confirmed_at is not None)
    finally:
        stop_asking(quick)
        stop_asking(slow)


def test_a_dead_process_is_not_waited_for(tmp_path: Path) -> None:
    """Where nobody runs that could confirm, a pause returns at once and stays UNCONFIRMED."""
    control = a_control(tmp_path, SystemClock())
    stop_asking(start_asking(tmp_path / "gate", "ticket-reply"))
    assert not read_presences(tmp_path / "gate")["ticket-reply"][0].is_alive
    looks: list[Any] = []
    receipt = control.pause(
        PauseRequest("automation=ticket-reply", "why"), wait_seconds=30, on_progress=looks.append
    )
    assert (len(looks), receipt.is_confirmed) == (1, False)
    assert receipt.targets[0].note.startswith("has not asked since")


def test_ctrl_c_while_watching_leaves_a_receipt(tmp_path: Path) -> None:
    """An operator who stops the waiting still hears that the hold is recorded."""
    control = a_control(tmp_path, SystemClock())
    child = start_asking(tmp_path / "gate", "ticket-reply", step_seconds=5)
    calls = []

    def interrupt(targets: tuple[Target, ...]) -> None:
        calls.append(targets)
        if len(calls) == 3:
            raise KeyboardInterrupt

    try:
        receipt = control.pause(
            PauseRequest("automation=ticket-reply", "why"), wait_seconds=20, on_progress=interrupt
        )
    finally:
        stop_asking(child)
    assert (receipt.hold.hold_id, receipt.is_confirmed) == ("H-1", False)
    assert control.state().standing_holds() == [receipt.hold]


def test_a_recorded_pause_is_never_told_as_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When what was seen cannot be noted any more, the receipt is given all the same."""
    control = a_control(tmp_path)
    Gate(tmp_path / "gate").check("ticket-reply")
    right = Store.transact

    def full(store: Store, command: Any, decide: Any, **more: Any) -> Any:
        if command.content["name"] == "observe":
            raise StorageUnavailable("The disk is full. Nothing was recorded.")
        return right(store, command, decide, **more)

    monkeypatch.setattr(Store, "transact", full)
    receipt = pause(control)
    assert receipt.hold.hold_id == "H-1"
    assert control.state().observed == {}


def test_a_pause_is_told_when_the_store_cannot_be_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it is recorded a failing read does not turn it into a spooled one: the receipt goes by the commit."""
    control = a_control(tmp_path)
    right = Store.transact

    def dies(*_: Any) -> Any:
        raise StorageUnavailable("The disk is gone.")

    def last(store: Store, command: Any, decide: Any, **more: Any) -> Any:
        done = right(store, command, decide, **more)
        for name in ("state", "delivered", "head_note"):
            monkeypatch.setattr(Store, name, dies)
        return done

    monkeypatch.setattr(Store, "transact", last)
    receipt = pause(control)
    monkeypatch.undo()
    assert (receipt.hold.hold_id, receipt.publication_fault) == ("H-1", "")
    assert {t.delivered_at is not None for t in receipt.targets} == {True}
    assert receipt.head.seq == control.state().holds["H-1"].placed_seq
    assert control.intake.waiting() == []


def test_the_same_click_twice_is_one_hold(tmp_path: Path) -> None:
    """One command id from two threads at once places one hold, and both hear of it."""
    control = a_control(tmp_path)
    receipts: list[Any] = []
    threads = [
        threading.Thread(target=lambda: receipts.append(pause(control, command_id="click")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {r.hold.hold_id for r in receipts} == {"H-1"}
    assert sorted(r.is_repeat for r in receipts) == [False, True, True, True]
    assert len(control.state().holds) == 1


def test_holds_count_like_padlocks(tmp_path: Path) -> None:
    """Releasing one of two holds opens nothing; releasing both opens everything."""
    control = a_control(tmp_path)
    pause(control)
    pause(control, "automation=ticket-reply")
    gate = Gate(tmp_path / "gate")
    control.resume_full(break_glass("H-1"))
    assert gate.check("ticket-reply").holds == ("H-2",)
    assert gate.check("invoice-triage").state is GateState.CLEAR
    control.resume_full(break_glass("H-2"))
    assert gate.check("ticket-reply").state is GateState.CLEAR


def test_an_overdue_hold_still_pauses(tmp_path: Path) -> None:
    """After its review time a hold reads *overdue, still paused*, is flagged, and pauses."""
    clock = SetClock()
    control = a_control(tmp_path, clock)
    pause(control, review_by=START + timedelta(minutes=5))
    clock.move(3600)
    (view,) = control.holds()
    assert (view.state, view.state_in_words) == (HoldState.LAPSED, "overdue, still paused")
    assert "H-1 is overdue, still paused" in control.status().flags
    assert Gate(tmp_path / "gate").check("ticket-reply").state is GateState.PAUSED
    control.resume_full(break_glass("H-1"))
    assert control.holds(include_released=True)[0].state is HoldState.RELEASED


def test_targets_of_no_hold_are_not_found(tmp_path: Path) -> None:
    """Asking about a hold that is not there says so."""
    control = a_control(tmp_path)
    for ask in (control.targets, control.observe):
        with pytest.raises(NotFound, match="There is no hold H-9"):
            ask("H-9")


def test_a_card_tells_who_stops_and_restarts(tmp_path: Path) -> None:
    """The card has owner, contact, state, runs in flight and last question for each automation."""
    control = a_control(tmp_path, SystemClock())
    gate = Gate(tmp_path / "gate")
    with gate.run("ticket-reply", "r1"):
        pause(control, "automation=ticket-reply")
        card = control.card("kind=agent")
    found = {e.automation.automation_id: e for e in card.entries}
    entry = found["ticket-reply"]
    assert (entry.state, entry.hold_ids, entry.in_flight_count) == ("paused", ("H-1",), 1)
    assert (entry.contact, entry.deputy) == ("pager", "")
    assert entry.last_asked_at is not None
    assert (found["invoice-triage"].state, found["invoice-triage"].last_asked_at) == (
        "running",
        None,
    )
    with pytest.raises(NoMatch):
        control.card("kind=robot")


def test_a_long_log_is_folded_once(tmp_path: Path) -> None:
    """One object that commands a long log folds it once: further commands read only what is new."""
    control = a_control(tmp_path)
    for _ in range(30):
        pause(control)
        control.resume_full(break_glass(f"H-{len(control.state().holds)}"))
    read: list[int] = []
    from workbench.store.sqlite import SqliteSession

    right = SqliteSession.read_events
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SqliteSession, "read_events", lambda *a, **o: _counted(right(*a, **o), read))
        pause(control)
    assert max(read) <= 3


def _counted(events: list[Any], read: list[int]) -> list[Any]:
    read.append(len(events))
    return events

"""Pauses that the store cannot take: held at once, recorded once, and nothing that opens is ever spooled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.store.ground import (
    AGENTS,
    START,
    SetClock,
    a_control,
    a_registry,
    an_automation,
    break_glass,
    pause,
    settings_in,
)
from workbench.control import Control, open_control
from workbench.control.commands import CONFIRM_WAIT_SECONDS
from workbench.control.placing import PauseRequest
from workbench.control.spooling import published_automations
from workbench.errors import (
    NoMatch,
    NothingPaused,
    Spooled,
    StorageUnavailable,
    UsageFault,
)
from workbench.gate import Gate, GateState
from workbench.records import Mode
from workbench.snapshot import SNAPSHOT_FILE
from workbench.spool import Spool, SpoolFault
from workbench.store.audit import verify_store
from workbench.store.store import Store


@pytest.fixture
def control(tmp_path: Path) -> Control:
    """Return the way to command a small store."""
    a_control(tmp_path)
    return open_control(settings_in(tmp_path), SetClock())


@contextmanager
def broken(monkeypatch: pytest.MonkeyPatch, *names: str) -> Iterator[None]:
    """Let the store fail at these calls, as with a full disk or a stopped holder of its lock."""

    def fails(*_: Any, **__: Any) -> Any:
        raise StorageUnavailable("The disk is full. Nothing was recorded.", next_step="make room")

    with monkeypatch.context() as patch:
        for name in names or ("transact",):
            patch.setattr(Store, name, fails)
        yield


def spool_of(control: Control) -> Spool:
    """Return the spool in the store's gate folder."""
    return control.intake.spools()[0]


def states(root: Path, *ids: str) -> list[GateState]:
    """Ask a fresh gate about some automations."""
    gate = Gate(root / "gate")
    return [gate.check(one).state for one in ids]


def test_a_store_is_made_with_its_spool(control: Control) -> None:
    """Making a store makes the spool, and opening an older one that has none makes it, too."""
    assert spool_of(control).path.stat().st_size > 0
    spool_of(control).path.unlink()
    open_control(settings_in(control.store.gate_folder.parent))
    assert spool_of(control).path.exists()


def test_what_cannot_be_recorded_is_held_at_once(
    tmp_path: Path, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says spooled and NOT recorded, names what holds, and a gate that runs sees it next."""
    gate = Gate(tmp_path / "gate")
    assert gate.check("ticket-reply").state is GateState.CLEAR
    with (
        broken(monkeypatch),
        pytest.raises(Spooled, match="NOT recorded: The disk is full") as caught,
    ):
        pause(control)
    assert caught.value.exit_code == 11
    assert all(name in caught.value.message for name in AGENTS)
    assert "make room" in caught.value.then
    assert gate.check("ticket-reply").state is GateState.PAUSED
    assert gate.check("order-sync").state is GateState.CLEAR
    assert control.state().holds == {}


def test_the_next_command_records_it_once(
    tmp_path: Path, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It becomes a hold with its own words, who asked and when, gates never open, and the slot is free."""
    request = PauseRequest(
        "kind=agent", "wrong amounts", mode=Mode.DRAIN, incident_id="I-2", review_by=START
    )
    with broken(monkeypatch), pytest.raises(Spooled):
        control.pause(request, command_id="c-1", wait_seconds=0)
    control.clock.move(30)  # type: ignore[attr-defined] # the clock of this test
    pause(control, "automation=order-sync")
    spooled, other = control.state().holds.values()
    assert (spooled.scope, spooled.mode, spooled.reason) == (
        "kind=agent",
        Mode.DRAIN,
        "wrong amounts",
    )
    assert (spooled.incident_id, spooled.review_by) == ("I-2", START)
    assert "spooled" in spooled.placed_by
    assert other.scope == "automation=order-sync"
    event = next(e for e in control.store.events() if e.action == "hold.place")
    assert event.payload["spooled_at"] == "2026-11-20T09:30:00.000000Z"
    assert (spool_of(control).read().pauses, verify_store(control.store).is_ok) == ((), True)
    assert Gate(tmp_path / "gate").check("ticket-reply").holds == (spooled.hold_id,)
    open_control(settings_in(tmp_path))
    assert len(control.state().holds) == 2


def test_opening_the_store_takes_it_in(
    tmp_path: Path, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any command will do, one that only reads as well."""
    with broken(monkeypatch), pytest.raises(Spooled):
        pause(control)
    assert [h.hold.hold_id for h in open_control(settings_in(tmp_path)).holds()] == ["H-1"]


def test_the_same_command_again_is_the_same_hold(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sends the pause again after it was spooled gets the hold that came of it, once."""
    with broken(monkeypatch):
        for _ in range(2):
            with pytest.raises(Spooled):
                pause(control, command_id="c-1")
    assert len(spool_of(control).read().pauses) == 1
    receipt = pause(control, command_id="c-1")
    assert (receipt.is_repeat, list(control.state().holds)) == (True, ["H-1"])


def test_a_pause_that_was_recorded_after_all_is_not_recorded_twice(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spooled because the answer was lost, though the commit had happened: one hold."""
    pause(control, command_id="c-1")
    with broken(monkeypatch), pytest.raises(Spooled):
        pause(control, command_id="c-1")
    assert list(open_control(settings_in(control.store.gate_folder.parent)).state().holds) == [
        "H-1"
    ]
    assert spool_of(control).read().pauses == ()


def test_an_id_used_for_something_else_loses_no_pause(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the id was used with other content meanwhile, what was spooled is held all the same, once."""
    with broken(monkeypatch), pytest.raises(Spooled):
        pause(control, command_id="c-1")
    with monkeypatch.context() as patch:
        patch.setattr(Control, "take_in_spooled", lambda _: None)
        pause(control, "automation=order-sync", command_id="c-1")
    for _ in range(2):
        control.take_in_spooled()
        assert [h.scope for h in control.state().holds.values()] == [
            "automation=order-sync",
            "kind=agent",
        ]


def test_it_covers_what_it_covered(
    tmp_path: Path, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An automation that is no agent any more when the store takes it in stays held, new agents too."""
    with broken(monkeypatch), pytest.raises(Spooled):
        pause(control)
    with monkeypatch.context() as patch:
        patch.setattr(Control, "take_in_spooled", lambda _: None)
        changed = [
            an_automation("ticket-reply", "workflow", provider="acme-llm"),
            an_automation("invoice-triage", provider="acme-llm"),
            an_automation("new-one", provider="acme-llm"),
        ]
        control.apply_registry(a_registry(changed))
    assert states(tmp_path, "ticket-reply", "new-one") == [GateState.PAUSED, GateState.CLEAR]
    control.take_in_spooled()
    assert states(tmp_path, "ticket-reply", "new-one") == [GateState.PAUSED] * 2


def test_while_it_cannot_be_published_the_spool_goes_on_holding(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slot is freed only when gates have the hold that came of it."""
    with broken(monkeypatch), pytest.raises(Spooled):
        pause(control)
    with monkeypatch.context() as patch:
        patch.setattr(type(control.store.gates), "tell", lambda *_, **__: "the folder is read-only")
        control.take_in_spooled()
    assert list(control.state().holds) == ["H-1"]
    assert len(spool_of(control).read().pauses) == 1
    control.take_in_spooled()
    assert spool_of(control).read().pauses == ()


def test_a_released_hold_of_the_spool_does_not_come_back(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slot that could not be freed holds on; when it can be, nothing is placed anew."""
    with broken(monkeypatch), pytest.raises(Spooled):
        pause(control)

    def stuck(*_: Any) -> None:
        raise SpoolFault("read-only")

    with monkeypatch.context() as patch:
        patch.setattr(Spool, "free", stuck)
        control.take_in_spooled()
        control.resume_full(break_glass("H-1"))
        assert Gate(control.store.gate_folder).check("ticket-reply").state is GateState.PAUSED
    control.take_in_spooled()
    assert Gate(control.store.gate_folder).check("ticket-reply").state is GateState.CLEAR
    assert len(control.state().holds) == 1


@pytest.mark.parametrize(
    "command",
    [
        lambda c: c.resume_full(break_glass("H-1")),
        lambda c: c.resume_narrow(break_glass("H-1", "automation=ticket-reply", 1)),
        lambda c: c.apply_registry(a_registry([an_automation("x")])),
    ],
)
def test_nothing_else_is_spooled(
    control: Control, monkeypatch: pytest.MonkeyPatch, command: Callable[[Control], Any]
) -> None:
    """Whatever opens, or changes what is registered, fails plainly and leaves the spool as it was."""
    pause(control)
    changes = spool_of(control).change_count()
    with broken(monkeypatch), pytest.raises(StorageUnavailable):
        command(control)
    assert spool_of(control).change_count() == changes


def test_a_store_that_cannot_even_be_read_pauses_by_what_was_published(
    tmp_path: Path, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scopes are worked out from the published folder; `*` holds what nobody registered."""
    with broken(monkeypatch, "transact", "state"), pytest.raises(Spooled) as caught:
        pause(control, "provider=acme-llm")
    assert all(name in caught.value.message for name in AGENTS)
    assert states(tmp_path, *AGENTS, "order-sync") == [GateState.PAUSED] * 3 + [GateState.CLEAR]
    with broken(monkeypatch, "transact", "state"), pytest.raises(Spooled, match="everything"):
        pause(control, "*")
    assert states(tmp_path, "order-sync", "ghost") == [GateState.PAUSED] * 2


def test_a_pause_that_would_stop_nothing_is_not_spooled(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a reason or with a scope of nothing it is refused as ever; an unregistered id is held if asked."""
    with broken(monkeypatch):
        with pytest.raises(NoMatch):
            pause(control, "kind=playbook")
        with pytest.raises(UsageFault, match="reason"):
            control.pause(PauseRequest("kind=agent", " "), wait_seconds=CONFIRM_WAIT_SECONDS)
        with pytest.raises(NoMatch):
            pause(control, "automation=ghost")
        with pytest.raises(Spooled):
            pause(control, "automation=ghost", is_unregistered=True)
    assert [p.automation_ids for p in spool_of(control).read().pauses] == [("ghost",)]
    control.take_in_spooled()
    assert control.state().holds["H-1"].scope == "automation=ghost"


def test_where_no_spool_takes_it_nothing_is_said_to_be_paused(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Store and spool both failing is said in capitals, with both reasons, and exit code 15."""

    def full(*_: Any) -> None:
        raise SpoolFault("the spool has no room")

    monkeypatch.setattr(Spool, "write", full)
    with broken(monkeypatch), pytest.raises(NothingPaused, match="NOTHING is paused") as caught:
        pause(control)
    assert caught.value.exit_code == 15
    assert "disk is full" in caught.value.message
    assert "no room" in caught.value.message


def test_a_second_place_takes_it_where_the_first_cannot(
    tmp_path: Path, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With WORKBENCH_SPOOL a pause goes there when the gate folder's spool fails, and gates read it."""
    monkeypatch.setenv("WORKBENCH_SPOOL", str(tmp_path / "second"))
    settings = type(settings_in(tmp_path)).from_environment()
    control = open_control(settings, SetClock())
    first, second = control.intake.spools()
    first.path.write_bytes(b"spoilt")
    with broken(monkeypatch), pytest.raises(Spooled, match="second"):
        pause(control)
    assert len(second.read().pauses) == 1
    first.path.unlink()
    assert states(tmp_path, "ticket-reply") == [GateState.PAUSED]
    assert list(open_control(settings).state().holds) == ["H-1"]
    assert second.read().pauses == ()


def test_what_was_never_published_is_not_spooled(tmp_path: Path, control: Control) -> None:
    """Without a published folder no gate would read a spool, so the store's own error is raised."""
    assert published_automations(tmp_path / "gate")[1]
    (tmp_path / "gate" / SNAPSHOT_FILE).unlink()
    assert published_automations(tmp_path / "gate") == ("", ())

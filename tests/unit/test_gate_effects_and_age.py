"""What a narrow restart limited to reads lets through, and how old a CLEAR may be."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.store.ground import START, SetClock, a_control, break_glass, pause
from tests.unit.published import PROBATION, a_hold, publish
from workbench.gate import Effect, Gate, GateState, Paused, Unknown
from workbench.identity import boot_id, source_of
from workbench.snapshot import SNAPSHOT_FILE
from workbench.store.audit import verify_store
from workbench.tickets import TicketBook


def narrow(folder: Path, **more: Any) -> TicketBook:
    """Publish a hold on `a` with a narrow restart of two runs, and make its book."""
    book = TicketBook(folder, "P-1", 2)
    book.create()
    probation = {**PROBATION, "max_runs": 2, "until": None, **more}
    publish(folder, automations={"a": [a_hold(probation=probation)]})
    return book


def test_a_restart_limited_to_reads_holds_writes(tmp_path: Path) -> None:
    """A reading run comes in and reads; each write in it is PAUSED, and it takes one ticket."""
    book = narrow(tmp_path, effects="read")
    gate = Gate(tmp_path)
    with gate.run("a", "r1", effect="read"):
        assert gate.check("a", "read").state is GateState.CLEAR
        held = gate.check("a", "write")
        assert (held.state, held.holds) == (GateState.PAUSED, ("H-1",))
        assert "lets reads through" in held.reason
        assert gate.pause_point().state is GateState.CLEAR
        with pytest.raises(Paused, match="this is a write"):
            gate.pause_point("write")
    assert [t.run_id for t in book.taken()] == ["r1"]


def test_a_run_that_does_not_say_is_a_writer(tmp_path: Path) -> None:
    """Without a stated effect a run is not let in by a restart that is for reads, and spends no ticket."""
    book = narrow(tmp_path, effects="read")
    with (
        pytest.raises(Paused, match="this is a write"),
        Gate(tmp_path).run("a", "r1", on_unknown="continue"),
    ):
        pytest.fail("it was let through")
    assert book.taken() == []


@pytest.mark.parametrize("effects", [{}, {"effects": "write"}])
@pytest.mark.parametrize("effect", ["read", "write"])
def test_a_restart_without_that_limit_lets_both(
    tmp_path: Path, effects: dict[str, str], effect: Effect
) -> None:
    """Where nothing is said of effects, or "write", reads and writes are let through."""
    narrow(tmp_path, **effects)
    gate = Gate(tmp_path)
    with gate.run("a", "r1", effect=effect):
        assert {gate.check("a", "read").state, gate.check("a").state} == {GateState.CLEAR}


def test_outside_of_a_run_reads_are_held_too(tmp_path: Path) -> None:
    """Only a run with a ticket reads under such a restart."""
    narrow(tmp_path, effects="read")
    assert Gate(tmp_path).check("a", "read").state is GateState.PAUSED


def test_effects_that_are_none_are_not_guessed_at(tmp_path: Path) -> None:
    """A publication with a word that is no effect is UNKNOWN, not everything let through."""
    narrow(tmp_path, effects="delete")
    assert Gate(tmp_path).check("a").state is GateState.UNKNOWN


def test_the_limit_comes_from_the_command(tmp_path: Path) -> None:
    """`resume` with reads only is recorded, published and verified; a later one without it is not limited."""
    control = a_control(tmp_path)
    pause(control)
    only = ("H-1", "automation=ticket-reply", 2)
    assert control.resume_narrow(break_glass(*only, effects="read")).effects == "read"
    gate = Gate(control.store.gate_folder)
    with gate.run("ticket-reply", "r1", effect="read"):
        assert gate.check("ticket-reply", "write").state is GateState.PAUSED
    assert verify_store(control.store).is_ok
    assert control.resume_narrow(break_glass(*only)).effects == "write"
    with gate.run("ticket-reply", "r2"):
        assert gate.check("ticket-reply", "write").state is GateState.CLEAR
    assert verify_store(control.store).is_ok


def aged(folder: Path, seconds: float, **more: Any) -> Gate:
    """Return a gate so long after the publication."""
    return Gate(folder, clock=SetClock(START + timedelta(seconds=seconds)), **more)


def test_a_question_may_set_its_own_age(tmp_path: Path) -> None:
    """The largest age of one question counts for it alone; PAUSED stays whatever the age."""
    publish(tmp_path, automations={"a": [], "b": [a_hold()]})
    gate = aged(tmp_path, 60)
    for _ in range(2):
        assert gate.check("a").state is GateState.CLEAR
        assert gate.check("a", max_age_seconds=61).state is GateState.CLEAR
        old = gate.check("a", max_age_seconds=59)
        assert (old.state, old.age_seconds) == (GateState.UNKNOWN, 60.0)
        assert "59 s are allowed" in old.reason
        assert gate.check("b", max_age_seconds=1).state is GateState.PAUSED
    with pytest.raises(Unknown, match="last known alive"), gate.run("a", "r", max_age_seconds=10):
        pytest.fail("it was let through")
    with gate.run("a", "r"):
        assert gate.pause_point().state is GateState.CLEAR
        with pytest.raises(Unknown, match="last known alive"):
            gate.pause_point(max_age_seconds=10)


def test_a_question_may_allow_more_than_the_gate_does(tmp_path: Path) -> None:
    """What one question allows replaces the gate's own limit, also after the gate has answered UNKNOWN."""
    publish(tmp_path)
    gate = aged(tmp_path, 60, max_age_seconds=30)
    assert gate.check("a").state is GateState.UNKNOWN
    assert gate.check("a", max_age_seconds=90).state is GateState.CLEAR
    assert gate.check("a").state is GateState.UNKNOWN
    assert gate.check("ghost", max_age_seconds=90).state is GateState.UNKNOWN


def test_a_store_whose_file_is_in_its_place_is_alive(tmp_path: Path) -> None:
    """A year after the last publication a local store is as fresh as its file is there; without it, it is not."""
    a_control(tmp_path)
    gate = aged(tmp_path / "gate", 86400 * 400, max_age_seconds=10)
    answer = gate.check("order-sync")
    assert (answer.state, answer.age_seconds) == (GateState.CLEAR, 0.0)
    (tmp_path / "store" / "store.sqlite").rename(tmp_path / "elsewhere")
    gate._restat_at = 0.0
    assert gate.check("order-sync").state is GateState.UNKNOWN
    (tmp_path / "store" / "store.sqlite").write_bytes(b"another file")
    gate._restat_at = 0.0
    assert gate.check("order-sync").state is GateState.UNKNOWN


@pytest.mark.parametrize(
    "change",
    [{"boot_id": "another machine"}, {"inode": 1}, {"device": 1}, {"path": "nowhere\0"}, {}],
)
def test_a_file_of_another_machine_proves_nothing(tmp_path: Path, change: dict[str, Any]) -> None:
    """The same path on another host, or another file under the path, is no sign of life."""
    file = tmp_path / "store.sqlite"
    file.write_bytes(b"x")
    source = {**source_of(file), **change}
    publish(tmp_path, source=source)
    expected = GateState.UNKNOWN if change else GateState.CLEAR
    assert aged(tmp_path, 60, max_age_seconds=10).check("a").state is expected
    assert boot_id()


def test_a_source_that_is_none_is_not_read_over(tmp_path: Path) -> None:
    """A snapshot whose source is misshapen is UNKNOWN."""
    publish(tmp_path, source=["x"])
    assert (tmp_path / SNAPSHOT_FILE).exists()
    assert Gate(tmp_path).check("a").state is GateState.UNKNOWN

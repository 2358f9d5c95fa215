"""The spool: what was kept is read back whole, what is damaged is doubted, and gates see it at once."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.unit.published import a_document, a_hold, publish
from workbench import spool as spooling
from workbench.gate import Gate, GateState, Paused
from workbench.snapshot import EPOCH_FILE, SNAPSHOT_FILE, store_digest
from workbench.spool import (
    SLOT_BYTES,
    SLOT_COUNT,
    Spool,
    Spooled,
    SpooledPause,
    SpoolFault,
    tell_gates,
)

DIGEST = store_digest("st-1")


def a_pause(command_id: str = "c1", ids: tuple[str, ...] = ("a",), **more: Any) -> SpooledPause:
    """Return a pause of some automations."""
    request = {"name": "pause", "scope": "kind=agent", "reason": "wrong amounts", "mode": "freeze"}
    return SpooledPause(
        command_id=command_id,
        request={**request, **more.pop("request", {})},
        automation_ids=ids,
        is_everything=more.pop("is_everything", False),
        actor="os:test (unverified)",
        written_at="2026-11-20T09:30:00.000000Z",
    )


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """Return an empty spool beside a published folder."""
    publish(tmp_path, automations={"a": [], "b": []})
    made = Spool(tmp_path, DIGEST)
    made.make()
    return made


def test_what_is_kept_is_read_back(spool: Spool) -> None:
    """Pauses come back whole and in order; freeing one leaves the others; the file keeps its size."""
    size = spool.path.stat().st_size
    kept = [a_pause(f"c{n}", ("a", f"x{n}")) for n in range(3)]
    for pause in kept:
        spool.write(pause)
    assert spool.read() == Spooled(tuple(kept))
    spool.free("c1")
    assert [p.command_id for p in spool.read().pauses] == ["c0", "c2"]
    spool.write(a_pause("c3"))
    assert {p.command_id for p in spool.read().pauses} == {"c0", "c2", "c3"}
    assert spool.path.stat().st_size == size == SLOT_BYTES * (SLOT_COUNT + 1)


def test_its_blocks_are_there_beforehand(spool: Spool) -> None:
    """The file takes its whole room on the disk when it is made, not when it is needed."""
    assert spool.path.stat().st_blocks * 512 >= SLOT_BYTES * SLOT_COUNT


def test_the_same_pause_again_changes_nothing(spool: Spool) -> None:
    """One command id is one pause; other content under it is refused and what is there stays."""
    spool.write(a_pause())
    changes = spool.change_count()
    spool.write(a_pause())
    assert (spool.change_count(), len(spool.read().pauses)) == (changes, 1)
    with pytest.raises(SpoolFault, match="another pause under this command id"):
        spool.write(a_pause(request={"reason": "other"}))
    assert spool.read().pauses == (a_pause(),)


def test_a_long_pause_takes_several_slots(spool: Spool) -> None:
    """Thousands of automations fit; freeing such a pause gives all of its slots back."""
    many = tuple(f"automation-{n:05d}" for n in range(9000))
    spool.write(a_pause("small"))
    spool.write(a_pause("long", many))
    assert spool.read().pauses[1].automation_ids == many
    spool.free("long")
    spool.write(a_pause("again", many))
    assert [p.command_id for p in spool.read().pauses] == ["small", "again"]


def test_a_full_spool_says_so(spool: Spool) -> None:
    """When every slot is taken the next pause is refused, never half kept; a freed slot is used again."""
    for number in range(SLOT_COUNT):
        spool.write(a_pause(f"c{number}"))
    with pytest.raises(SpoolFault, match="no room"):
        spool.write(a_pause("one too many"))
    assert len(spool.read().pauses) == SLOT_COUNT
    spool.free("c7")
    spool.write(a_pause("now"))
    assert "now" in {p.command_id for p in spool.read().pauses}


def test_what_was_not_committed_is_not_there(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that dies between the content and its mark leaves a free slot and no doubt."""
    real, calls = os.fdatasync, []

    def dies(descriptor: int) -> None:
        calls.append(descriptor)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fdatasync", dies)
    with pytest.raises(KeyboardInterrupt):
        spool.write(a_pause())
    monkeypatch.setattr(os, "fdatasync", real)
    assert spool.read() == Spooled()
    spool.write(a_pause("c2"))
    assert [p.command_id for p in spool.read().pauses] == ["c2"]


def test_a_failed_sync_is_not_tried_again(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """One EIO ends the attempt: the descriptor is closed, and nothing says that the pause was kept."""
    synced: list[int] = []

    def fails(descriptor: int) -> None:
        synced.append(descriptor)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fails)
    with pytest.raises(SpoolFault, match="cannot be written: Input/output error"):
        spool.write(a_pause())
    assert len(synced) == 1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(synced[0])


@pytest.mark.parametrize(
    ("name", "at"),
    [("pwrite", 2), ("pwrite", 3), ("fdatasync", 2)],
    ids=["count", "mark", "its sync"],
)
def test_a_pause_that_is_refused_half_way_holds_nothing(
    spool: Spool, name: str, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is told that no spool took it is told the truth: no gate reads the slot, which is free again."""
    right, calls = getattr(os, name), []

    def fails_once(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == at:
            raise OSError(5, "Input/output error")
        return right(*given)

    with monkeypatch.context() as patch:
        patch.setattr(os, name, fails_once)
        with pytest.raises(SpoolFault, match="cannot be written: Input/output error"):
            spool.write(a_pause())
    assert spool.read() == Spooled()
    spool.write(a_pause())
    assert [p.command_id for p in spool.read().pauses] == ["c1"]


def test_a_mark_is_never_put_without_a_change_being_counted(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks at the count alone, as the store does, sees every pause that gates hold."""
    monkeypatch.setattr(spooling, "_count_change", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        spool.write(a_pause())
    assert spool.read() == Spooled()


@pytest.mark.parametrize("place", [70, 100, 200])
def test_each_damaged_byte_is_doubted(spool: Spool, place: int) -> None:
    """A kept pause that does not verify is not forgotten: gates doubt, and no other pause goes there."""
    spool.write(a_pause())
    with open(spool.path, "r+b") as file:
        file.seek(SLOT_BYTES + place)
        byte = file.read(1)
        file.seek(SLOT_BYTES + place)
        file.write(bytes([byte[0] ^ 1]))
    found = spool.read()
    assert found.pauses == ()
    assert "damaged slot" in found.doubt
    spool.write(a_pause("c2"))
    assert [p.command_id for p in spool.read().pauses] == ["c2"]
    tell_gates(spool.folder)
    gate = Gate(spool.folder)
    assert gate.check("a").state is GateState.PAUSED
    assert gate.check("b").state is GateState.UNKNOWN
    assert "damaged slot" in gate.check("b").reason


@pytest.mark.parametrize("content", [b"", b"WBSPOOL1", b"x" * SLOT_BYTES * (SLOT_COUNT + 1)])
def test_what_is_no_spool_is_doubted(spool: Spool, content: bytes) -> None:
    """A truncated or foreign file in its place opens nothing."""
    spool.path.write_bytes(content)
    assert spool.read().doubt
    with pytest.raises(SpoolFault, match="not a whole spool"):
        spool.write(a_pause())
    assert Gate(spool.folder).check("a").state is GateState.UNKNOWN


def test_the_spool_of_another_store_is_refused(spool: Spool) -> None:
    """A file of another store under this store's name is neither read nor written."""
    other = Spool(spool.folder, store_digest("st-2"))
    other.make()
    os.replace(other.path, spool.path)
    assert "another store" in spool.read().doubt
    with pytest.raises(SpoolFault, match="another store"):
        spool.write(a_pause())


def test_nothing_but_a_pause_is_read(spool: Spool) -> None:
    """A slot whose content is whole but asks for something else is damage, not a command."""
    spool.write(a_pause(request={"name": "resume"}))
    assert spool.read().pauses == ()
    assert spool.read().doubt


def test_makers_and_writers_at_once(tmp_path: Path) -> None:
    """Threads that make the file and write at once keep every pause once."""
    publish(tmp_path)
    spool = Spool(tmp_path, DIGEST)

    def keep(number: int) -> None:
        spool.make()
        spool.write(a_pause(f"c{number}"))

    threads = [threading.Thread(target=keep, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(p.command_id for p in spool.read().pauses) == sorted(f"c{n}" for n in range(12))
    assert [p.name for p in tmp_path.glob(".spool*")] == []


def test_a_locked_spool_is_waited_for_and_named(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that stands still is waited for a bounded time."""
    monkeypatch.setattr(spooling, "LOCK_WAIT_SECONDS", 0.05)
    with spool._locked(), pytest.raises(SpoolFault, match="locked by another"):
        spool.write(a_pause())


def test_a_gate_sees_a_spooled_pause_at_its_next_question(spool: Spool) -> None:
    """The very next check after the pause was kept is PAUSED, names the spool, and others stay CLEAR."""
    gate = Gate(spool.folder)
    for turn in range(5):
        assert gate.check("a").state is GateState.CLEAR
        spool.write(a_pause(f"c{turn}"))
        tell_gates(spool.folder)
        answer = gate.check("a")
        assert (answer.state, answer.holds) == (GateState.PAUSED, (f"spool c{turn}",))
        assert "spool" in answer.reason
        assert gate.check("b").state is GateState.CLEAR
        spool.free(f"c{turn}")
        tell_gates(spool.folder)


def test_everything_covers_the_unregistered(spool: Spool) -> None:
    """A spooled `*` holds what nobody registered, too."""
    spool.write(a_pause(is_everything=True))
    tell_gates(spool.folder)
    assert Gate(spool.folder).check("ghost").state is GateState.PAUSED


def test_without_being_told_a_gate_looks_within_a_second(spool: Spool) -> None:
    """A spool that changed while the gate folder could not be written is seen when the second is over."""
    gate = Gate(spool.folder)
    gate.check("a")
    spool.write(a_pause())
    gate._restat_at = 0.0
    assert gate.check("a").state is GateState.PAUSED


def test_a_second_place_is_read_as_well(
    tmp_path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder that WORKBENCH_SPOOL names holds like the first; one pause in both is one hold."""
    second = Spool(tmp_path / "second", DIGEST)
    second.make()
    monkeypatch.setenv("WORKBENCH_SPOOL", str(second.folder))
    gate = Gate(spool.folder)
    assert gate.check("a").state is GateState.CLEAR
    second.write(a_pause())
    spool.write(a_pause())
    gate._restat_at = 0.0
    assert gate.check("a").holds == ("spool c1",)


@pytest.mark.parametrize("name", [EPOCH_FILE, SNAPSHOT_FILE])
def test_a_spooled_pause_holds_whatever_else_is_wrong(spool: Spool, name: str) -> None:
    """Where the published state cannot be told a spooled pause is PAUSED, not only UNKNOWN."""
    gate = Gate(spool.folder)
    gate.check("a")
    spool.write(a_pause())
    tell_gates(spool.folder)
    (spool.folder / name).unlink()
    gate._restat_at = 0.0
    gate._view = None
    assert gate.check("a").state is GateState.PAUSED
    assert gate.check("b").state is GateState.UNKNOWN


def test_in_the_middle_of_a_publication_it_holds_for_a_process_that_just_began(
    spool: Spool,
) -> None:
    """A writer that stopped with the epoch odd does not hide what was spooled meanwhile."""
    publish(spool.folder, automations={"a": [], "b": []}).begin(2)
    spool.write(a_pause())
    gate = Gate(spool.folder)
    with pytest.raises(Paused, match="spool c1"), gate.run("a", "r1", on_unknown="continue"):
        pytest.fail("it was let through")


def test_modes_are_those_of_holds(spool: Spool) -> None:
    """A spooled drain lets a run in flight finish, a freeze stops it at its next step."""
    gate = Gate(spool.folder)
    with gate.run("a", "r1"):
        spool.write(a_pause("c1", request={"mode": "drain"}))
        tell_gates(spool.folder)
        assert gate.pause_point().state is GateState.CLEAR
        spool.write(a_pause("c2"))
        tell_gates(spool.folder)
        with pytest.raises(Paused):
            gate.pause_point()


def test_a_hold_and_a_spooled_pause_add_up(spool: Spool) -> None:
    """Freeing the spool opens nothing that a hold holds, and the other way round."""
    publisher = publish(spool.folder, 2, automations={"a": [a_hold()], "b": []})
    spool.write(a_pause())
    tell_gates(spool.folder)
    gate = Gate(spool.folder)
    assert gate.check("a").holds == ("H-1", "spool c1")
    publisher.begin(3)
    publisher.complete(a_document(3, automations={"a": [], "b": []}))
    assert gate.check("a").holds == ("spool c1",)
    spool.free("c1")
    tell_gates(spool.folder)
    assert gate.check("a").state is GateState.CLEAR

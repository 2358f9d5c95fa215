"""What a store promises wherever its rows are: each test runs on a SQLite file and on a PostgreSQL server."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import psycopg
import pytest

from tests.store.ground import (
    START,
    SetClock,
    a_control,
    a_store,
    break_glass,
    delivered,
    pause,
    settings_in,
)
from workbench.clock import FixedClock
from workbench.control import Control
from workbench.errors import (
    AuditBroken,
    Conflict,
    Refused,
    Spooled,
    StorageUnavailable,
    StoreMissing,
    WorkbenchError,
)
from workbench.gate import Gate, GateState
from workbench.snapshot import EPOCH_FILE, SNAPSHOT_FILE, Publisher
from workbench.store import (
    Store,
    init_store,
    open_store,
    postgres,
    restore_store,
    sqlite,
)
from workbench.store.audit import verify_store
from workbench.store.log import Draft
from workbench.store.store import Change, Command

CLOCK = FixedClock(START)


def driver_of(store: Store) -> tuple[Any, type[Exception]]:
    """Return the module that runs the statements of a store, and an error of its driver."""
    if isinstance(store.backend, sqlite.SqliteBackend):
        return sqlite, apsw.FullError
    return postgres, psycopg.OperationalError


def a_change(_: Any = None) -> Change:
    """Decide an event without meaning, for commands that are only counted."""
    return Change([Draft(START, "os:test", "note.make", "N-1")])


def test_a_new_store_holds_its_own_making(place: Path) -> None:
    """`init` records who made it for which environment, publishes it, and it verifies."""
    store = a_store(place, environment="production")
    (event,) = store.events()
    assert (event.action, event.actor, event.seq) == ("store.init", "os:test", 1)
    assert (store.head_note().environment, store.meta()["environment"]) == ("production",) * 2
    assert verify_store(store).is_ok
    assert Publisher(place / "gate", event.store_id).published_seq() == 1
    assert Gate(place / "gate").check("anything").state is GateState.UNKNOWN


def make_a_store(root: Path) -> str:
    """Try to make a store; return its id or what refused it."""
    try:
        return a_store(root).head_note().store_id
    except WorkbenchError as exc:
        return type(exc).__name__


def test_of_racing_makers_one_wins(place: Path) -> None:
    """Four processes that make the store at once make one; gate and store are of the same one."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = pool.map(make_a_store, [place] * 4, chunksize=1)
    made = [name for name in found if name.startswith("st-")]
    assert sorted(found) == ["Refused"] * 3 + made
    store = open_store(settings_in(place), CLOCK)
    assert [store.head_note().store_id] == made
    assert Publisher(place / "gate", made[0]).published_seq() == 1


def test_a_gate_folder_of_another_store_is_refused_at_the_making(
    place: Path, other_place: Path
) -> None:
    """Two stores never share a gate folder: the second is not made, and the first stays published."""
    first = a_store(place)
    settings = settings_in(place)
    other = replace(settings_in(other_place), gate=settings.gate)
    with pytest.raises(Refused, match="published by another store"):
        init_store(other, CLOCK, environment="staging", actor="os:test")
    with pytest.raises(StoreMissing):
        open_store(other, CLOCK)
    assert Publisher(settings.gate, first.head_note().store_id).published_seq() == 1


def test_one_command_id_is_one_event(place: Path) -> None:
    """However often a command is delivered, and by whichever object, it is one event (I5)."""
    store = a_store(place)
    command = Command("c1", {"name": "note"})
    first = store.transact(command, a_change)
    for _ in range(3):
        again = open_store(settings_in(place), CLOCK).transact(command, a_change)
        assert again.is_repeat
        assert [e.hash for e in again.events] == [e.hash for e in first.events]
    assert len(store.events()) == 2


def test_other_content_under_the_same_id_is_a_conflict(place: Path) -> None:
    """Both digests are shown and nothing is added."""
    store = a_store(place)
    store.transact(Command("c1", {"name": "note"}), a_change)
    with pytest.raises(Conflict, match=r"used at event 2 .*digest [0-9a-f]{12}, now [0-9a-f]{12}"):
        store.transact(Command("c1", {"name": "other"}), a_change)
    assert len(store.events()) == 2


def test_a_refusal_leaves_no_trace(place: Path) -> None:
    """A command that is refused adds no event, no cache row, and leaves gates their answer."""
    control = a_control(place)
    before = control.head_note(), control.store.outbox(), control.store.projection()
    with pytest.raises(WorkbenchError):
        control.resume_full(break_glass("H-9"))
    assert (control.head_note(), control.store.outbox(), control.store.projection()) == before
    assert Gate(place / "gate").check("order-sync").state is GateState.CLEAR


@pytest.mark.parametrize("where", ["before_commit", "commit", "insert_outbox", "upsert_projection"])
@pytest.mark.parametrize("is_ctrl_c", [True, False])
def test_an_interruption_before_the_commit_leaves_nothing(
    place: Path, monkeypatch: pytest.MonkeyPatch, where: str, is_ctrl_c: bool
) -> None:
    """Ctrl-C anywhere before the commit leaves nothing; after a full disk only the spool has the pause, once."""
    control = a_control(place)
    driver, error = driver_of(control.store)
    right, fault = driver.run, KeyboardInterrupt if is_ctrl_c else error

    def dying(conn: Any, name: str, **values: Any) -> Any:
        if name == where or (where == "before_commit" and name in ("upsert_head", "set_head")):
            raise fault("stopped")
        return right(conn, name, **values)

    before = control.head_note().seq
    with monkeypatch.context() as patch:
        patch.setattr(driver, "run", dying)
        with pytest.raises(KeyboardInterrupt if is_ctrl_c else Spooled):
            pause(control)
    assert control.head_note().seq == before
    assert verify_store(control.store).is_ok
    found = GateState.CLEAR if is_ctrl_c else GateState.PAUSED
    assert Gate(place / "gate").check("ticket-reply").state is found
    assert pause(control).hold.hold_id == ("H-1" if is_ctrl_c else "H-2")
    assert len(control.state().holds) == (1 if is_ctrl_c else 2)
    assert Gate(place / "gate").check("ticket-reply").state is GateState.PAUSED


def test_after_the_commit_nothing_is_said_to_have_failed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note that fails after the commit does not make a recorded pause look unrecorded."""
    control = a_control(place)
    driver, error = driver_of(control.store)
    right = driver.run

    def dying(conn: Any, name: str, **values: Any) -> Any:
        if name == "mark_outbox_delivered":
            raise error("disk full")
        return right(conn, name, **values)

    with monkeypatch.context() as patch:
        patch.setattr(driver, "run", dying)
        receipt = pause(control)
    assert (receipt.hold.hold_id, receipt.publication_fault) == ("H-1", "")
    assert delivered(control.store) == set()
    pause(control, "automation=order-sync")
    assert delivered(control.store) == {"H-1", "H-2"}


def test_the_outbox_says_what_each_command_asks(place: Path) -> None:
    """A pause asks for paused, a narrow restart for probation, a release for running where nothing else holds."""
    control = a_control(place)
    pause(control)
    pause(control, "automation=ticket-reply")
    control.resume_narrow(break_glass("H-1", "automation=product-copy", 2))
    control.resume_full(break_glass("H-1"))
    found = [(row[1], row[2], row[3]) for row in control.store.outbox()]
    agents = ("invoice-triage", "product-copy", "ticket-reply")
    assert found == [
        *[(name, "H-1", "paused") for name in agents],
        ("ticket-reply", "H-2", "paused"),
        ("product-copy", "H-1", "probation"),
        ("invoice-triage", "H-1", "running"),
        ("product-copy", "H-1", "running"),
    ]
    assert all(row[4] for row in control.store.outbox())


def test_an_unfinished_publication_is_repaired_by_any_command(place: Path) -> None:
    """A writer that died between commit and publication: gates say UNKNOWN until anybody opens the store."""
    control = a_control(place)
    pause(control)
    publisher = Publisher(place / "gate", control.head_note().store_id)
    publisher.begin(control.head_note().seq)
    gate = Gate(place / "gate")
    assert gate.check("order-sync").state is GateState.UNKNOWN
    open_store(settings_in(place), CLOCK)
    assert gate.check("order-sync").state is GateState.CLEAR
    assert gate.check("ticket-reply").state is GateState.PAUSED


def test_a_repaired_publication_counts_as_delivered(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a later command publishes for a dead writer is noted as delivered."""
    control = a_control(place)
    with monkeypatch.context() as patch:
        patch.setattr(
            Publisher, "complete", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "full"))
        )
        assert "full" in pause(control).publication_fault
    assert delivered(control.store) == set()
    open_store(settings_in(place), CLOCK)
    assert delivered(control.store) == {"H-1"}


def test_a_full_gate_folder_does_not_stop_a_pause(place: Path) -> None:
    """On a full disk for the gate the pause is recorded, not delivered, and gates say UNKNOWN or PAUSED."""
    gate = place / "gate"
    gate.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", gate], check=False
    ).returncode:
        pytest.skip("this account may not mount a small file system")
    try:
        control = a_control(place)
        asking = Gate(gate)
        assert asking.check("ticket-reply").state is GateState.CLEAR
        ballast = os.open(gate / "ballast", os.O_WRONLY | os.O_CREAT)
        with pytest.raises(OSError, match="No space"):
            while True:
                os.write(ballast, b"x" * 512)
        os.close(ballast)
        receipt = pause(control)
        assert "No space left" in receipt.publication_fault
        assert not receipt.is_confirmed
        assert {str(t.state) for t in receipt.targets} == {"recorded"}
        assert asking.check("ticket-reply").state is GateState.UNKNOWN
        (gate / "ballast").unlink()
        assert open_store(settings_in(place), CLOCK).repair_publication() == ""
        assert asking.check("ticket-reply").state is GateState.PAUSED
    finally:
        subprocess.run(["umount", "-l", gate], check=True)


def test_a_read_only_gate_folder_does_not_stop_a_pause(place: Path) -> None:
    """Where the gate folder cannot be written at all the pause is recorded and says so."""
    control = a_control(place)
    gate = place / "gate"
    if subprocess.run(["mount", "--bind", gate, gate], check=False).returncode:
        pytest.skip("this account may not mount")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", gate], check=True)
        receipt = pause(control)
        assert "Read-only file system" in receipt.publication_fault
        assert control.state().holds["H-1"].released_seq is None
        assert control.status().publication_fault
        with pytest.raises(StorageUnavailable, match="nothing was restarted"):
            control.resume_narrow(break_glass("H-1", "*", 1))
        assert control.state().probations == {}
    finally:
        subprocess.run(["umount", "-l", gate], check=True)
    assert open_store(settings_in(place), CLOCK).repair_publication() == ""
    assert Gate(gate).check("ticket-reply").state is GateState.PAUSED


@pytest.mark.parametrize("name", [EPOCH_FILE, SNAPSHOT_FILE])
def test_garbage_in_the_gate_folder_does_not_stop_a_pause(place: Path, name: str) -> None:
    """Whatever lies in the published files, the hold is recorded; a spoilt snapshot is simply replaced."""
    control = a_control(place)
    (place / "gate" / name).write_bytes(b"garbage")
    receipt = pause(control)
    assert control.state().holds["H-1"].released_seq is None
    if name == EPOCH_FILE:
        assert "is not an epoch file" in receipt.publication_fault
    else:
        assert receipt.publication_fault == ""
        assert Gate(place / "gate").check("ticket-reply").state is GateState.PAUSED


def write_many(root: Path, name: str, count: int) -> int:
    """Give many commands from one process."""
    store = open_store(settings_in(root), CLOCK)
    return sum(
        len(store.transact(Command(f"{name}-{n}", {"n": n}), a_change).events) for n in range(count)
    )


def test_writers_in_processes_and_threads_lose_nothing(place: Path) -> None:
    """Two processes and four threads write at once: every acknowledged command is in one whole chain."""
    store = a_store(place)
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: counts.append(write_many(place, f"t{n}", 8)))
        for n in range(4)
    ]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for thread in threads:
            thread.start()
        counts += pool.starmap(write_many, [(place, f"p{n}", 8) for n in range(2)])
        for thread in threads:
            thread.join()
    assert sum(counts) == 48
    assert verify_store(store).event_count == 49
    assert verify_store(store).is_ok


def test_what_one_object_knows_follows_what_others_write(place: Path) -> None:
    """An object that has folded the log before takes in what another process added since."""
    control = a_control(place)
    other = Control(open_store(settings_in(place), CLOCK), CLOCK)
    before = control.state()
    pause(other)
    assert list(control.state().holds) == ["H-1"]
    assert before.holds == {}
    fresh = open_store(settings_in(place), CLOCK).state()
    assert control.state().holds == fresh.holds
    assert control.state().covered == fresh.covered


def exported(store: Store) -> list[dict[str, Any]]:
    """Return the log as a recording holds it."""
    return [
        {"seq": e.seq, "prev_hash": e.prev_hash, "hash": e.hash, "body": e.body}
        for e in store.events()
    ]


def test_a_store_is_rebuilt_from_its_log_alone(place: Path, other_place: Path) -> None:
    """A restored store has the same id, head, state and caches, verifies, and takes commands."""
    control = a_control(place)
    pause(control)
    control.resume_narrow(break_glass("H-1", "*", 1))
    (place / "log.gz").write_bytes(gzip.compress(json.dumps(exported(control.store)).encode()))
    lines = json.loads(gzip.decompress((place / "log.gz").read_bytes()))
    store = restore_store(settings_in(other_place), CLOCK, lines=lines)
    assert store.head_note().hash == control.head_note().hash
    assert store.projection() == control.store.projection()
    assert verify_store(store).is_ok
    assert Gate(place / "gate").check("ticket-reply").state is GateState.PAUSED
    assert pause(Control(store, CLOCK), "automation=order-sync").hold.hold_id == "H-2"
    assert verify_store(store).is_ok


def test_a_store_is_rebuilt_up_to_a_position(place: Path, other_place: Path) -> None:
    """Restored up to an event it stands exactly there."""
    control = a_control(place)
    before = control.head_note()
    pause(control)
    store = restore_store(
        settings_in(other_place), CLOCK, lines=exported(control.store), until_seq=before.seq
    )
    assert (store.head_note().seq, store.head_note().hash) == (before.seq, before.hash)
    assert store.state().holds == {}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: lines[:3] + lines[4:],
        lambda lines: lines[1:],
        lambda lines: [],
        lambda lines: [{**line, "body": line["body"].replace("agent", "robot")} for line in lines],
        lambda lines: [{**lines[0], "body": "no json"}, *lines[1:]],
        lambda lines: [{"seq": 1}],
        lambda lines: ["text"],
        lambda lines: [{**lines[0], "seq": "x"}],
        lambda lines: [lines[1], lines[0], *lines[2:]],
    ],
)
def test_a_spoilt_log_is_not_restored(place: Path, other_place: Path, spoil: Any) -> None:
    """A gap, an edit, garbage or an empty log raises AuditBroken and makes no store."""
    lines = spoil(exported(a_control(place).store))
    with pytest.raises(AuditBroken):
        restore_store(settings_in(other_place), CLOCK, lines=lines)
    with pytest.raises(StoreMissing):
        open_store(settings_in(other_place), CLOCK)


def test_a_log_is_not_restored_over_a_store(place: Path) -> None:
    """Where a store is, restoring is refused."""
    control = a_control(place)
    with pytest.raises(Refused, match="already"):
        restore_store(settings_in(place), CLOCK, lines=exported(control.store))


def test_a_clock_set_back_orders_nothing(place: Path) -> None:
    """Events keep their order by seq when the clock goes back, and the log verifies."""
    clock = SetClock()
    control = a_control(place, clock)
    clock.move(-400 * 86400)
    pause(control)
    clock.move(800 * 86400)
    control.resume_full(break_glass("H-1"))
    assert verify_store(control.store).is_ok
    assert control.state().holds["H-1"].released_seq is not None

"""The store: made once and whole, one event a command, nothing acknowledged before it is durable."""

from __future__ import annotations

import fcntl
import gzip
import json
import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.store.ground import (
    START,
    SetClock,
    a_control,
    a_registry,
    a_store,
    an_automation,
    break_glass,
    pause,
    settings_in,
)
from workbench.clock import FixedClock
from workbench.control import Control
from workbench.errors import (
    AuditBroken,
    Conflict,
    Refused,
    StorageUnavailable,
    StoreMissing,
    WorkbenchError,
)
from workbench.gate import Gate, GateState
from workbench.snapshot import EPOCH_FILE, SNAPSHOT_FILE, Publisher
from workbench.store import (
    Store,
    connection,
    init_store,
    lock,
    open_store,
    restore_store,
    sqlite,
)
from workbench.store import store as opening
from workbench.store.audit import verify_store
from workbench.store.log import Draft
from workbench.store.place import filesystem_type, refuse_network_place
from workbench.store.store import Change, Command

CLOCK = FixedClock(START)


def a_change(_: Any = None) -> Change:
    """Decide an event without meaning, for commands that are only counted."""
    return Change([Draft(START, "os:test", "note.make", "N-1")])


def test_a_new_store_holds_its_own_making(tmp_path: Path) -> None:
    """`init` records who made it for which environment, publishes it, and it verifies."""
    store = a_store(tmp_path, environment="production")
    (event,) = store.events()
    assert (event.action, event.actor, event.seq) == ("store.init", "os:test", 1)
    assert (store.head_note().environment, store.meta()["environment"]) == ("production",) * 2
    assert verify_store(store).is_ok
    assert Publisher(tmp_path / "gate", event.store_id).published_seq() == 1
    assert Gate(tmp_path / "gate").check("anything").state is GateState.UNKNOWN


def test_a_store_is_made_once(tmp_path: Path) -> None:
    """Where a store is, making one is refused and it stays as it is."""
    store = a_store(tmp_path)
    before = store.backend.path.read_bytes()
    with pytest.raises(Refused, match="already; it was left as it is"):
        a_store(tmp_path)
    assert store.backend.path.read_bytes() == before


def make_a_store(root: Path) -> str:
    """Try to make a store; return its id or what refused it."""
    try:
        return a_store(root).head_note().store_id
    except WorkbenchError as exc:
        return type(exc).__name__


def test_of_racing_makers_one_wins(tmp_path: Path) -> None:
    """Four processes that make the store at once make one; gate and store are of the same one."""
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = pool.map(make_a_store, [tmp_path] * 4, chunksize=1)
    made = [name for name in found if name.startswith("st-")]
    assert sorted(found) == ["Refused"] * 3 + made
    store = open_store(settings_in(tmp_path), CLOCK)
    assert [store.head_note().store_id] == made
    assert Publisher(tmp_path / "gate", made[0]).published_seq() == 1


@pytest.mark.parametrize("where", ["insert_meta", "insert_event", "pragma_journal_wal", "rename"])
def test_a_maker_that_dies_half_way_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """However far it came, there is no store afterwards, and making it again works."""
    right = sqlite.run

    def dying(conn: Any, name: str, **values: Any) -> Any:
        if name == where:
            raise KeyboardInterrupt
        return right(conn, name, **values)

    def no_rename(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "run", dying)
        if where == "rename":
            patch.setattr(Path, "rename", no_rename)
        with pytest.raises(KeyboardInterrupt):
            a_store(tmp_path)
    with pytest.raises(StoreMissing):
        open_store(settings_in(tmp_path), CLOCK)
    (tmp_path / "store" / ".store.sqlite.new-journal").write_bytes(b"stale")
    assert verify_store(a_store(tmp_path)).is_ok


def test_a_gate_folder_of_another_store_is_refused_at_the_making(tmp_path: Path) -> None:
    """Two stores never share a gate folder: the second is not made, and the first stays published."""
    first = a_store(tmp_path)
    settings = settings_in(tmp_path)
    other = type(settings)(tmp_path / "other", settings.gate, settings.home)
    with pytest.raises(Refused, match="published by another store"):
        init_store(other, CLOCK, environment="staging", actor="os:test")
    assert not (tmp_path / "other" / "store.sqlite").exists()
    assert Publisher(settings.gate, first.head_note().store_id).published_seq() == 1


def test_where_no_store_can_be_made_it_says_so(tmp_path: Path) -> None:
    """A file in the way is named in one sentence, not in a traceback."""
    (tmp_path / "store").write_text("in the way")
    with pytest.raises(StorageUnavailable, match="No store can be made"):
        a_store(tmp_path)


def test_a_missing_store_is_never_made_silently(tmp_path: Path) -> None:
    """Opening where none is raises StoreMissing and leaves the folder empty."""
    with pytest.raises(StoreMissing, match="There is no store"):
        open_store(settings_in(tmp_path), CLOCK)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"", b"not a database at all" * 100, b"SQLite format 3\0" + b"\0" * 600]
)
def test_a_file_that_is_no_store_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """An empty, foreign or cut file is refused with exit code 15 and stays as it is."""
    store = a_store(tmp_path)
    for suffix in ("-wal", "-shm"):
        store.backend.path.with_name(store.backend.path.name + suffix).unlink(missing_ok=True)
    store.backend.path.write_bytes(content)
    with pytest.raises(StorageUnavailable) as caught:
        open_store(settings_in(tmp_path), CLOCK).state()
    assert caught.value.exit_code == 15
    assert store.backend.path.read_bytes() == content


def test_another_schema_is_refused(tmp_path: Path) -> None:
    """A store of a newer or older workbench is named with its version and not touched."""
    store = a_store(tmp_path)
    with apsw.Connection(str(store.backend.path)) as found:
        found.pragma("user_version", 9)
    found.close()
    with pytest.raises(StorageUnavailable, match=r"has schema 9; this workbench reads schema 1"):
        open_store(settings_in(tmp_path), CLOCK)


def test_one_command_id_is_one_event(tmp_path: Path) -> None:
    """However often a command is delivered, and by whichever object, it is one event (I5)."""
    store = a_store(tmp_path)
    command = Command("c1", {"name": "note"})
    first = store.transact(command, a_change)
    for _ in range(3):
        again = open_store(settings_in(tmp_path), CLOCK).transact(command, a_change)
        assert again.is_repeat
        assert [e.hash for e in again.events] == [e.hash for e in first.events]
    assert len(store.events()) == 2


def test_other_content_under_the_same_id_is_a_conflict(tmp_path: Path) -> None:
    """Both digests are shown and nothing is added."""
    store = a_store(tmp_path)
    store.transact(Command("c1", {"name": "note"}), a_change)
    with pytest.raises(Conflict, match=r"used at event 2 .*digest [0-9a-f]{12}, now [0-9a-f]{12}"):
        store.transact(Command("c1", {"name": "other"}), a_change)
    assert len(store.events()) == 2


def test_a_refusal_leaves_no_trace(tmp_path: Path) -> None:
    """A command that is refused adds no event, no cache row, and leaves gates their answer."""
    control = a_control(tmp_path)
    before = control.head_note(), control.store.outbox(), control.store.projection()
    with pytest.raises(WorkbenchError):
        control.resume_full(break_glass("H-9"))
    assert (control.head_note(), control.store.outbox(), control.store.projection()) == before
    assert Gate(tmp_path / "gate").check("order-sync").state is GateState.CLEAR


@pytest.mark.parametrize("where", ["before_commit", "commit", "insert_outbox", "upsert_projection"])
@pytest.mark.parametrize("fault", [KeyboardInterrupt, apsw.FullError])
def test_an_interruption_before_the_commit_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, fault: type[BaseException]
) -> None:
    """Ctrl-C or a full disk anywhere before the commit: no event, caches agree, gates still answer."""
    control = a_control(tmp_path)
    right = sqlite.run

    def dying(conn: Any, name: str, **values: Any) -> Any:
        if name == where or (where == "before_commit" and name == "upsert_head"):
            raise fault("stopped")
        return right(conn, name, **values)

    before = control.head_note().seq
    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "run", dying)
        with pytest.raises((fault, StorageUnavailable)):
            pause(control)
    assert control.head_note().seq == before
    assert verify_store(control.store).is_ok
    assert Gate(tmp_path / "gate").check("ticket-reply").state is GateState.CLEAR
    assert pause(control).hold.hold_id == "H-1"
    assert Gate(tmp_path / "gate").check("ticket-reply").state is GateState.PAUSED


def test_after_the_commit_nothing_is_said_to_have_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note that fails after the commit does not make a recorded pause look unrecorded."""
    control = a_control(tmp_path)
    right = sqlite.run

    def dying(conn: Any, name: str, **values: Any) -> Any:
        if name == "mark_outbox_delivered":
            raise apsw.FullError("disk full")
        return right(conn, name, **values)

    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "run", dying)
        receipt = pause(control)
    assert (receipt.hold.hold_id, receipt.publication_fault) == ("H-1", "")
    assert control.store.deliveries() == {}
    pause(control, "automation=order-sync")
    assert set(control.store.deliveries()) == {"H-1", "H-2"}


def test_the_outbox_says_what_each_command_asks(tmp_path: Path) -> None:
    """A pause asks for paused, a narrow restart for probation, a release for running where nothing else holds."""
    control = a_control(tmp_path)
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


def test_an_unfinished_publication_is_repaired_by_any_command(tmp_path: Path) -> None:
    """A writer that died between commit and publication: gates say UNKNOWN until anybody opens the store."""
    control = a_control(tmp_path)
    pause(control)
    publisher = Publisher(tmp_path / "gate", control.head_note().store_id)
    publisher.begin(control.head_note().seq)
    gate = Gate(tmp_path / "gate")
    assert gate.check("order-sync").state is GateState.UNKNOWN
    open_store(settings_in(tmp_path), CLOCK)
    assert gate.check("order-sync").state is GateState.CLEAR
    assert gate.check("ticket-reply").state is GateState.PAUSED


def test_a_repaired_publication_counts_as_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a later command publishes for a dead writer is noted as delivered."""
    control = a_control(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "complete", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        assert "full" in pause(control).publication_fault
    assert control.store.deliveries() == {}
    open_store(settings_in(tmp_path), CLOCK)
    assert set(control.store.deliveries()) == {"H-1"}


@pytest.mark.parametrize("behind", [1, 2, 7])
@pytest.mark.parametrize("ahead", [0, 1, 2, 12])
def test_an_older_or_forked_copy_opens_nothing(tmp_path: Path, behind: int, ahead: int) -> None:
    """A copy put back tells gates nothing, however far it goes on, and says so everywhere; a pause is kept."""
    control = a_control(tmp_path)
    pause(control, "automation=ticket-reply")
    shutil.copytree(tmp_path / "store", tmp_path / "backup")
    for _ in range(behind - 1):
        pause(control, "kind=workflow")
    pause(control)
    epoch = (tmp_path / "gate/epoch").read_bytes()
    shutil.rmtree(tmp_path / "store")
    shutil.copytree(tmp_path / "backup", tmp_path / "store")
    older = Control(open_store(settings_in(tmp_path), CLOCK), CLOCK)
    for _ in range(ahead):
        receipt = pause(older, "kind=watcher")
        assert "older or forked copy" in receipt.publication_fault
        assert receipt.targets[0].delivered_at is None
    with pytest.raises(Refused, match="older or forked copy"):
        older.resume_full(break_glass("H-1"))
    with pytest.raises(Refused, match="older or forked copy"):
        older.resume_narrow(break_glass("H-1", "automation=ticket-reply", 1))
    older.apply_registry(a_registry([an_automation("new-one")]))
    reopened = open_store(settings_in(tmp_path), CLOCK)
    assert "older or forked copy" in reopened.repair_publication()
    assert "older or forked copy" in Control(reopened, CLOCK).status().publication_fault
    assert set(older.store.deliveries()) == {"H-1"}
    assert verify_store(reopened).is_ok
    assert (tmp_path / "gate/epoch").read_bytes() == epoch
    assert Gate(tmp_path / "gate").check("product-copy").state is GateState.PAUSED


def test_a_spoilt_snapshot_hides_no_older_copy(tmp_path: Path) -> None:
    """Where only the epoch can be read, a log that ends before it is still an older copy."""
    control = a_control(tmp_path)
    shutil.copytree(tmp_path / "store", tmp_path / "backup")
    pause(control)
    (tmp_path / "gate/snapshot.json").write_text("{")
    older = open_store(replace(settings_in(tmp_path), store=tmp_path / "backup"), CLOCK)
    assert "hash not readable" in older.repair_publication()
    assert control.store.repair_publication() == ""


def test_a_copy_with_a_gate_folder_of_its_own_is_a_store(tmp_path: Path) -> None:
    """After a loss the newest copy goes on with an empty gate folder, as the refusal says."""
    control = a_control(tmp_path)
    shutil.copytree(tmp_path / "store", tmp_path / "backup")
    pause(control)
    own = replace(settings_in(tmp_path), store=tmp_path / "backup", gate=tmp_path / "other")
    copied = Control(open_store(own, CLOCK), CLOCK)
    assert pause(copied).publication_fault == ""
    assert copied.resume_full(break_glass("H-1")).released_seq is not None


def test_a_full_gate_folder_does_not_stop_a_pause(tmp_path: Path) -> None:
    """On a full disk for the gate the pause is recorded, not delivered, and gates say UNKNOWN or PAUSED."""
    gate = tmp_path / "gate"
    gate.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", gate], check=False
    ).returncode:
        pytest.skip("this account may not mount a small file system")
    try:
        control = a_control(tmp_path)
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
        assert open_store(settings_in(tmp_path), CLOCK).repair_publication() == ""
        assert asking.check("ticket-reply").state is GateState.PAUSED
    finally:
        subprocess.run(["umount", "-l", gate], check=True)


def test_a_read_only_gate_folder_does_not_stop_a_pause(tmp_path: Path) -> None:
    """Where the gate folder cannot be written at all the pause is recorded and says so."""
    control = a_control(tmp_path)
    gate = tmp_path / "gate"
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
    assert open_store(settings_in(tmp_path), CLOCK).repair_publication() == ""
    assert Gate(gate).check("ticket-reply").state is GateState.PAUSED


@pytest.mark.parametrize("name", [EPOCH_FILE, SNAPSHOT_FILE])
def test_garbage_in_the_gate_folder_does_not_stop_a_pause(tmp_path: Path, name: str) -> None:
    """Whatever lies in the published files, the hold is recorded; a spoilt snapshot is simply replaced."""
    control = a_control(tmp_path)
    (tmp_path / "gate" / name).write_bytes(b"garbage")
    receipt = pause(control)
    assert control.state().holds["H-1"].released_seq is None
    if name == EPOCH_FILE:
        assert "is not an epoch file" in receipt.publication_fault
    else:
        assert receipt.publication_fault == ""
        assert Gate(tmp_path / "gate").check("ticket-reply").state is GateState.PAUSED


def test_a_read_only_store_is_said_to_be_so(tmp_path: Path) -> None:
    """On a read-only file system a command says in one sentence that nothing was recorded."""
    control = a_control(tmp_path)
    store = tmp_path / "store"
    if subprocess.run(["mount", "--bind", store, store], check=False).returncode:
        pytest.skip("this account may not mount")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", store], check=True)
        with pytest.raises(StorageUnavailable, match="nothing was recorded"):
            pause(control)
    finally:
        subprocess.run(["umount", "-l", store], check=True)
    assert control.state().holds == {}


def test_a_held_lock_is_named_with_its_holder(tmp_path: Path) -> None:
    """A writer that finds the store locked says by which process, and that nothing was recorded."""
    store = a_store(tmp_path)
    taken, refused = (
        lock.store_lock(store.backend.folder),
        lock.store_lock(store.backend.folder, 0.05),
    )
    with taken, pytest.raises(StorageUnavailable) as caught, refused:
        pytest.fail("two hold the lock")
    assert f"pid {os.getpid()} (" in caught.value.message
    assert "nothing was recorded" in caught.value.message


def test_a_locked_store_can_still_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading goes on beside a writer that hangs, also where its publication is unfinished."""
    control = a_control(tmp_path)
    Publisher(tmp_path / "gate", control.head_note().store_id).begin(control.head_note().seq)
    monkeypatch.setattr(opening, "REPAIR_WAIT_SECONDS", 0.05)
    with open(tmp_path / "store" / lock.LOCK_FILE, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        store = open_store(settings_in(tmp_path), CLOCK)
        assert len(store.state().automations) == 5


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    """A writer that was killed keeps nobody out."""
    store = a_store(tmp_path)
    words = f"import fcntl,os; f=open({str(store.backend.folder / lock.LOCK_FILE)!r}); fcntl.flock(f, 2); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", words], check=False)
    assert store.transact(Command("c", {}), a_change).events[0].seq == 2


def write_many(root: Path, name: str, count: int) -> int:
    """Give many commands from one process."""
    store = open_store(settings_in(root), CLOCK)
    return sum(
        len(store.transact(Command(f"{name}-{n}", {"n": n}), a_change).events) for n in range(count)
    )


def test_writers_in_processes_and_threads_lose_nothing(tmp_path: Path) -> None:
    """Two processes and four threads write at once: every acknowledged command is in one whole chain."""
    store = a_store(tmp_path)
    counts: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: counts.append(write_many(tmp_path, f"t{n}", 8)))
        for n in range(4)
    ]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for thread in threads:
            thread.start()
        counts += pool.starmap(write_many, [(tmp_path, f"p{n}", 8) for n in range(2)])
        for thread in threads:
            thread.join()
    assert sum(counts) == 48
    assert verify_store(store).event_count == 49
    assert verify_store(store).is_ok


def test_what_one_object_knows_follows_what_others_write(tmp_path: Path) -> None:
    """An object that has folded the log before takes in what another process added since."""
    control = a_control(tmp_path)
    other = Control(open_store(settings_in(tmp_path), CLOCK), CLOCK)
    before = control.state()
    pause(other)
    assert list(control.state().holds) == ["H-1"]
    assert before.holds == {}
    fresh = open_store(settings_in(tmp_path), CLOCK).state()
    assert control.state().holds == fresh.holds
    assert control.state().covered == fresh.covered


def test_what_one_object_knows_is_dropped_when_the_file_was_exchanged(tmp_path: Path) -> None:
    """Where another history stands in its place the object reads it from the beginning."""
    control = a_control(tmp_path)
    pause(control)
    shutil.rmtree(tmp_path / "store")
    shutil.rmtree(tmp_path / "gate")
    a_store(tmp_path)
    assert control.state().holds == {}
    assert control.state().seq == 1


def exported(store: Store) -> list[dict[str, Any]]:
    """Return the log as a recording holds it."""
    return [
        {"seq": e.seq, "prev_hash": e.prev_hash, "hash": e.hash, "body": e.body}
        for e in store.events()
    ]


def test_a_store_is_rebuilt_from_its_log_alone(tmp_path: Path) -> None:
    """A restored store has the same id, head, state and caches, verifies, and takes commands."""
    control = a_control(tmp_path / "one")
    pause(control)
    control.resume_narrow(break_glass("H-1", "*", 1))
    (tmp_path / "log.gz").write_bytes(gzip.compress(json.dumps(exported(control.store)).encode()))
    lines = json.loads(gzip.decompress((tmp_path / "log.gz").read_bytes()))
    store = restore_store(settings_in(tmp_path / "two"), CLOCK, lines=lines)
    assert store.head_note().hash == control.head_note().hash
    assert store.projection() == control.store.projection()
    assert verify_store(store).is_ok
    assert Gate(tmp_path / "two/gate").check("ticket-reply").state is GateState.PAUSED
    assert pause(Control(store, CLOCK), "automation=order-sync").hold.hold_id == "H-2"
    assert verify_store(store).is_ok


def test_a_store_is_rebuilt_up_to_a_position(tmp_path: Path) -> None:
    """Restored up to an event it stands exactly there."""
    control = a_control(tmp_path / "one")
    before = control.head_note()
    pause(control)
    store = restore_store(
        settings_in(tmp_path / "two"), CLOCK, lines=exported(control.store), until_seq=before.seq
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
def test_a_spoilt_log_is_not_restored(tmp_path: Path, spoil: Any) -> None:
    """A gap, an edit, garbage or an empty log raises AuditBroken and makes no store."""
    lines = spoil(exported(a_control(tmp_path / "one").store))
    with pytest.raises(AuditBroken):
        restore_store(settings_in(tmp_path / "two"), CLOCK, lines=lines)
    assert not (tmp_path / "two/store/store.sqlite").exists()


def test_a_log_is_not_restored_over_a_store(tmp_path: Path) -> None:
    """Where a store is, restoring is refused."""
    control = a_control(tmp_path)
    with pytest.raises(Refused, match="already"):
        restore_store(settings_in(tmp_path), CLOCK, lines=exported(control.store))


def test_a_clock_set_back_orders_nothing(tmp_path: Path) -> None:
    """Events keep their order by seq when the clock goes back, and the log verifies."""
    clock = SetClock()
    control = a_control(tmp_path, clock)
    clock.move(-400 * 86400)
    pause(control)
    clock.move(800 * 86400)
    control.resume_full(break_glass("H-1"))
    assert verify_store(control.store).is_ok
    assert control.state().holds["H-1"].released_seq is not None


@pytest.mark.parametrize(
    ("kind", "is_refused"), [("nfs4", True), ("cifs", True), ("fuse.sshfs", True), ("ext4", False)]
)
def test_a_network_file_system_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, is_refused: bool
) -> None:
    """The type of the nearest mount decides, also where the folder is yet to be made."""
    mounts = f"1 0 8:1 / / rw - ext4 x rw\n2 1 0:1 / {tmp_path} rw - {kind} host:/x rw\nodd line\n"
    assert filesystem_type(tmp_path / "a/b", mounts) == kind
    assert filesystem_type(Path("/nowhere"), mounts) == "ext4"
    monkeypatch.setattr("workbench.store.place._mounts", lambda: mounts)
    if is_refused:
        with pytest.raises(Refused, match="network file system"):
            refuse_network_place(tmp_path / "store")
    else:
        refuse_network_place(tmp_path / "store")


def test_the_file_needs_no_workbench_to_be_read(tmp_path: Path) -> None:
    """Any SQLite shell reads the log, with the columns that are generated from the body."""
    control = a_control(tmp_path)
    pause(control)
    with sqlite3.connect(control.store.backend.path) as found:
        rows = found.execute("select action, target, actor from event where seq = 10").fetchall()
    found.close()
    assert rows[0][:2] == ("hold.place", "H-1")
    assert rows[0][2].startswith("os:")
    assert tuple(int(n) for n in connection.library_version().split(".")) >= (3, 51, 3)

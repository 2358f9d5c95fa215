"""The store: made once and whole, one event a command, nothing acknowledged before it is durable."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.store.ground import (
    START,
    a_control,
    a_registry,
    a_store,
    an_automation,
    break_glass,
    delivered,
    pause,
    settings_in,
)
from workbench.clock import FixedClock
from workbench.control import Control
from workbench.errors import (
    Refused,
    Spooled,
    StorageUnavailable,
    StoreMissing,
)
from workbench.gate import Gate, GateState
from workbench.snapshot import Publisher
from workbench.store import (
    connection,
    folding,
    lock,
    open_store,
    publishing,
    sqlite,
)
from workbench.store import store as opening
from workbench.store.audit import verify_store
from workbench.store.keeping import close_kept
from workbench.store.log import Draft
from workbench.store.place import filesystem_type, refuse_network_place
from workbench.store.store import Change, Command

CLOCK = FixedClock(START)
A_NOTE = Draft(START, "os:test", "note.take", "n")


def test_a_store_is_made_once(tmp_path: Path) -> None:
    """Where a store is, making one is refused and it stays as it is."""
    store = a_store(tmp_path)
    before = store.backend.path.read_bytes()
    with pytest.raises(Refused, match="already; it was left as it is"):
        a_store(tmp_path)
    assert store.backend.path.read_bytes() == before


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
    with pytest.raises(StorageUnavailable, match=r"has schema 9; this workbench reads schema 3"):
        open_store(settings_in(tmp_path), CLOCK)


@pytest.mark.parametrize("behind", [1, 2, 7])
@pytest.mark.parametrize("ahead", [0, 1, 2, 12])
def test_an_older_or_forked_copy_opens_nothing(tmp_path: Path, behind: int, ahead: int) -> None:
    """A copy put back tells gates nothing, however far it goes on, and says so everywhere; a pause is kept."""
    control = a_control(tmp_path)
    pause(control, "automation=ticket-reply")
    close_kept()  # a copy of a store that is open now may miss the log that is removed meanwhile
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
    assert delivered(older.store) == {"H-1"}
    assert verify_store(reopened).is_ok
    assert (tmp_path / "gate/epoch").read_bytes() == epoch
    assert Gate(tmp_path / "gate").check("product-copy").state is GateState.PAUSED


def test_a_spoilt_snapshot_hides_no_older_copy(tmp_path: Path) -> None:
    """Where only the epoch can be read, a log that ends before it is still an older copy."""
    control = a_control(tmp_path)
    close_kept()  # a copy of a store that is open now may miss the log that is removed meanwhile
    shutil.copytree(tmp_path / "store", tmp_path / "backup")
    pause(control)
    (tmp_path / "gate/snapshot.json").write_text("{")
    older = open_store(replace(settings_in(tmp_path), store=tmp_path / "backup"), CLOCK)
    assert "hash not readable" in older.repair_publication()
    assert control.store.repair_publication() == ""


def test_a_copy_with_a_gate_folder_of_its_own_is_a_store(tmp_path: Path) -> None:
    """After a loss the newest copy goes on with an empty gate folder, as the refusal says."""
    control = a_control(tmp_path)
    close_kept()  # a copy of a store that is open now may miss the log that is removed meanwhile
    shutil.copytree(tmp_path / "store", tmp_path / "backup")
    pause(control)
    own = replace(settings_in(tmp_path), store=tmp_path / "backup", gate=tmp_path / "other")
    copied = Control(open_store(own, CLOCK), CLOCK)
    assert pause(copied).publication_fault == ""
    assert copied.resume_full(break_glass("H-1")).released_seq is not None


def test_a_read_only_store_is_said_to_be_so(tmp_path: Path) -> None:
    """On a read-only file system a pause is spooled, and says in one sentence that it is not recorded."""
    control = a_control(tmp_path)
    store = tmp_path / "store"
    if subprocess.run(["mount", "--bind", store, store], check=False).returncode:
        pytest.skip("this account may not mount")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", store], check=True)
        with pytest.raises(Spooled, match="nothing was recorded"):
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
    assert pause(Control(store, CLOCK), "*").hold.placed_seq == 2


def test_what_one_object_knows_is_dropped_when_the_file_was_exchanged(tmp_path: Path) -> None:
    """Where another history stands in its place the object reads it from the beginning."""
    control = a_control(tmp_path)
    pause(control)
    shutil.rmtree(tmp_path / "store")
    shutil.rmtree(tmp_path / "gate")
    a_store(tmp_path)
    assert control.state().holds == {}
    assert control.state().seq == 1


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


def test_gates_are_told_nothing_before_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a command commits, the epoch is odd and the snapshot is still the one before."""
    control = a_control(tmp_path)
    before = (tmp_path / "gate" / "snapshot.json").read_bytes()
    seen: list[tuple[bool, bool]] = []
    commit = sqlite.SqliteSession.commit

    def watched(session: sqlite.SqliteSession) -> None:
        epoch = (tmp_path / "gate" / "epoch").read_bytes()[24]
        is_old = (tmp_path / "gate" / "snapshot.json").read_bytes() == before
        seen.append((bool(epoch & 1), is_old))
        commit(session)

    monkeypatch.setattr(sqlite.SqliteSession, "commit", watched)
    pause(control)
    assert seen[0] == (True, True)
    assert Gate(tmp_path / "gate").check("ticket-reply").state is GateState.PAUSED


def test_a_commit_that_fails_tells_gates_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written for gates beside the commit is taken away, and the state before is published again."""
    control = a_control(tmp_path)

    def failing(_: sqlite.SqliteSession) -> None:
        raise apsw.FullError("disk full")

    monkeypatch.setattr(sqlite.SqliteSession, "commit", failing)
    with pytest.raises(StorageUnavailable):
        control.store.transact(Command("c", {"name": "note"}), lambda _: Change([A_NOTE]))
    assert list((tmp_path / "gate").glob(".snapshot*")) == []
    answer = Gate(tmp_path / "gate").check("ticket-reply")
    assert (answer.state, answer.as_of_seq) == (GateState.CLEAR, control.state().seq)


def test_after_the_commit_somebody_is_told_once(tmp_path: Path) -> None:
    """What is to happen beside the publication gets the committed state, and nothing for a repeated command."""
    store = a_store(tmp_path)
    told: list[int] = []
    for _ in range(2):
        done = store.transact(
            Command("c", {"name": "note"}),
            lambda _: Change([A_NOTE]),
            after_commit=lambda state: told.append(state.seq),
        )
    assert (told, done.is_repeat) == ([2], True)


def test_a_pause_reaches_gates_though_the_file_cannot_be_named_to_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store's file that cannot be looked at just then loses no pause: it is recorded, and gates are told."""
    control = a_control(tmp_path)

    def failing(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(publishing, "source_of", failing)
    receipt = pause(control)
    assert not receipt.publication_fault
    assert [event.action for event in control.store.events()].count("hold.place") == 1
    answer = Gate(tmp_path / "gate").check("ticket-reply")
    assert (answer.state, answer.as_of_seq) == (GateState.PAUSED, control.state().seq)


def drafts_in(gate: Path) -> list[str]:
    """Return the names of snapshots that were begun and never put in place."""
    return [path.name for path in gate.glob(".snapshot*")]


def test_drafts_of_a_killed_writer_are_taken_away(tmp_path: Path) -> None:
    """A writer that is killed between draft and rename leaves a file; the next one takes it away."""
    control = a_control(tmp_path)
    child = os.fork()
    if not child:
        sqlite.SqliteSession.commit = lambda _: (time.sleep(0.2), os.kill(os.getpid(), 9))  # type: ignore[assignment,method-assign,return-value]
        pause(control)
    os.waitpid(child, 0)
    assert len(drafts_in(tmp_path / "gate")) == 1
    assert not pause(control).publication_fault
    assert drafts_in(tmp_path / "gate") == []


def test_a_draft_that_gates_cannot_be_told_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the publication fails after the commit nothing is left beside the snapshot."""
    control = a_control(tmp_path)

    def failing(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Publisher, "complete", failing)
    assert "Input/output error" in pause(control).publication_fault
    assert drafts_in(tmp_path / "gate") == []


def test_what_follows_a_commit_and_hangs_holds_up_no_other_writer(tmp_path: Path) -> None:
    """An anchor folder that does not answer lets others record and gates hear; only its own command waits for it."""
    control = a_control(tmp_path)
    has_begun, may_go = threading.Event(), threading.Event()

    def hang(_: object) -> None:
        has_begun.set()
        may_go.wait(30)

    held = Control(control.store, control.clock)
    held.anchor = hang  # type: ignore[method-assign]
    thread = threading.Thread(target=pause, args=(held, "automation=ticket-reply"))
    thread.start()
    try:
        assert has_begun.wait(10)
        other = Control(opening.store_of(settings_in(tmp_path), CLOCK), CLOCK)
        assert pause(other, "automation=order-sync").hold.hold_id == "H-2"
        assert Gate(tmp_path / "gate").check("order-sync").state is GateState.PAUSED
        assert thread.is_alive()
    finally:
        may_go.set()
        thread.join(10)


def test_what_follows_a_commit_and_fails_takes_nothing_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is raised after the commit, the command is recorded and says so."""
    store = a_store(tmp_path)

    def fail(_: object) -> None:
        raise RuntimeError("no anchor")

    done = store.transact(
        Command("c", {"name": "note"}), lambda _: Change([A_NOTE]), after_commit=fail
    )
    assert (done.state.seq, store.state().seq, done.publication_fault) == (2, 2, "")
    assert "RuntimeError('no anchor'); the command itself is recorded" in caplog.text


def test_a_copy_of_a_state_takes_events_in_without_changing_what_it_is_of(tmp_path: Path) -> None:
    """What a hold covers, lets through and was seen of changes in the newer state alone."""
    control = a_control(tmp_path)
    hold_id = pause(control).hold.hold_id
    control.resume_narrow(break_glass(hold_id, only="kind=agent", runs=3))
    before = control.state()
    events = control.store.events()
    is_now = [an_automation("refund-reply"), an_automation("product-copy", kind="workflow")]
    control.apply_registry(a_registry([*before.automations.values(), *is_now]))
    seen = {"targets": {"ticket-reply": {"quiet_at": "2026-11-20T09:31:00.000000Z"}}}
    look = Draft(START, "system", "hold.observe", hold_id, payload=seen)
    control.store.transact(Command("look", {"name": "observe"}), lambda _: Change([look]))
    after = control.state()
    assert "refund-reply" in after.covered[hold_id] - before.covered[hold_id]
    assert before.let_through["P-1"] - after.let_through["P-1"] == {"product-copy"}
    assert after.observed[hold_id, "ticket-reply"] != before.observed[hold_id, "ticket-reply"]
    assert before.copy() == folding.fold(events).copy()  # without what was touched on the way

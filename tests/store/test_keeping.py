"""A kept connection saves a burst of calls the opening, and never stands between anybody and the file."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.store.ground import a_control, a_store, pause, settings_in
from workbench.errors import StorageUnavailable
from workbench.settings import Settings
from workbench.store import connection, keeping
from workbench.store.connection import STORE_FILE, connect, run
from workbench.store.store import Store


@pytest.fixture(autouse=True)
def only_ours() -> Iterator[None]:
    """Begin and end with nothing kept."""
    keeping.close_kept()
    keeping._closers.clear()  # one that another test put to sleep for long
    yield
    keeping.close_kept()
    keeping._closers.clear()


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep connections for longer than a test takes."""
    monkeypatch.setattr(keeping, "KEEP_SECONDS", 600.0)


def file_of(store: Store) -> Path:
    """Return the file of a store that is in one."""
    return Path(store.place) / STORE_FILE


def log_of(path: Path) -> Path:
    """Return where the write-ahead log of a store's file is."""
    return path.with_name(f"{path.name}-wal")


def gone(path: Path) -> None:
    """Wait until a file is gone."""
    deadline = time.monotonic() + 30
    while path.exists():
        assert time.monotonic() < deadline, f"{path} is still there"
        time.sleep(0.02)


@pytest.mark.usefixtures("long")
def test_calls_in_a_row_share_one_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pause with all its looks opens the file once."""
    control = a_control(tmp_path)
    keeping.close_kept()
    opened: list[str] = []
    right = apsw.Connection

    def counted(name: str, **options: Any) -> apsw.Connection:
        opened.append(name)
        return right(name, **options)

    monkeypatch.setattr(apsw, "Connection", counted)
    pause(control)
    assert opened == [str(file_of(control.store))]


def test_a_moment_later_the_file_alone_is_the_whole_store(tmp_path: Path) -> None:
    """When nobody calls any more, the log beside the file is taken back: a copy of the file has everything."""
    control = a_control(tmp_path)
    pause(control)
    gone(log_of(file_of(control.store)))
    own = settings_in(tmp_path / "copy")
    own.store.mkdir(parents=True)
    shutil.copy(file_of(control.store), own.store / STORE_FILE)
    copied = Store(type(control.store.backend)(own.store), own.gate, clock=control.clock)
    assert list(copied.state().holds) == ["H-1"]


@pytest.mark.usefixtures("long")
def test_another_file_in_its_place_is_seen(tmp_path: Path) -> None:
    """Who puts another store under the name is answered from that one, never from the one before."""
    store, other = a_store(tmp_path / "one"), a_store(tmp_path / "two")
    before, wanted = store.meta()["store_id"], other.meta()["store_id"]
    keeping.close_kept()
    assert store.meta()["store_id"] == before
    file_of(other).rename(file_of(store))
    log_of(file_of(store)).unlink(missing_ok=True)
    assert store.meta()["store_id"] == wanted != before


@pytest.mark.usefixtures("long")
def test_a_file_that_comes_while_one_is_taken_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection to the file before is not kept as one to the file that came into its place meanwhile."""
    store, other = a_store(tmp_path / "one"), a_store(tmp_path / "two")
    wanted, take = other.meta()["store_id"], connection.take
    keeping.close_kept()
    store.meta()

    def take_and_replace(path: Path) -> apsw.Connection | None:
        found = take(path)
        if file_of(other).exists():
            file_of(other).rename(path)
            log_of(path).unlink(missing_ok=True)
        return found

    monkeypatch.setattr(connection, "take", take_and_replace)
    store.meta()
    assert store.meta()["store_id"] == wanted


@pytest.mark.usefixtures("long")
def test_a_log_that_somebody_took_away_is_noticed(tmp_path: Path) -> None:
    """Another program that opened and closed the file took the log with it: the file is opened anew."""
    control = a_control(tmp_path)
    path = file_of(control.store)
    with connect(path) as connection:
        run(connection, "get_head")
    log_of(path).unlink()
    assert keeping.take(path) is None
    assert pause(control).hold.hold_id == "H-1"


@pytest.mark.usefixtures("long")
def test_of_two_the_one_used_last_is_kept(tmp_path: Path) -> None:
    """A look within a writer's turn does not cost the writer's connection, and is closed itself."""
    path = file_of(a_store(tmp_path))
    keeping.close_kept()
    with connect(path) as outer, connect(path) as inner:
        assert inner is not outer
    assert keeping.take(path) is outer
    with pytest.raises(apsw.ConnectionClosedError):
        inner.cursor()
    outer.close()


@pytest.mark.usefixtures("long")
def test_a_connection_that_failed_is_not_kept(tmp_path: Path) -> None:
    """After an error of the database the next call begins anew."""
    path = file_of(a_store(tmp_path))
    with pytest.raises(StorageUnavailable), connect(path) as connection:
        connection.cursor().execute("no such statement")
    assert keeping.take(path) is None


@pytest.mark.usefixtures("long")
def test_an_open_transaction_is_not_handed_on(tmp_path: Path) -> None:
    """Who leaves in the midst of a transaction leaves nothing for the next one to commit."""
    path = file_of(a_store(tmp_path))
    with pytest.raises(KeyError), connect(path) as connection:
        run(connection, "begin_write")
        raise KeyError("stopped")
    assert keeping.take(path) is None


@pytest.mark.usefixtures("long")
def test_each_session_syncs_its_commits(tmp_path: Path) -> None:
    """Whatever the one before left set, a session begins with commits that are synced; deliveries alone are not."""
    store = a_store(tmp_path)
    path = file_of(store)
    with connect(path) as connection:
        run(connection, "pragma_synchronous_normal")
    with connect(path) as connection:
        assert connection.pragma("synchronous") == 2
    with store.backend.writing() as session:
        session.mark_delivered(1, "2026-11-20T09:30:00.000000Z")
    with store.backend.writing() as session:
        session.begin()
        session.mark_delivered(1, "2026-11-20T09:30:00.000000Z")
        session.rollback()
    kept = keeping.take(path)
    assert kept is not None and kept.pragma("synchronous") == 2
    kept.close()


def _what_a_child_has(path: Path, answers: Any) -> None:
    answers.put((keeping.take(path) is None, log_of(path).exists()))


@pytest.mark.usefixtures("long")
def test_no_connection_is_carried_into_a_forked_child(tmp_path: Path) -> None:
    """Before a fork what is kept is closed: a child that closed it would remove the parent's log."""
    control = a_control(tmp_path)
    pause(control)
    path = file_of(control.store)
    assert log_of(path).exists()
    forking = multiprocessing.get_context("fork")
    answers = forking.Queue()
    child = forking.Process(target=_what_a_child_has, args=[path, answers])
    child.start()
    assert answers.get(timeout=30) == (True, False)
    child.join()
    assert pause(control).hold.hold_id == "H-2"


@pytest.mark.parametrize("closer", [keeping._close_idle, keeping.close_kept])
def test_a_fork_waits_for_what_is_being_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closer: Callable[[], None]
) -> None:
    """While a thread closes a connection nothing is forked: the child would have it half closed."""
    monkeypatch.setattr(keeping, "KEEP_SECONDS", 600.0)
    store = a_store(tmp_path)
    store.meta()
    monkeypatch.setattr(keeping, "KEEP_SECONDS", 0.0)
    close, is_closing, is_closed = keeping._close, threading.Event(), threading.Event()

    def close_slowly(connection: apsw.Connection) -> None:
        is_closing.set()
        time.sleep(0.3)
        close(connection)
        is_closed.set()

    monkeypatch.setattr(keeping, "_close", close_slowly)
    thread = threading.Thread(target=closer)
    thread.start()
    assert is_closing.wait(10)
    child = os.fork()
    if not child:
        os._exit(0 if is_closed.is_set() and not keeping._kept else 1)
    assert os.waitpid(child, 0)[1] == 0
    thread.join(10)
    assert store.meta()
    assert keeping._closing.acquire(timeout=30), "it is never let go"
    keeping._closing.release()


@pytest.mark.usefixtures("long")
def test_a_child_that_keeps_meanwhile_begins_with_nothing(tmp_path: Path) -> None:
    """What another thread would keep during a fork is kept after it; parent and child go on, each by itself."""
    store = a_store(tmp_path)
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            store.meta()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for _ in range(10):
            child = os.fork()
            if not child:
                os._exit(0 if not keeping._kept and not keeping._mutex.locked() else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        is_over.set()
        thread.join(10)
    assert store.meta()


PAUSER = """
from workbench.control import open_control
from workbench.control.placing import PauseRequest
from workbench.settings import Settings
open_control(Settings.from_environment()).pause(PauseRequest("kind=agent", "x"), wait_seconds=0)
"""


def paused_by_a_process(settings: Settings) -> None:
    """Pause in a process of its own, which ends at once."""
    environment = {**os.environ, **settings.as_environment()}
    subprocess.run([sys.executable, "-c", PAUSER], env=environment, check=True)


def test_a_process_that_ends_leaves_the_bare_file(tmp_path: Path) -> None:
    """At its end a command closes what it kept, so that nothing lies beside the file."""
    control = a_control(tmp_path)
    keeping.close_kept()
    paused_by_a_process(settings_in(tmp_path))
    left = {p.name for p in file_of(control.store).parent.iterdir()}
    assert left == {STORE_FILE, "store.lock"}


@pytest.mark.usefixtures("long")
def test_what_others_record_meanwhile_is_seen(tmp_path: Path) -> None:
    """A kept connection holds no old view of the log."""
    control = a_control(tmp_path)
    assert control.state().holds == {}
    paused_by_a_process(settings_in(tmp_path))
    assert list(control.state().holds) == ["H-1"]
    assert pause(control).hold.hold_id == "H-2"


@pytest.mark.usefixtures("long")
def test_without_a_thread_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be had to close it later, a connection is closed at once."""
    store = a_store(tmp_path)
    keeping.close_kept()
    keeping._closers.clear()

    def refused(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", refused)
    store.meta()
    assert keeping.take(file_of(store)) is None

"""Files are whole and durable or not there, and what is done beside something else is waited for."""

from __future__ import annotations

import _thread
import os
import threading
from pathlib import Path

import pytest

from workbench.durable import Beside, Draft, write_durably


def refuse_threads(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    """Let no thread be had, as on a machine that has too many, or no memory."""

    def refused(*_: object) -> int:
        raise fault

    monkeypatch.setattr(_thread, "start_new_thread", refused)


def test_what_is_done_beside_is_done_when_it_was_waited_for() -> None:
    """It runs in another thread, and after the wait it has ended, done once."""
    threads: list[int] = []
    begun, may_end = threading.Event(), threading.Event()

    def act() -> None:
        begun.set()
        may_end.wait()
        threads.append(threading.get_ident())

    one = Beside(act)
    assert begun.wait(30) and threads == []
    may_end.set()
    one.wait()
    one.wait()
    assert len(threads) == 1 and threads[0] != threading.get_ident()


def test_nobody_waits_for_a_thread_that_never_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a thread was begun and died at once, as without memory, or has not come to it, who waits does it."""
    monkeypatch.setattr(_thread, "start_new_thread", lambda *_: 0)
    done: list[int] = []
    one = Beside(lambda: done.append(threading.get_ident()))
    assert done == []
    one.wait()
    one.wait()
    assert done == [threading.get_ident()]


def test_what_is_begun_later_is_done_once_by_thread_or_by_who_waits() -> None:
    """Nothing is done before it is begun, and whoever waits for what was never begun does it."""
    done: list[int] = []
    begun = Beside(lambda: done.append(1), is_begun=False)
    never = Beside(lambda: done.append(2), is_begun=False)
    assert done == []
    begun.begin()
    begun.wait()
    begun.begin()
    never.wait()
    assert done == [1, 2]


def test_what_fails_beside_is_raised_at_the_wait() -> None:
    """The fault of the other thread reaches who waits, each time."""

    def fail() -> None:
        raise OSError(28, "No space left on device")

    one = Beside(fail)
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            one.wait()


@pytest.mark.parametrize("fault", [RuntimeError("can't start new thread"), MemoryError()], ids=repr)
def test_without_a_thread_it_is_done_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """Where no thread can be had nothing is lost: the same is done in the caller's."""
    refuse_threads(monkeypatch, fault)
    done: list[int] = []
    Beside(lambda: done.append(1)).wait()
    write_durably(tmp_path / "file", b"content")
    assert (done, (tmp_path / "file").read_bytes()) == ([1], b"content")


def test_a_draft_is_seen_only_under_its_name(tmp_path: Path) -> None:
    """Until it is put in place a reader sees the old content, and then the whole new one."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    draft = Draft(path, b"new" * 5000)
    assert path.read_bytes() == b"old"
    draft.put_in_place()
    assert path.read_bytes() == b"new" * 5000
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_draft_is_synced_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is: content synced, renamed, folder synced; a crash in between leaves the old file or the new one."""
    order: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        order.append("sync folder" if name.is_dir() else "sync content")
        fsync(descriptor)

    def renamed(*paths: Path) -> None:
        order.append("rename")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    write_durably(tmp_path / "file", b"content")
    assert order == ["sync content", "rename", "sync folder"]


def test_a_draft_that_cannot_be_written_gets_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync that fails is told when the file is to get its name, and the old one stays."""
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def failing(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    draft = Draft(path, b"new")
    with pytest.raises(OSError, match="Input/output"):
        draft.put_in_place()
    assert path.read_bytes() == b"old"
    draft.drop()
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_dropped_draft_leaves_nothing(tmp_path: Path) -> None:
    """What was begun for nothing is taken away, and dropping it twice is no fault."""
    for is_begun in (True, False):
        draft = Draft(tmp_path / "file", b"content")
        if is_begun:
            draft.begin()
        draft.drop()
        draft.drop()
        assert list(tmp_path.iterdir()) == []

"""Writers get the store's lock in the order of their coming, and nobody who gave up keeps it from the others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.errors import StorageUnavailable
from workbench.store import lock
from workbench.store.lock import LOCK_FILE, store_lock

WAITER = """
import sys
from pathlib import Path
from workbench.store.lock import store_lock
print("coming", flush=True)
with store_lock(Path(sys.argv[1]), 60):
    print("in", flush=True)
    sys.stdin.readline()
"""

needs_list = pytest.mark.skipif(
    not Path("/proc/locks").exists(), reason="who waits in the kernel is read from /proc/locks"
)


def waiting_count(folder: Path) -> int:
    """Return how many wait in the kernel for the store's lock."""
    inode = f":{(folder / LOCK_FILE).stat().st_ino} "
    lines = Path("/proc/locks").read_text().splitlines()
    return sum("->" in line and inode in line for line in lines)


def until(question: object, folder: Path, count: int) -> None:
    """Wait until so many wait for the lock."""
    deadline = time.monotonic() + 20
    while waiting_count(folder) != count:
        assert time.monotonic() < deadline, f"{question}: {waiting_count(folder)} wait, not {count}"
        time.sleep(0.01)


@pytest.fixture
def waiters(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Return a list for waiting processes, which are ended with the test."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def a_waiter(folder: Path) -> subprocess.Popen[str]:
    """Start a process that wants the lock, and keeps it until it is told to go on."""
    process = subprocess.Popen(
        [sys.executable, "-c", WAITER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "coming\n"
    return process


def come_in(process: subprocess.Popen[str]) -> None:
    """Wait until a process has the lock."""
    assert process.stdout is not None and process.stdout.readline() == "in\n"


def let_go(process: subprocess.Popen[str]) -> None:
    """Let a process free the lock."""
    process.communicate("\n", timeout=20)


@needs_list
def test_who_comes_first_gets_the_lock_first(
    tmp_path: Path, waiters: list[subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five threads queue one after the other; when the lock is freed they get it in that order."""
    monkeypatch.setattr(lock, "_STEP_SECONDS", 60.0)  # by their turns alone, without trying besides
    order: list[int] = []

    def want(number: int) -> None:
        with store_lock(tmp_path, 60):
            order.append(number)

    threads = [threading.Thread(target=want, args=[number]) for number in range(5)]
    with store_lock(tmp_path):
        for number, thread in enumerate(threads, start=1):
            thread.start()
            until("queued", tmp_path, number)
    for thread in threads:
        thread.join(20)
    assert order == [0, 1, 2, 3, 4]


@needs_list
def test_who_gave_up_keeps_the_lock_from_nobody(tmp_path: Path) -> None:
    """A waiter that ran out of time leaves the queue as soon as its turn comes, and the next one gets in."""
    with store_lock(tmp_path):
        with (
            pytest.raises(StorageUnavailable, match="nothing was recorded"),
            store_lock(tmp_path, 0.05),
        ):
            pass
        assert waiting_count(tmp_path) == 1
    until("left", tmp_path, 0)  # not while the lock is held: its turn may come only after that
    with store_lock(tmp_path, 0.0):
        pass


@needs_list
def test_a_stopped_waiter_does_not_hold_up_those_behind_it(
    tmp_path: Path, waiters: list[subprocess.Popen[str]]
) -> None:
    """One that stands still loses its place to those behind it, and gets the lock when it goes on."""
    with store_lock(tmp_path):
        waiters.append(a_waiter(tmp_path))
        until("first", tmp_path, 1)
        os.kill(waiters[0].pid, signal.SIGSTOP)
        waiters.append(a_waiter(tmp_path))
    come_in(waiters[1])
    let_go(waiters[1])
    os.kill(waiters[0].pid, signal.SIGCONT)
    come_in(waiters[0])


def test_a_killed_holder_frees_the_lock_for_who_waits(
    tmp_path: Path, waiters: list[subprocess.Popen[str]]
) -> None:
    """The kernel frees what a killed process held, and its place in the queue."""
    waiters += [a_waiter(tmp_path)]
    come_in(waiters[0])
    waiters += [a_waiter(tmp_path), a_waiter(tmp_path)]
    waiters[1].kill()
    waiters[0].kill()
    come_in(waiters[2])


def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    """A child that was forked under the lock has the descriptor, too; the lock is freed all the same."""
    may_end = multiprocessing.get_context("fork").Event()
    with store_lock(tmp_path):
        child = multiprocessing.get_context("fork").Process(target=may_end.wait, args=[20])
        child.start()
    try:
        with store_lock(tmp_path, 0.0):
            pass
    finally:
        may_end.set()
        child.join()

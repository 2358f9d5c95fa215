"""Runs a command as a run of an automation, so that it never outlives whoever asked the gate for it.

A wrapper that is killed with -9 can do nothing more, and what it started would go on with nobody who knows.
So the kernel ends the command with its parent (prctl(2), PR_SET_PDEATHSIG), and a watcher, a second small
process that hears of the wrapper's end through a pipe, ends all that the command has started: each of them
carries a mark in its environment. Both need Linux; elsewhere the command goes on and is seen in flight.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from workbench.settings import own_environment

MARK = "WORKBENCH_RUN_MARK"
"""Variable that tells the processes of one run from all others; it says nothing else."""
GRACE_SECONDS = 3.0
"""How long what is told to end may take before it is ended by force."""

_LOOK_SECONDS = 0.05
_ROUNDS = 20
_SIGNALLED = 128
_PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_PR_SET_PDEATHSIG = 1
_MOST_DESCRIPTORS = 65536


def run_to_its_end(words: Sequence[str], *, note: Callable[[int], None]) -> int:
    """Run a command to its end, whoever wants to end us before, and return its exit code.

    A run that goes on is in flight: `note` is told the processes that it is in. Raises OSError where there is
    no such command.
    """
    mark = uuid.uuid4().hex
    with _signals() as came, _watched(mark) as watcher:
        if watcher:
            note(watcher)  # first: a command is never there without somebody who is seen in flight
        child = subprocess.Popen(
            words, env=own_environment(**{MARK: mark}), preexec_fn=_end_with(os.getpid())
        )
        note(child.pid)
        came.child = child
        for number in came.early:
            child.send_signal(number)
        code = child.wait()
    return code if code >= 0 else _SIGNALLED - code


class _Came:
    """Signals that were meant for us: passed on to the command, or kept until there is one."""

    def __init__(self) -> None:
        self.child: subprocess.Popen[bytes] | None = None
        self.early: list[int] = []

    def pass_on(self, number: int, frame: FrameType | None) -> None:
        if self.child is None:
            self.early.append(number)
        elif number != signal.SIGINT:  # the keyboard's reaches the command by itself
            self.child.send_signal(number)


@contextmanager
def _signals() -> Iterator[_Came]:
    came = _Came()
    before = {number: signal.signal(number, came.pass_on) for number in _PASSED_ON}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_with(parent: int) -> Callable[[], None] | None:
    """Return what a child does first so that the kernel tells it to end when its parent has ended."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        control = library.prctl
    except (OSError, AttributeError):
        return None

    def ask() -> None:
        control(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before it could be asked
            os._exit(_SIGNALLED + signal.SIGTERM)

    return ask


@contextmanager
def _watched(mark: str) -> Iterator[int]:
    """Let a watcher end whatever carries the mark, should this process end without having said so; gives its pid."""
    ours, theirs = os.pipe()
    watcher = os.fork()
    if watcher == 0:
        _watch(ours, mark)
    os.close(ours)
    try:
        yield watcher
    finally:
        with contextlib.suppress(OSError):
            os.write(theirs, b".")
        os.close(theirs)
        with contextlib.suppress(OSError):
            os.waitpid(watcher, 0)


def _watch(pipe: int, mark: str) -> None:
    """Wait for the wrapper's word, in the watcher; without one end what it started. Never returns."""
    try:
        os.setsid()  # neither the keyboard's signals nor those of the group are meant for it
        os.closerange(0, pipe)  # who reads the command's output must not wait for the watcher
        os.closerange(pipe + 1, _MOST_DESCRIPTORS)
        if not os.read(pipe, 1):
            end_marked(mark)
    finally:
        os._exit(0)


def end_marked(mark: str) -> None:
    """End every process that carries a mark: told to, then by force; also those that they start meanwhile."""
    deadline = time.monotonic() + GRACE_SECONDS
    told: set[int] = set()
    for _ in range(int(GRACE_SECONDS / _LOOK_SECONDS) + _ROUNDS):
        found = marked(mark)
        if not found:
            return
        is_over = time.monotonic() >= deadline
        for pid in found if is_over else found - told:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL if is_over else signal.SIGTERM)
        told |= found
        time.sleep(_LOOK_SECONDS)


def marked(mark: str) -> set[int]:
    """Return the processes that carry a mark; none where the kernel does not show them."""
    wanted = f"{MARK}={mark}".encode()
    found = set()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if wanted in path.read_bytes().split(b"\0"):
                found.add(int(path.parent.name))
    return found

"""Waiting at the gate: woken by the wake file through inotify, and looking once a second as a net."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import time
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.answers import GateAnswer, GateState
from workbench.gate.asked import Effect
from workbench.snapshot import WAKE_FILE

if TYPE_CHECKING:
    from workbench.gate.asking import Gate

LOOK_SECONDS = 1.0
"""How long a waiter sleeps at most before it looks again, whether or not it was woken."""

_IN_MODIFY, _IN_ATTRIB, _IN_CLOSE_WRITE = 0x2, 0x4, 0x8
_IN_DELETE_SELF, _IN_MOVE_SELF = 0x400, 0x800
_EVENTS = _IN_MODIFY | _IN_ATTRIB | _IN_CLOSE_WRITE | _IN_DELETE_SELF | _IN_MOVE_SELF


class Waker:
    """Tells when the wake file of a gate folder was written; where the kernel cannot, it only sleeps."""

    def __init__(self, folder: Path) -> None:
        """Open an inotify queue; `arm` puts the watch on the file."""
        self._path = os.fsencode(folder / WAKE_FILE)
        self._library = ctypes.CDLL(None, use_errno=True)
        try:
            found = self._library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        except AttributeError:  # a system without inotify
            found = -1
        self.descriptor: int | None = found if found >= 0 else None

    def __enter__(self) -> Waker:
        """Use it for one wait."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the queue."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def arm(self) -> None:
        """Watch the file that is there now; done before looking, so that nothing is missed in between."""
        if self.descriptor is not None:
            self._library.inotify_add_watch(self.descriptor, self._path, _EVENTS)

    def clear(self) -> None:
        """Forget what has woken so far."""
        if self.descriptor is not None:
            with contextlib.suppress(BlockingIOError):
                while os.read(self.descriptor, 4096):
                    pass

    def wait(self, seconds: float) -> None:
        """Sleep until the file is written, at most so long."""
        if self.descriptor is None:
            time.sleep(seconds)
            return
        watched = select.poll()
        watched.register(self.descriptor, select.POLLIN)
        if watched.poll(max(0.0, seconds) * 1000):
            self.clear()


def wait_until_clear(
    gate: Gate, automation_id: str, *, seconds: float | None, effect: Effect
) -> GateAnswer:
    """Ask, and wait for the next publication, until the answer is CLEAR or the time is over."""
    until = deadline(seconds)
    with Waker(gate.folder) as waker:
        while True:
            waker.arm()
            answer = gate.check(automation_id, effect)
            left = until - time.monotonic()
            if answer.state is GateState.CLEAR or left <= 0:
                return answer
            waker.wait(min(LOOK_SECONDS, left))


def deadline(seconds: float | None) -> float:
    """Return until when (monotonic) a wait lasts; without a limit for ever."""
    return float("inf") if seconds is None else time.monotonic() + seconds

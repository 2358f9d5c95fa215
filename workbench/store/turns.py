"""One place in the kernel's queue of a lock: who comes first gets it first, and nobody sleeps past a turn.

Trying again and again is unfair: whoever happens to try at the right moment gets the lock, and with sixteen
writers one got four turns while another got one. The kernel lets those that wait for a `flock` in one after
the other, in the order of their coming, but it knows no limit of time; so a thread waits there for us.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from pathlib import Path


class Turn:
    """Waits for a lock in a thread of its own; whoever made it calls `leave` in the end, with or without the lock."""

    def __init__(self, path: Path) -> None:
        """Queue for the lock of a file; raises OSError where it cannot be opened."""
        self.descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._mutex = threading.Lock()
        self._is_settled = threading.Event()
        self._is_ours = False
        self._is_over = False
        try:
            threading.Thread(target=self._queue, name="store lock", daemon=True).start()
        except RuntimeError:  # no thread can be had: whoever waits tries now and then
            self._is_settled.set()

    def has_come(self, seconds: float) -> bool:
        """Wait for the lock, at most so long; tells whether it is ours."""
        is_settled = self._is_settled.wait(seconds)
        if is_settled and not self._is_ours:
            time.sleep(seconds)  # the kernel does not queue here: whoever waits tries now and then
        return self._is_ours

    def leave(self) -> None:
        """Free the lock, or the place in the queue: where it comes later, it is freed at once."""
        with self._mutex:
            if not self._is_over and self._is_settled.is_set():
                self._free()
            self._is_over = True

    def _queue(self) -> None:
        with contextlib.suppress(
            OSError
        ):  # whoever waits tries for itself as well, and says why it fails
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
            self._is_ours = True
        with self._mutex:
            if self._is_over:
                self._free()
            self._is_settled.set()

    def _free(self) -> None:
        # Unlocked by name: a forked child has the descriptor, too, and would keep the lock.
        with contextlib.suppress(OSError):
            fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        os.close(self.descriptor)

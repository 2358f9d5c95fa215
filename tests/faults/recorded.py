"""The real command line, showing what its memory map holds before each sync: `python -m tests.faults.recorded "" "" pause ...`.

The first word names a seeded bug, or is empty; `alone` after it keeps the command in one thread.
"""

from __future__ import annotations

import mmap
import os
import sys

from tests.faults.recording import SHOWN
from tests.faults.seeded import BUGS, stay_alone
from workbench.cli import main

_right = mmap.mmap


class ShownMap(_right):
    """A memory map that shows what it holds."""

    def flush(self, *given: int) -> None:
        """Show, then sync."""
        os.pwrite(_shown, self[:], 0)
        super().flush(*given)


if __name__ == "__main__":
    _shown = os.open(SHOWN, os.O_WRONLY)
    mmap.mmap = ShownMap  # type: ignore[misc]
    bug, how, *words = sys.argv[1:]
    if how == "alone":
        stay_alone()
    if bug:
        BUGS[bug]()
    main(words)

"""The real command line, showing what its memory map holds before each sync: `python -m tests.faults.recorded "" pause ...`.

The first word names a seeded bug, or is empty.
"""

from __future__ import annotations

import mmap
import os
import sys

from tests.faults.recording import SHOWN
from tests.faults.seeded import BUGS
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
    if sys.argv[1]:
        BUGS[sys.argv[1]]()
    main(sys.argv[2:])

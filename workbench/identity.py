"""What tells one gate folder, and one store's file, from every other on this machine. Standard library only."""

from __future__ import annotations

import functools
import hashlib
import os
from pathlib import Path
from typing import Any


@functools.cache
def boot_id() -> str:
    """Return what tells this machine, since it was started, from every other; empty where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def source_of(path: Path) -> dict[str, Any]:
    """Return what names a store's file to gates of this machine."""
    found = os.stat(path)
    return {
        "path": str(path),
        "device": found.st_dev,
        "inode": found.st_ino,
        "boot_id": boot_id(),
    }


def folder_id(number: int, found: os.stat_result) -> str:
    """Return the id of a gate folder from its number and its epoch file; empty where it has no number.

    It holds on this machine and until its next start. A folder that was copied, restored or made anew has
    another id, and so has one after a restart: what was granted to an id is never there twice.
    """
    if not number:
        return ""
    named = f"{number} {boot_id()} {found.st_dev} {found.st_ino}"
    return f"gf-{hashlib.sha256(named.encode()).hexdigest()[:16]}"

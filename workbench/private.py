"""Reads files that hold secrets: only where nobody else can read or replace them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from workbench.errors import BadSettings

LARGEST_BYTES = 1_048_576
"""Far more than a key or a list of addresses has; a device that never ends is cut off there."""


def read_private(path: Path, *, name: str, instead: str, renew: str) -> bytes | None:
    """Return the bytes of a private file, None where there is none.

    Raises BadSettings when it cannot be read, or when others could read or replace it: `name` is what the file
    is called, `instead` what is therefore not done, and `renew` what to do where others may have read it.
    """
    try:
        with open(path, "rb") as file:
            found = os.fstat(file.fileno())
            content = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise BadSettings(f"{name} cannot be read: {exc.strerror}.") from exc
    if len(content) > LARGEST_BYTES:
        raise BadSettings(f"{name} cannot be read: it is larger than {LARGEST_BYTES} bytes.")
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077 or found.st_uid != os.getuid():
        raise BadSettings(
            f"{name} is open to others (mode {mode:04o}); {instead}.",
            next_step=f"`chmod 600 {path}`; where others may have read it, {renew}",
        )
    return content

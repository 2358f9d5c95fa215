"""Reads the TOML files that people write: bounded, in UTF-8, and every way of being none is one kind of error."""

from __future__ import annotations

import errno
import tomllib
from pathlib import Path
from typing import Any

from workbench.records import LARGEST_INTEGER

LARGEST_BYTES = 16 * 1_048_576
"""Far more than any file that people write by hand; a device that never ends is cut off there."""


class NotToml(ValueError):
    """A text is no TOML; its words are fit for people."""


def read_text(path: Path) -> str:
    """Return the text of a file, without the mark that some editors put before it.

    Raises OSError, also for what is larger than `LARGEST_BYTES`, and UnicodeDecodeError for what is not UTF-8.
    """
    with open(path, "rb") as file:
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise OSError(errno.EFBIG, f"it is larger than {LARGEST_BYTES // 1_048_576} MiB", str(path))
    return content.decode("utf-8-sig").replace("\r\n", "\n")


def parse_toml(text: str) -> dict[str, Any]:
    """Return the tables of a text; raises NotToml, which names the line where the parser does."""
    try:
        body = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise NotToml(str(exc)) from exc
    except RecursionError as exc:
        raise NotToml("it is nested too deeply") from exc
    except ValueError as exc:  # Python turns no more digits into a number
        raise NotToml("a number in it has too many digits") from exc
    _refuse_what_no_log_can_hold(body)
    return body


def _refuse_what_no_log_can_hold(value: Any, key: str = "") -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _refuse_what_no_log_can_hold(inner, name)
    elif isinstance(value, list):
        for inner in value:
            _refuse_what_no_log_can_hold(inner, key)
    elif isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        raise NotToml(f"the number of {key[:80]!r} is beyond {LARGEST_INTEGER}")

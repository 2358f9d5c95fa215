"""Masks what differs between two errors of one cause, so that failures can be counted by signature."""

from __future__ import annotations

import re

MAX_SIGNATURE_LENGTH = 200
"""Characters kept of a signature; enough to tell causes apart, short enough for a table row."""

_MASKS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(
            r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b"
        ),
        "<uuid>",
    ),
    (
        re.compile(
            r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?\b"
        ),
        "<time>",
    ),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b"), "<time>"),
    (re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s'\"<>)\]]+", re.IGNORECASE), "<url>"),
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"), "<address>"),
    (re.compile(r"'[^'\n]{1,400}'|\"[^\"\n]{1,400}\"|`[^`\n]{1,400}`"), "<value>"),
    (re.compile(r"(?<![\w<])(?:[A-Za-z]:\\|\.{0,2}/)[\w.@%+~-]+(?:[/\\][\w.@%+~-]+)*/?"), "<path>"),
    (re.compile(r"\b0[xX][0-9a-fA-F]+\b"), "<hex>"),
    # An id in hex has no letter, or no digit, by chance: it is called as a number is, so that one cause stays one.
    (
        re.compile(
            r"\b(?:(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{6,}|[a-fA-F]{8,})\b"
        ),
        "<n>",
    ),
    (re.compile(r"(?:(?<=HTTP )|(?<=status )|(?<=code ))\d{6,}\b"), "<n>"),
    (re.compile(r"\b(?=\w*\d)(?=\w*[A-Za-z])\w*\d{3,}\w*\b"), "<id>"),
    # An HTTP status names the cause, so it stays.
    (re.compile(r"(?<!HTTP )(?<!status )(?<!code )(?<![A-Za-z<\d])[-+]?\d+(?:[.,]\d+)*%?"), "<n>"),
    (re.compile(r"\s+"), " "),
)


def error_signature(message: str) -> str:
    """Return the message with ids, numbers, paths, hex, instants and quoted values masked, on one bounded line."""
    masked = _telling_line(message)[: MAX_SIGNATURE_LENGTH * 10]
    for pattern, name in _MASKS:
        masked = pattern.sub(name, masked)
    masked = masked.strip()
    if len(masked) <= MAX_SIGNATURE_LENGTH:
        return masked
    return masked[: MAX_SIGNATURE_LENGTH - 3] + "..."


def _telling_line(message: str) -> str:
    """Return the first line that says something; of a traceback the last one, which names the error."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if not lines:
        return ""
    return lines[-1] if lines[0].startswith("Traceback (most recent call last)") else lines[0]

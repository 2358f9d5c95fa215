"""How the terminal shows things: aligned tables, safe text, UTC instants, and which store is meant."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import click

from workbench.records import HeadNote
from workbench.settings import Settings

_BIDI = {
    ord(c): None
    for c in "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
}


def printable(text: str) -> str:
    """Return text that cannot move the cursor, change colours or reverse its order on a terminal."""
    visible = text.translate(_BIDI)
    return "".join(
        c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in visible
    )


def when(instant: datetime | None) -> str:
    """Write an instant plainly, or a dash."""
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC" if instant else "-"


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return an aligned table as text."""
    cells = [[printable(str(c)).replace("\n", " ") for c in row] for row in rows]
    widths = [
        max(len(headers[i]), *(len(row[i]) for row in cells)) if cells else len(headers[i])
        for i in range(len(headers))
    ]
    lines = ["  ".join(h.ljust(w) for h, w in zip(headers, widths, strict=True)).rstrip()]
    lines.append("  ".join("-" * w for w in widths))
    lines += [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    ]
    return "\n".join(lines)


def as_json(value: Any) -> str:
    """Return JSON for a reading command; instants as ISO text."""
    return json.dumps(value, indent=2, sort_keys=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    return str(value)


def store_line(head: HeadNote, settings: Settings) -> str:
    """Return the line that says which store is meant, and DEMO with the recorded time on a recorded clock."""
    demo = (
        f"DEMO, clock stands at {when(settings.demo_clock_at)}  |  "
        if settings.demo_clock_at
        else ""
    )
    where = f"store {head.store_id}  |  environment {head.environment}  |  {head.place}"
    return f"{demo}{where}  |  event {head.seq}"


def head_line(head: HeadNote) -> None:
    """Print the head note: each copy of it outside the store is evidence."""
    click.echo(click.style(head.text, dim=True))

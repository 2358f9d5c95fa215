"""How far what tells of some automations is loaded, and whether a restart may rest on it: no I/O.

Whoever asks for a resume brings this along, for the control layer does not read the warehouse. That
nothing new failed since a decision means nothing where nothing was loaded since.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from workbench.clock import to_text

AHEAD = timedelta(minutes=10)
"""How far a source may claim to be loaded ahead of our clock: two clocks differ by less."""

HOW_TO_LOAD = (
    "`workbench sync ENGINE`, or `workbench load --table run --source NAME FILE "
    "--complete-until INSTANT`, then the resume again"
)


@dataclass(frozen=True)
class EvidenceQuestion:
    """What is asked of the warehouse before a resume.

    Attributes:
        automation_ids: what would run again; `providers` are theirs.
        since: a source that told of none of them since then does not serve them any more.
    """

    automation_ids: tuple[str, ...]
    providers: tuple[str, ...]
    since: datetime
    as_of: datetime


@dataclass(frozen=True)
class SourceMark:
    """How far one table of a source is loaded that tells of these automations.

    Attributes:
        load_command: what brings it further.
    """

    source_id: str
    table_name: str
    loaded_until_at: datetime
    load_command: str


@dataclass(frozen=True)
class Evidence:
    """The answer: the automations that it is about, and every table of a source that tells of them."""

    automation_ids: tuple[str, ...]
    marks: tuple[SourceMark, ...]


@dataclass(frozen=True)
class LoadedRun:
    """A run as the warehouse has it: what a person reviewed before a first run in production."""

    source_id: str
    run_id: str
    automation_id: str
    status: str
    run_mode: str


@dataclass(frozen=True)
class LoadedChange:
    """A change of a record as the warehouse has it: what a person verified.

    Attributes:
        content_sha256: of what the change was; a row that says something else later was not looked at.
    """

    source_id: str
    run_id: str
    record_type: str
    record_id: str
    change_seq: int
    automation_id: str
    content_sha256: str


@dataclass(frozen=True)
class NothingLoaded:
    """That no change by an automation is loaded of some time: what a person says of who wrote nothing rests on it.

    Attributes:
        runs_sha256: of the runs that are loaded of that time and how each ended; other runs were not looked at.
    """

    automation_id: str
    run_count: int
    runs_sha256: str


EvidenceReader = Callable[[EvidenceQuestion], Evidence]
"""Reads how far the sources of some automations are loaded; `workbench.opening` has the warehouse's."""


_WHERE_SILENT: Final[Mapping[str, Any]] = {
    "change": "unknown",
    "before": "",
    "after": "",
    "reversibility": "unknown",
    "customer_facing": True,
    "automation_id": "",
}
"""What a change says besides its instant, and what it counts as where its source says nothing or nothing but ''."""


def change_sha256(changed_at: datetime, content: Mapping[Any, Any]) -> str:
    """Return the SHA-256 of what a change was: instant, kind, before and after, whether it can be undone, whose it is.

    Whoever looked at a harmless change has not looked at one that cannot be taken back.
    """
    told = [_told(content.get(name), absent) for name, absent in _WHERE_SILENT.items()]
    said = json.dumps([to_text(changed_at), *told], ensure_ascii=True)
    return hashlib.sha256(said.encode("ascii")).hexdigest()


def _told(value: Any, absent: Any) -> Any:
    if value is None or (isinstance(value, str) and not value):
        return absent
    return bool(value) if isinstance(absent, bool) else str(value)


def nothing_loaded(question: EvidenceQuestion) -> Evidence:
    """Say that no source tells of them: what a control knows that was given no reader."""
    return Evidence(question.automation_ids, ())


@dataclass(frozen=True)
class Staleness:
    """Why loaded evidence carries no resume, and the command that mends it."""

    why: str
    next_step: str


def staleness(
    found: Evidence, *, decided_at: datetime, max_age_seconds: int, now: datetime
) -> Staleness | None:
    """Return all that is too old, the oldest first, and what loads each; None where all is as new as policy asks.

    What one command loads is named once, by the oldest of its tables.
    """
    if not any(mark.table_name == "run" for mark in found.marks):
        names = ", ".join(found.automation_ids)
        return Staleness(f"no loaded source tells of runs of {names}", HOW_TO_LOAD)
    ordered = sorted(found.marks, key=lambda m: (m.loaded_until_at, m.source_id, m.table_name))
    stale = {
        mark.load_command: why
        for mark in reversed(ordered)
        if (
            why := _why_stale(mark, decided_at=decided_at, max_age_seconds=max_age_seconds, now=now)
        )
    }
    if not stale:
        return None
    commands = list(reversed(stale))
    return Staleness(
        "; ".join(stale[command] for command in commands),
        f"{', '.join(commands)}, then the resume again",
    )


def _why_stale(
    mark: SourceMark, *, decided_at: datetime, max_age_seconds: int, now: datetime
) -> str:
    until = mark.loaded_until_at
    age = (now - until).total_seconds()
    said = f"{mark.table_name} of {mark.source_id} is loaded until {until:%Y-%m-%d %H:%M:%S} UTC"
    if until > now + AHEAD:
        return f"{said}, which is yet to come"
    if until < decided_at:
        return f"{said}, {spoken(age)} ago and before the decision"
    if age > max_age_seconds:
        return f"{said}, {spoken(age)} ago; policy allows {spoken(max_age_seconds)}"
    return ""


def spoken(seconds: float) -> str:
    """Write an age in the two largest of its units: `40 s`, `15 min`, `3 h 20 min`, `2 d 4 h`."""
    whole = max(0, int(seconds))
    sizes = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    parts: list[tuple[int, str]] = []
    for unit, size in sizes:
        count, whole = divmod(whole, size)
        if count or parts or unit == "s":
            parts.append((count, unit))
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count) or "0 s"

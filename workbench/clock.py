"""Where every instant comes from, so that tests and recordings can say what time it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

LIKE = "write it like 2026-11-23T21:00:00Z"
"""What is said to whoever wrote an instant that is none."""


class Clock(Protocol):
    """Tells the time, always as an aware UTC instant."""

    def now(self) -> datetime:
        """Return the present instant, UTC."""


@dataclass(frozen=True)
class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present instant, UTC, to the microsecond."""
        return datetime.now(UTC)


@dataclass(frozen=True)
class FixedClock:
    """A clock that stands at one recorded instant."""

    at: datetime

    def now(self) -> datetime:
        """Return the recorded instant."""
        return self.at


def to_text(instant: datetime) -> str:
    """Write an aware instant as fixed-width UTC text with microseconds, so that text order is time order."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant!r} has no offset, so it is not an instant")
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """Read ISO 8601 text with an offset; raises ValueError when it is none or the offset is missing."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as exc:
        raise ValueError(f"{text[:40]!r} is no date and time; {LIKE}") from exc
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no offset; {LIKE}")
    try:
        return instant.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError(f"{text!r} lies outside the years 1 to 9999") from exc

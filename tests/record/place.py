"""Where one recording keeps its files, and the instants it writes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


def now_text() -> str:
    """Return the present instant as fixed-width ISO 8601 text in UTC."""
    return to_text(datetime.now(UTC))


def to_text(instant: datetime) -> str:
    """Write an aware instant as fixed-width text, so that text order is time order."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_text(text: str) -> datetime:
    """Read an instant with an offset."""
    return datetime.fromisoformat(text).astimezone(UTC)


@dataclass(frozen=True)
class Place:
    """The folder of one recording and what lies in it."""

    root: Path

    @classmethod
    def from_environment(cls) -> Place:
        """Return the folder named by RECORD_ROOT."""
        return cls(Path(os.environ["RECORD_ROOT"]))

    @property
    def code(self) -> Path:
        """Frozen copy of the source that this recording runs."""
        return self.root / "code"

    @property
    def world(self) -> Path:
        """Small database that the automations write to, with the evidence beside it."""
        return self.root / "world.sqlite"

    @property
    def gate(self) -> Path:
        """Folder that gates read."""
        return self.root / "gate"

    @property
    def store(self) -> Path:
        """Folder of our own store."""
        return self.root / "store"

    @property
    def home(self) -> Path:
        """Private folder of the workbench commands."""
        return self.root / "home"

    @property
    def batches(self) -> Path:
        """One folder of rows per instant."""
        return self.root / "batches"

    @property
    def raw(self) -> Path:
        """Answers of Prefect as they came, compressed."""
        return self.root / "raw"

"""Opens a recording of things that happened: its instants, its batches of rows, and our store's log.

A recording is a folder: `recording.json`, `store_log.jsonl.gz` (one event a line: seq, prev_hash, hash,
body), and one folder of `TABLE.jsonl.gz` files for each instant, in order. Loading the batches up to an
instant gives the warehouse as it was then; times are never shifted. Reading only: loading is the
warehouse's, restoring a store is the store's.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.clock import from_text
from workbench.errors import NotFound

SHIPPED = Path(__file__).parent
RECORDING_FILE = "recording.json"
LOG_FILE = "store_log.jsonl.gz"


@dataclass(frozen=True)
class Instant:
    """One named instant of a recording.

    Attributes:
        hold_id: the hold that a review at this instant is about.
        only: scope of the review where it is about a part of the hold, else an empty text.
        log_seq: last event of our store's log at this instant.
    """

    name: str
    at: datetime
    hold_id: str
    only: str
    batches: tuple[str, ...]
    log_seq: int
    log_hash: str


@dataclass(frozen=True)
class Recording:
    """A recording on disk; opening reads only its description."""

    folder: Path
    title: str
    recorded_on: str
    instants: dict[str, Instant]
    staged: tuple[str, ...]
    real: tuple[str, ...]

    @classmethod
    def open(cls, name: str, place: Path | None = None) -> Recording:
        """Open a recording by name from the shipped ones, or from another folder that holds recordings.

        Raises NotFound, naming those that are there.
        """
        base = SHIPPED if place is None else place
        folder = base / name
        if not (folder / RECORDING_FILE).is_file():
            known = ", ".join(shipped_names(base)) or "none"
            raise NotFound(
                f"There is no recording {name!r}; there are: {known}.",
                next_step="name one of these",
            )
        body = json.loads((folder / RECORDING_FILE).read_text(encoding="utf-8"))
        return cls(
            folder=folder,
            title=body["title"],
            recorded_on=body["recorded_on"],
            instants={key: _instant(key, row) for key, row in body["instants"].items()},
            staged=tuple(body["staged"]),
            real=tuple(body["real"]),
        )

    def as_of(self, instant: str) -> datetime:
        """Return when an instant was."""
        return self.instant(instant).at

    def instant(self, name: str) -> Instant:
        """Return one instant; raises NotFound, naming those that are there."""
        if name not in self.instants:
            raise NotFound(
                f"The recording has no instant {name!r}; there are: {', '.join(self.instants)}.",
                next_step="name one of these",
            )
        return self.instants[name]

    def batches_until(self, instant: str) -> tuple[Path, ...]:
        """Return the folders of rows to load, in order, for the warehouse as it was at an instant."""
        return tuple(self.folder / batch for batch in self.instant(instant).batches)

    def store_log(self) -> Iterator[dict[str, Any]]:
        """Give every line of our store's log in order."""
        with gzip.open(self.folder / LOG_FILE, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)

    def store_log_until(self, instant: str) -> list[dict[str, Any]]:
        """Return the lines of our store's log as it stood at an instant."""
        last = self.instant(instant).log_seq
        return [line for line in self.store_log() if line["seq"] <= last]


def shipped_names(place: Path = SHIPPED) -> list[str]:
    """Return the names of the recordings in a folder, by default the shipped ones."""
    return sorted(found.parent.name for found in place.glob(f"*/{RECORDING_FILE}"))


def _instant(name: str, row: dict[str, Any]) -> Instant:
    return Instant(
        name=name,
        at=from_text(row["at"]),
        hold_id=row["hold_id"],
        only=row.get("only", ""),
        batches=tuple(row["batches"]),
        log_seq=int(row["log_head"]["seq"]),
        log_hash=row["log_head"]["hash"],
    )

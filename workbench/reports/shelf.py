"""Where reports lie: one folder each, under a temporary name until complete, and one maker at a time."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbench.errors import Refused, StorageUnavailable

PAYLOAD_MIME = "application/vnd.workbench.report+json"
"""Where the last cell of a report leaves what it concluded, as plain JSON for the runner."""

TICKET = "run.json"
"""Exists only while a report is being made; a notebook that finds it is that run, every other is by hand."""


class Shelf:
    """The reports of one store: a folder of its own in `reports` under the home folder.

    A home may serve several stores, and each has a report R-1.
    """

    def __init__(self, home: Path, store_id: str) -> None:
        """Take the home folder and the store; nothing is made yet."""
        self.folder = home / "reports" / store_id

    def place_of(self, report_id: str) -> Path:
        """Return where a finished report lies."""
        return self.folder / report_id

    def begin(self, ticket: Mapping[str, Any]) -> MakingPlace:
        """Make a temporary folder and put the run's ticket there."""
        ticket_id = uuid.uuid4().hex
        place = self._making_folder(ticket_id)
        try:
            place.mkdir(parents=True)
            write_json(place / TICKET, {**ticket, "run_ticket": ticket_id})
        except OSError as exc:
            raise StorageUnavailable(
                f"The report folder {self.folder} cannot be written: {exc.strerror}."
            ) from exc
        return MakingPlace(self, ticket_id, folder=place)

    def ticket(self, ticket_id: str) -> Mapping[str, Any]:
        """Return the ticket of a run that is under way, or nothing when there is none of that id."""
        path = self._making_folder(ticket_id) / TICKET
        if not ticket_id or not path.is_file():
            return {}
        found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def _making_folder(self, ticket_id: str) -> Path:
        return self.folder / f".making-{ticket_id}"

    @contextmanager
    def only_maker(self, name: str) -> Iterator[None]:
        """Hold the lock of one report name; a second maker of the same report is refused, not queued."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f".{name}.lock"
        with path.open("a+", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as exc:
                lock.seek(0)
                maker = lock.read().strip() or "unknown"
                raise Refused(
                    f"The report {name} is being made right now by process {maker}; nothing was started.",
                    next_step="wait until it is done, then run the command again",
                ) from exc
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield


class MakingPlace:
    """The folder of a report while it is being made."""

    def __init__(self, shelf: Shelf, ticket_id: str, *, folder: Path) -> None:
        """Remember where it is and which run it belongs to."""
        self._shelf = shelf
        self.ticket_id = ticket_id
        self.folder = folder

    @property
    def sentinel(self) -> str:
        """Words that only the last cell of this very run prints."""
        return sentinel_of(self.ticket_id)

    def finish(self, name: str) -> Path:
        """Give the folder its final name; the rename is what makes it a report."""
        place = self._shelf.place_of(name)
        (self.folder / TICKET).unlink(missing_ok=True)
        try:
            self.folder.rename(place)
        except OSError as exc:
            raise StorageUnavailable(
                f"The report {name} could not take its place {place}: {exc.strerror}."
            ) from exc
        return place

    def abandon(self) -> None:
        """Take away what a run that never came to an end left behind."""
        shutil.rmtree(self.folder, ignore_errors=True)


def sentinel_of(ticket_id: str) -> str:
    """Return the words that the last cell of a run prints."""
    return f"REPORT-COMPLETE {ticket_id}"


def write_json(path: Path, value: Mapping[str, Any]) -> str:
    """Write sorted, indented JSON and return its text; equal content gives equal bytes."""
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=True, allow_nan=False) + "\n"
    path.write_text(text, encoding="ascii")
    return text

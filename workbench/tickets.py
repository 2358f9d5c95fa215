"""Tickets of a narrow restart: one per run, counted across processes in one locked file."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from workbench.snapshot import TICKET_FOLDER, fsync_folder


class TicketFault(Exception):
    """The tickets cannot be counted, so nothing is let through; the text says why."""


@dataclass(frozen=True)
class Ticket:
    """One run let through by a narrow restart."""

    run_id: str
    automation_id: str
    taken_at: str


@dataclass(frozen=True)
class TicketBook:
    """The tickets of one probation, in one file of JSON lines."""

    folder: Path
    probation_id: str
    max_runs: int

    @property
    def path(self) -> Path:
        """Where the tickets are."""
        return self.folder / TICKET_FOLDER / f"{self.probation_id}.jsonl"

    def create(self) -> None:
        """Make the empty file, durably; done by the store before the narrow restart is published."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "ab") as file:
            os.fsync(file.fileno())
        fsync_folder(self.path.parent)

    def take(self, automation_id: str, run_id: str) -> str:
        """Take the ticket of a run, durably; returns why there is none, or an empty text.

        The same run gets its ticket again. Raises TicketFault when the file cannot be read or written.
        """
        with self._locked() as descriptor:
            taken = self._read(descriptor)
            if any(
                ticket.run_id == run_id and ticket.automation_id == automation_id
                for ticket in taken
            ):
                return ""
            if len(taken) >= self.max_runs:
                return f"the narrow restart {self.probation_id} has used its {self.max_runs} runs"
            line = json.dumps(
                {
                    "run_id": run_id,
                    "automation_id": automation_id,
                    "taken_at": datetime.now(UTC).isoformat(),
                }
            )
            os.write(descriptor, line.encode() + b"\n")
            os.fsync(descriptor)
            return ""

    def taken(self) -> list[Ticket]:
        """Return the tickets taken so far; raises TicketFault when the file cannot be read."""
        with self._locked() as descriptor:
            return self._read(descriptor)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        # The file is made by the store; a missing one must not hand out fresh tickets.
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND)
        except OSError as exc:
            raise TicketFault(
                f"the tickets of {self.probation_id} cannot be read: {exc.strerror}"
            ) from exc
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        except OSError as exc:
            raise TicketFault(
                f"the tickets of {self.probation_id} cannot be written: {exc.strerror}"
            ) from exc
        finally:
            os.close(descriptor)

    @staticmethod
    def _read(descriptor: int) -> list[Ticket]:
        size = os.fstat(descriptor).st_size
        content = os.pread(descriptor, size, 0)
        if content and not content.endswith(b"\n"):
            # A writer died inside a line: close it, so that it counts as taken rather than swallow the next.
            os.write(descriptor, b"\n")
        return [_ticket(line) for line in content.splitlines() if line]


def _ticket(line: bytes) -> Ticket:
    try:
        found = json.loads(line)
        return Ticket(str(found["run_id"]), str(found["automation_id"]), str(found["taken_at"]))
    except (ValueError, KeyError, TypeError):
        return Ticket("", "", "")

"""Tickets of a narrow restart: one per run, counted across processes in one locked file."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.durable import fsync_folder
from workbench.snapshot import TICKET_FOLDER

LOCK_WAIT_SECONDS = 2.0
"""How long a run waits for another process that is taking a ticket; then it is not let through."""

_LOCK_STEP_SECONDS = 0.002


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
    """The tickets of one probation, in one file of JSON lines.

    A line either stands for a run or closes the book for good: a limit of time that somebody saw reached
    stays reached, whatever the clock says afterwards.
    """

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

    def take(self, automation_id: str, run_id: str, *, now: datetime) -> str:
        """Take the ticket of a run, durably; returns why there is none, or an empty text.

        The same run gets its ticket again. Raises TicketFault when the file cannot be read or written.
        """
        with self._locked() as descriptor:
            refusal, has_ticket = self._judge(_pread(descriptor), automation_id, run_id)
            if refusal or has_ticket:
                return refusal
            taken_at = now.isoformat()
            ticket = {"run_id": run_id, "automation_id": automation_id, "taken_at": taken_at}
            self._append(descriptor, ticket)
            return ""

    def refusal(self, automation_id: str, run_id: str) -> str:
        """Return why `take` would give the run no ticket now, or an empty text; takes nothing."""
        return self._judge(self._content(), automation_id, run_id)[0]

    def has_ticket(self, automation_id: str, run_id: str) -> bool:
        """Tell whether the run holds a ticket of a book that is still open."""
        refusal, has_ticket = self._judge(self._content(), automation_id, run_id)
        return has_ticket and not refusal

    def close(self, why: str, *, now: datetime) -> None:
        """Let nothing through any more, durably; raises TicketFault when that cannot be written."""
        with self._locked() as descriptor:
            if _closed(_lines(_pread(descriptor))) is None:
                self._append(descriptor, {"closed": why, "closed_at": now.isoformat()})

    def taken(self) -> list[Ticket]:
        """Return the tickets taken so far, without waiting for anybody; raises TicketFault unreadable."""
        return [_ticket(line) for line in _lines(self._content()) if "closed" not in line]

    def why_closed(self) -> str:
        """Return why the book was closed, or an empty text; raises TicketFault when it is unreadable."""
        return _closed(_lines(self._content())) or ""

    def _judge(self, content: bytes, automation_id: str, run_id: str) -> tuple[str, bool]:
        lines = _lines(content)
        closed = _closed(lines)
        if closed is not None:
            return closed, False
        tickets = [_ticket(line) for line in lines]
        if any((t.run_id, t.automation_id) == (run_id, automation_id) for t in tickets):
            return "", True
        if len(tickets) >= self.max_runs:
            return (
                f"the narrow restart {self.probation_id} has used its {self.max_runs} runs",
                False,
            )
        return "", False

    def _content(self) -> bytes:
        # A line being written meanwhile is read as a part of one and counts as taken: never too few.
        try:
            return self.path.read_bytes()
        except OSError as exc:
            raise self._fault("read", exc) from exc

    def _append(self, descriptor: int, line: dict[str, str]) -> None:
        content = json.dumps(line).encode() + b"\n"
        if _pread(descriptor)[-1:] not in (b"", b"\n"):
            content = b"\n" + content  # a writer died inside a line: it stays counted as taken
        if os.write(descriptor, content) != len(content):
            raise TicketFault(f"the tickets of {self.probation_id} cannot be written: disk full")
        os.fsync(descriptor)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        # The file is made by the store; a missing one must not hand out fresh tickets.
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND)
        except OSError as exc:
            raise self._fault("read", exc) from exc
        try:
            self._acquire(descriptor)
            yield descriptor
        except OSError as exc:
            raise self._fault("written", exc) from exc
        finally:
            os.close(descriptor)

    def _acquire(self, descriptor: int) -> None:
        deadline = time.monotonic() + LOCK_WAIT_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise TicketFault(
                        f"the tickets of {self.probation_id} are locked by another process"
                    ) from None
                time.sleep(_LOCK_STEP_SECONDS)
            else:
                return

    def _fault(self, verb: str, exc: OSError) -> TicketFault:
        return TicketFault(f"the tickets of {self.probation_id} cannot be {verb}: {exc.strerror}")


def _pread(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


def _lines(content: bytes) -> list[dict[str, Any]]:
    """Return the lines; one that cannot be read stands for a ticket nobody can name."""
    found = []
    for text in content.splitlines():
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = {}
        if text:
            found.append(line if isinstance(line, dict) else {})
    return found


def _closed(lines: list[dict[str, Any]]) -> str | None:
    return next((str(line["closed"]) for line in lines if "closed" in line), None)


def _ticket(line: dict[str, Any]) -> Ticket:
    return Ticket(*(str(line.get(name, "")) for name in ("run_id", "automation_id", "taken_at")))

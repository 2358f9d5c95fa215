"""What the mirror tells the store of its host: what gates there have seen, and which tickets were taken."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.clock import SystemClock, to_text
from workbench.presence import Presence, cut_off_runs, read_presences
from workbench.snapshot import SnapshotFault, read_snapshot
from workbench.store.backend import Session
from workbench.store.hosts import FORMAT
from workbench.store.publishing import GateFolder
from workbench.store.state import State
from workbench.tickets import TicketBook, TicketFault

REPORT_SECONDS = 2.0
"""How often a host reports where nothing has changed; what has changed is reported at once."""
COPY_SECONDS = 40.0
"""For so long another folder may report under the same name and number before it is taken for a copy."""
MOST_AUTOMATIONS = 2000
MOST_TICKETS = 500
LONGEST_REPORT = 900_000
_LONGEST_ID = 200


class HostReporter:
    """Reports one gate folder in the name of one host."""

    def __init__(self, gates: GateFolder, *, name: str, account: str) -> None:
        """Remember whom to speak for; nothing is reported yet."""
        self._gates, self._name, self._account = gates, name, account
        self._told: dict[str, Any] = {}
        self._told_at = float("-inf")
        self._refused_since: float | None = None

    def report(self, session: Session, state: State) -> str:
        """Report where there is something to say; returns why another folder's report stands instead, or nothing."""
        body = report_of(self._gates.folder, state)
        instant = time.monotonic()
        is_due = instant - self._told_at >= REPORT_SECONDS
        if not is_due and _gist(body) == _gist(self._told):
            return ""
        number, folder = self._gates.identity(state)
        if not number:  # made by an earlier version, and nothing was published there since
            self._gates.renumber(state)
            number, folder = self._gates.identity(state)
        row = {
            "name": self._name,
            "number": number,
            "folder_id": folder,
            "gate_folder": str(self._gates.folder),
            "reported_by": self._account,
            "said_at": to_text(SystemClock().now()),
            "published_seq": self._gates.told_seq(state),
            "report": json.dumps(body),
        }
        if session.report_host(row):
            self._told, self._told_at, self._refused_since = body, instant, None
            return ""
        return self._give_way(state, instant)

    def _give_way(self, state: State, instant: float) -> str:
        """Wait for a folder that may have been ours before a restart; a copy that goes on makes ours another one."""
        if self._refused_since is None:
            self._refused_since = instant
        if instant - self._refused_since < COPY_SECONDS:
            return f"another gate folder reports as {self._name} under the same number"
        self._gates.renumber(state)
        self._refused_since = None
        return (
            f"another gate folder is a copy of {self._gates.folder}; this one has a new number now"
        )


def report_of(folder: Path, state: State) -> dict[str, Any]:
    """Return what a gate folder has to tell, bounded: automations under a hold first, newest tickets first."""
    said = read_presences(folder)
    ids = sorted(said, key=lambda i: (not state.holds_on(i), i not in state.automations, i))
    body: dict[str, Any] = {
        "format": FORMAT,
        "told_at": _told_at(folder),
        "automations": {i: _entries(said[i]) for i in ids[:MOST_AUTOMATIONS]},
        "books": _books(folder, state),
        "is_whole": len(ids) <= MOST_AUTOMATIONS,
    }
    if len(json.dumps(body)) > LONGEST_REPORT:
        for book in body["books"].values():
            book["tickets"] = []
    return body


def _told_at(folder: Path) -> str:
    try:
        return read_snapshot(folder).published_at
    except SnapshotFault:
        return ""


def _entries(said: Sequence[Presence]) -> list[dict[str, Any]]:
    """Return one entry for the processes that run, told by the one that is furthest behind, and one for the others."""
    running = [p for p in said if p.is_alive]
    ended = [p for p in said if not p.is_alive]
    found = []
    if running:
        least = min(-1 if p.seen_seq is None else p.seen_seq for p in running)
        behind = [p for p in running if (-1 if p.seen_seq is None else p.seen_seq) == least]
        count = sum(p.in_flight_count for p in running)
        asked_at = max(p.asked_at for p in behind)
        found.append(_entry(running, least, asked_at, is_alive=True, in_flight_count=count))
    if ended:
        newest = max(-1 if p.seen_seq is None else p.seen_seq for p in ended)
        ahead = [p for p in ended if (-1 if p.seen_seq is None else p.seen_seq) == newest]
        count = len(cut_off_runs(said))
        asked_at = max(p.asked_at for p in ended)
        found.append(_entry(ahead, newest, asked_at, is_alive=False, in_flight_count=count))
    return found


def _entry(
    said: Sequence[Presence],
    seq: int,
    asked_at: datetime,
    *,
    is_alive: bool,
    in_flight_count: int,
) -> dict[str, Any]:
    return {
        "seen_seq": None if seq < 0 else seq,
        "seen_at": to_text(max(p.seen_at for p in said)),
        "asked_at": to_text(asked_at),
        "is_alive": is_alive,
        "in_flight_count": in_flight_count,
    }


def _books(folder: Path, state: State) -> dict[str, Any]:
    found, left = {}, MOST_TICKETS
    for probation in reversed(state.probations.values()):
        book = TicketBook(folder, probation.probation_id, probation.max_runs)
        try:
            tickets = book.taken()
            why = book.why_closed()
        except TicketFault:
            continue  # none of its tickets are taken here
        shown = [
            (t.run_id[:_LONGEST_ID], t.automation_id[:_LONGEST_ID], t.taken_at[:40])
            for t in tickets[:left]
        ]
        left -= len(shown)
        entry = {"taken_count": len(tickets), "why_closed": why[:_LONGEST_ID], "tickets": shown}
        found[probation.probation_id] = entry
        if left <= 0 and probation.ended_seq is not None:
            break
    return found


def _gist(body: dict[str, Any]) -> str:
    """Return what is worth a report of its own: everything but when somebody asked last."""
    said = body.get("automations", {})
    bare = {i: [{**e, "asked_at": ""} for e in entries] for i, entries in said.items()}
    return json.dumps({**body, "automations": bare}, sort_keys=True)

"""The small database that the demo's automations write to, and what is counted from it.

Not the workbench's store: a stranger's database. So it is the standard library's SQLite, as an
automation of somebody else's would use it; the layers check excepts this module by name.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.clock import from_text, to_text
from workbench.queries import load_query

GUARDS = ("drop_event_in_order", "drop_event_no_update", "drop_event_no_delete")


@dataclass(frozen=True)
class Entry:
    """One write of an automation."""

    automation_id: str
    run_id: str
    step: int
    is_failure: bool
    written_at: datetime


@dataclass(frozen=True)
class Count:
    """Writes of one automation in a window, and how many of them failed."""

    entries: int = 0
    failures: int = 0


class World:
    """One connection to the database; each process opens its own."""

    def __init__(self, path: Path) -> None:
        """Open the database; use `create_world` to make it."""
        self._connection = sqlite3.connect(path, timeout=5.0, isolation_level=None)
        self._run("pragma_synchronous_normal")

    def write(self, entry: Entry) -> None:
        """Record one write, committed on return."""
        values = {
            "automation_id": entry.automation_id,
            "run_id": entry.run_id,
            "step": entry.step,
            "outcome": "failure" if entry.is_failure else "success",
            "written_at": to_text(entry.written_at),
        }
        self._run("insert_entry", values)

    def counts(self, since: datetime, until: datetime) -> dict[str, Count]:
        """Return the writes of each automation that wrote in `[since, until)`."""
        window = {"since": to_text(since), "until": to_text(until)}
        return {name: Count(n, failed) for name, n, failed in self._run("count_entries", window)}

    def count_since(self, automation_id: str, instant: datetime) -> tuple[int, int]:
        """Return how many writes an automation made after an instant, and in how many runs."""
        values = {"automation_id": automation_id, "instant": to_text(instant)}
        entry_count, run_count = self._run("count_since", values)[0]
        return entry_count, run_count

    def last_write_at(self, automation_id: str) -> datetime | None:
        """Return when an automation last wrote."""
        text = self._run("last_entry", {"automation_id": automation_id})[0][0]
        return from_text(text) if text else None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _run(self, name: str, values: dict[str, Any] | None = None) -> list[Any]:
        return self._connection.execute(load_query(f"demo.{name}").sql, values or {}).fetchall()


def create_world(path: Path) -> World:
    """Make an empty database and open it."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for name in ("pragma_journal_wal", "create_entry", "create_entry_index"):
            connection.execute(load_query(f"demo.{name}").sql)
    finally:
        connection.close()
    return World(path)


def alter_copy(path: Path, seq: int, *, before: str, after: str) -> int:
    """Change one event of a copied store as somebody with the file could; returns the rows changed."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for name in GUARDS:
            connection.execute(load_query(f"demo.{name}").sql)
        values = {"seq": seq, "before": before, "after": after}
        return connection.execute(load_query("demo.alter_event").sql, values).rowcount
    finally:
        connection.close()

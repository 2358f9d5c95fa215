"""The small database the automations write to, and the append-only evidence of what happened."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.record.place import now_text

SCHEMA = """
create table if not exists record (record_type text, record_id text, body text not null,
  primary key (record_type, record_id));
create table if not exists evidence (seq integer primary key autoincrement, recorded_at text not null,
  table_name text not null, row_key text not null, body text not null);
create index if not exists evidence_of_row on evidence (table_name, row_key, seq);
"""
Row = dict[str, Any]


class World:
    """Records with true before and after, and every row of evidence in the order it was written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self.connect() as connection:
            for statement in SCHEMA.split(";"):
                connection.execute(statement)

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        """Open one transaction that waits for other writers."""
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        try:
            connection.execute("pragma journal_mode=wal")
            connection.execute("pragma synchronous=normal")
            connection.execute("begin immediate")
            yield connection
            connection.execute("commit")
        finally:
            connection.close()

    def read(self, record_type: str, record_id: str) -> Row | None:
        """Return one record, or None."""
        with self.connect() as connection:
            return self._read(connection, record_type, record_id)

    @staticmethod
    def _read(connection: sqlite3.Connection, record_type: str, record_id: str) -> Row | None:
        found = connection.execute(
            "select body from record where record_type = ? and record_id = ?",
            (record_type, record_id),
        ).fetchone()
        return json.loads(found[0]) if found else None

    def put(self, record_type: str, record_id: str, body: Row) -> None:
        """Write a record without evidence: the state things had before the recording, or a correction."""
        with self.connect() as connection:
            connection.execute(
                "insert or replace into record values (?, ?, ?)",
                (record_type, record_id, json.dumps(body)),
            )

    def add(self, table: str, key: str, row: Row) -> None:
        """Append one version of a row of evidence."""
        with self.connect() as connection:
            self._add(connection, table, key, row)

    @staticmethod
    def _add(connection: sqlite3.Connection, table: str, key: str, row: Row) -> None:
        connection.execute(
            "insert into evidence (recorded_at, table_name, row_key, body) values (?, ?, ?, ?)",
            (now_text(), table, key, json.dumps(row)),
        )

    def revise(self, table: str, key: str, **values: Any) -> Row:
        """Append the newest version of a row with some values changed."""
        with self.connect() as connection:
            found = connection.execute(
                "select body from evidence where table_name = ? and row_key = ? order by seq desc limit 1",
                (table, key),
            ).fetchone()
            row = {**(json.loads(found[0]) if found else {}), **values}
            self._add(connection, table, key, row)
            return row

    def latest(
        self, table: str, *, until_seq: int | None = None, after_seq: int = 0
    ) -> dict[str, Row]:
        """Return the newest version of each row that changed after one seq and not after another."""
        with self.connect() as connection:
            rows = connection.execute(
                "select row_key, body from evidence where table_name = ? and seq > ? and seq <= ? order by seq",
                (table, after_seq, until_seq if until_seq is not None else 1 << 62),
            ).fetchall()
        return {key: json.loads(body) for key, body in rows}

    def last_seq(self) -> int:
        """Return the seq of the newest evidence."""
        with self.connect() as connection:
            return int(
                connection.execute("select coalesce(max(seq), 0) from evidence").fetchone()[0]
            )

    def audit(
        self, actor: str, action: str, target: tuple[str, str], *, run_id: str = "", **more: Any
    ) -> None:
        """Append one audit event; `more` may give outcome, reason and payload."""
        event_id = str(uuid.uuid4())
        now = now_text()
        self.add(
            "audit_event",
            event_id,
            {
                "event_id": event_id,
                "occurred_at": now,
                "recorded_at": now,
                "actor": actor,
                "action": action,
                "raw_action": action,
                "target_kind": target[0],
                "target_id": target[1],
                "outcome": more.get("outcome", "success"),
                "reason": more.get("reason"),
                "correlation_id": run_id or None,
                "payload": more.get("payload"),
            },
        )

    def write(
        self,
        run: tuple[str, str],
        target: tuple[str, str],
        *,
        alter: Callable[[Row | None], Row],
        **facts: Any,
    ) -> Row:
        """Change one record and record its before and after in the same transaction.

        `run` is (run id, automation id); `facts` gives change (create, update, send), reversibility and
        customer_facing.
        """
        run_id, automation_id = run
        with self.connect() as connection:
            before = self._read(connection, *target)
            after = alter(before)
            connection.execute(
                "insert or replace into record values (?, ?, ?)", (*target, json.dumps(after))
            )
            seq = self._count_changes(connection, run_id) + 1
            row = {
                "run_id": run_id,
                "record_type": target[0],
                "record_id": target[1],
                "change_seq": seq,
                "automation_id": automation_id,
                "changed_at": now_text(),
                "before": before,
                "after": after,
                **facts,
                "verified_at": None,
                "verified_by": None,
            }
            self._add(connection, "affected_record", f"{run_id}/{seq}", row)
            return row

    @staticmethod
    def _count_changes(connection: sqlite3.Connection, run_id: str) -> int:
        found = connection.execute(
            "select count(*) from evidence where table_name = 'affected_record' and row_key like ?",
            (f"{run_id}/%",),
        )
        return int(found.fetchone()[0])

"""Reads Prefect and the evidence at an instant, and writes what is new or changed since the last time."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.record.place import Place, from_text, now_text, to_text
from tests.record.prefect_rows import PREFECT_SOURCE, run_row, state_rows, step_rows
from tests.record.prefect_side import PrefectSide
from tests.record.world import World

Row = dict[str, Any]
OVERLAP = timedelta(minutes=3)
SETTLED_AFTER = timedelta(seconds=20)
TERMINAL = {"COMPLETED", "FAILED", "CANCELLED", "CRASHED"}
SOURCES = {
    "audit_event": "acme-audit",
    "approval": "acme-approvals",
    "affected_record": "acme-ledger",
    "provider_status": "acme-status",
    "alert": "acme-alerts",
    "change": "acme-changes",
    "incident": "acme-incidents",
}
EVIDENCE = tuple(SOURCES)
READ_FROM_PREFECT = ("run", "run_state", "step")
KEYS = {
    "run": ("run_id",),
    "run_state": ("run_id", "entered_at", "status"),
    "step": ("run_id", "step_id", "attempt"),
}
OWN_COLUMNS = {"approval": ("apply", "target", "is_applied")}


class Collector(threading.Thread):
    """Follows Prefect all the time, so that a batch at an instant is only the last few seconds away."""

    def __init__(
        self, place: Place, prefect: PrefectSide, *, world: World, every_seconds: float
    ) -> None:
        super().__init__(name="collector", daemon=True)
        self.place, self.prefect, self.world = place, prefect, world
        self.every_seconds = every_seconds
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.began = datetime.now(UTC)
        self.read_until: datetime | None = None
        self.runs: dict[str, Row] = {}
        self.states: dict[str, list[Row]] = {}
        self.tasks: dict[str, list[Row]] = {}
        self.flows: dict[str, str] = {}
        self.vanished: dict[str, str] = {}
        self.settled: set[str] = set()
        self.written: dict[tuple[str, ...], str] = {}
        self.evidence_seq = 0
        self.errors: list[str] = []

    def run(self) -> None:
        """Poll until ended; an error of one poll is kept and the next poll goes on."""
        while not self.ended.wait(self.every_seconds):
            try:
                self.poll()
            except (OSError, ValueError, KeyError) as exc:
                self.errors.append(f"{now_text()} {exc!r}")

    def poll(self) -> datetime:
        """Read what is new in Prefect; returns the instant up to which everything was read."""
        with self.lock:
            began = datetime.now(UTC)
            flows = self.prefect.pages("/flows/filter", {"sort": "NAME_ASC"})
            self.flows = {row["id"]: row["name"] for row in flows}
            found = self._started_since((self.read_until or self.began) - OVERLAP, began)
            open_ids = [i for i in self.runs if i not in found and self._is_open(i)]
            for part in _parts(open_ids, 100):
                found.update(self._runs({"id": {"any_": part}}, began))
            for run_id in open_ids:
                if run_id not in found:
                    self.vanished[run_id] = to_text(began)
            self.runs.update(found)
            self._follow([i for i in found if i not in self.settled])
            self._keep_raw(began, found)
            self.read_until = began
            return began

    def _is_open(self, run_id: str) -> bool:
        return self.runs[run_id]["state_type"] not in TERMINAL and run_id not in self.vanished

    def _started_since(self, since: datetime, now: datetime) -> dict[str, Row]:
        until = to_text(now + timedelta(hours=1))
        between = {"after_": to_text(since), "before_": until}
        return self._runs({"expected_start_time": between}, now)

    def _runs(self, wanted: Row, now: datetime) -> dict[str, Row]:
        """Return the runs of a filter by id, without those that Prefect only plans for later."""
        rows = self.prefect.pages(
            "/flow_runs/filter", {"flow_runs": wanted, "sort": "EXPECTED_START_TIME_ASC"}
        )
        return {
            r["id"]: r
            for r in rows
            if not r["auto_scheduled"]
            or r["state_type"] != "SCHEDULED"
            or from_text(r["expected_start_time"]) <= now
        }

    def _follow(self, run_ids: list[str]) -> None:
        for part in _parts(run_ids, 40):
            tasks = self.prefect.pages(
                "/task_runs/filter",
                {"flow_runs": {"id": {"any_": part}}, "sort": "EXPECTED_START_TIME_ASC"},
            )
            for run_id in part:
                self.tasks[run_id] = [t for t in tasks if t["flow_run_id"] == run_id]
        for run_id in run_ids:
            path = f"/flow_run_states/?flow_run_id={run_id}"
            self.states[run_id] = self.prefect.call("GET", path)
            row, now = self.runs[run_id], datetime.now(UTC)
            is_old = not row["end_time"] or now - from_text(row["end_time"]) > SETTLED_AFTER
            if row["state_type"] in TERMINAL and is_old:
                self.settled.add(run_id)

    def _keep_raw(self, began: datetime, found: dict[str, Row]) -> None:
        self.place.raw.mkdir(parents=True, exist_ok=True)
        fresh = {
            i: {"run": r, "states": self.states.get(i), "tasks": self.tasks.get(i)}
            for i, r in found.items()
        }
        line = {"at": to_text(began), "flows": self.flows, "found": fresh}
        with gzip.open(self.place.raw / "prefect.jsonl.gz", "at") as out:
            out.write(json.dumps(line) + "\n")

    def take(self, name: str) -> str:
        """Write the batch of an instant; returns the instant."""
        read_until = self.poll()
        seq = self.world.last_seq()
        at = now_text()
        folder = self.place.batches / name
        folder.mkdir(parents=True)
        read = self._prefect_rows(self.world.latest("run_fact", until_seq=seq))
        tables = {table: self._fresh(table, rows) for table, rows in read.items()}
        tables |= self._evidence_rows(seq)
        self.evidence_seq = seq
        tables["source_watermark"] = watermark_rows(to_text(read_until), at)
        write_batch(folder, tables)
        return at

    def _prefect_rows(self, facts: dict[str, Row]) -> dict[str, list[Row]]:
        tables: dict[str, list[Row]] = {table: [] for table in READ_FROM_PREFECT}
        for run_id, row in self.runs.items():
            automation_id, states = self.flows[row["flow_id"]], self.states.get(run_id, [])
            told = run_row(automation_id, row, states=states, facts=facts.get(run_id, {}))
            tables["run"].append({**told, "vanished_at": self.vanished.get(run_id)})
            tables["run_state"] += state_rows(run_id, states)
            tables["step"] += step_rows(automation_id, run_id, tasks=self.tasks.get(run_id, []))
        return tables

    def _evidence_rows(self, seq: int) -> dict[str, list[Row]]:
        tables = {}
        for table, source_id in SOURCES.items():
            hidden = OWN_COLUMNS.get(table, ())
            rows = self.world.latest(table, until_seq=seq, after_seq=self.evidence_seq).values()
            shown = [{k: v for k, v in row.items() if k not in hidden} for row in rows]
            tables[table] = [{"source_id": source_id, **row} for row in shown]
        return tables

    def _fresh(self, table: str, rows: list[Row]) -> list[Row]:
        """Return the rows that are new or not as they were when last written."""
        fresh = []
        for row in rows:
            key = (table, *(str(row[name]) for name in KEYS[table]))
            text = json.dumps(row, sort_keys=True)
            if self.written.get(key) != text:
                self.written[key] = text
                fresh.append(row)
        return fresh


def watermark_rows(read_until: str, at: str) -> list[Row]:
    """Say how far each source was read: Prefect until the poll began, the evidence until the instant."""
    own = [
        {"source_id": PREFECT_SOURCE, "table_name": table, "loaded_until_at": read_until}
        for table in READ_FROM_PREFECT
    ]
    others = [
        {"source_id": SOURCES[table], "table_name": table, "loaded_until_at": at}
        for table in EVIDENCE
    ]
    return [{**row, "checked_at": at} for row in (*own, *others)]


def write_batch(folder: Path, tables: dict[str, list[Row]]) -> None:
    """Write one compressed file of JSON lines for each table."""
    for table, rows in tables.items():
        with gzip.open(folder / f"{table}.jsonl.gz", "wt") as out:
            out.writelines(json.dumps(row, sort_keys=True) + "\n" for row in rows)


def _parts(items: list[str], size: int) -> Iterable[list[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]

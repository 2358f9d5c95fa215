"""Reads Prefect and the evidence at an instant, and writes what is new or changed since the last time."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.record.catalog import BY_ID
from tests.record.place import Place, from_text, now_text, to_text
from tests.record.prefect_side import PrefectSide
from tests.record.world import World

Row = dict[str, Any]
OVERLAP = timedelta(minutes=3)
TERMINAL = {"COMPLETED", "FAILED", "CANCELLED", "CRASHED"}
STATUS = {
    "SCHEDULED": "scheduled", "PENDING": "starting", "RUNNING": "running", "COMPLETED": "succeeded", "FAILED": "failed",
    "CANCELLED": "cancelled", "CANCELLING": "running", "CRASHED": "crashed", "PAUSED": "held",
}
STATUS_BY_NAME = {"Late": "queued", "AwaitingRetry": "retrying", "Retrying": "running", "Submitting": "starting"}
SOURCES = {
    "audit_event": "acme-audit", "approval": "acme-approvals", "affected_record": "acme-ledger", "provider_status": "acme-status",
    "alert": "acme-alerts", "change": "acme-changes", "incident": "acme-incidents",
}
EVIDENCE = tuple(SOURCES)
PREFECT_SOURCE = "prefect-production"
OWN_COLUMNS = {"approval": ("apply", "target", "is_applied")}


def status_of(kind: str, name: str) -> str:
    """Return our word for a Prefect state."""
    return STATUS_BY_NAME.get(name) or STATUS.get(kind, "unknown")


def error_of(message: str | None) -> str | None:
    """Return the error text of a Prefect state message without Prefect's own preamble."""
    if not message:
        return None
    for preamble in ("Flow run encountered an exception: ", "Task run encountered an exception ", "Flow run encountered an exception "):
        if message.startswith(preamble):
            return message.removeprefix(preamble).strip()
    return message


def instant(text: str | None) -> str | None:
    """Return an engine's instant as fixed-width UTC text."""
    return to_text(from_text(text)) if text else None


class Collector(threading.Thread):
    """Follows Prefect all the time, so that a batch at an instant is only the last few seconds away."""

    def __init__(self, place: Place, prefect: PrefectSide, world: World, every_seconds: float) -> None:
        super().__init__(name="collector", daemon=True)
        self.place, self.prefect, self.world, self.every_seconds = place, prefect, world, every_seconds
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.began = datetime.now(UTC)
        self.read_until: datetime | None = None
        self.runs: dict[str, Row] = {}
        self.states: dict[str, list[Row]] = {}
        self.tasks: dict[str, list[Row]] = {}
        self.task_states: dict[str, list[Row]] = {}
        self.flows: dict[str, str] = {}
        self.vanished: dict[str, str] = {}
        self.settled: set[str] = set()
        self.written: dict[str, str] = {}
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
            self.flows = {row["id"]: row["name"] for row in self.prefect.pages("/flows/filter", {"sort": "NAME_ASC"})}
            since = to_text((self.read_until or self.began) - OVERLAP)
            found = {row["id"]: row for row in self._runs({"expected_start_time": {"after_": since, "before_": to_text(began + timedelta(hours=1))}}, began)}
            open_ids = [i for i, row in self.runs.items() if row["state_type"] not in TERMINAL and i not in found and i not in self.vanished]
            for part in _parts(open_ids, 100):
                found.update({row["id"]: row for row in self._runs({"id": {"any_": part}}, began)})
            for run_id in open_ids:
                if run_id not in found:
                    self.vanished[run_id] = to_text(began)
            self.runs.update(found)
            self._follow([i for i in found if i not in self.settled])
            self._keep_raw(began, found)
            self.read_until = began
            return began

    def _runs(self, wanted: Row, now: datetime) -> list[Row]:
        rows = self.prefect.pages("/flow_runs/filter", {"flow_runs": wanted, "sort": "EXPECTED_START_TIME_ASC"})
        return [r for r in rows if not (r["auto_scheduled"] and r["state_type"] == "SCHEDULED" and from_text(r["expected_start_time"]) > now)]

    def _follow(self, run_ids: list[str]) -> None:
        for part in _parts(run_ids, 40):
            tasks = self.prefect.pages("/task_runs/filter", {"flow_runs": {"id": {"any_": part}}, "sort": "EXPECTED_START_TIME_ASC"})
            for run_id in part:
                self.tasks[run_id] = [t for t in tasks if t["flow_run_id"] == run_id]
        for run_id in run_ids:
            self.states[run_id] = self.prefect.call("GET", f"/flow_run_states/?flow_run_id={run_id}")
            row = self.runs[run_id]
            is_old = row["end_time"] and datetime.now(UTC) - from_text(row["end_time"]) > timedelta(seconds=20)
            if row["state_type"] in TERMINAL and (is_old or not row["end_time"]):
                self.settled.add(run_id)

    def _keep_raw(self, began: datetime, found: dict[str, Row]) -> None:
        self.place.raw.mkdir(parents=True, exist_ok=True)
        fresh = {i: {"run": r, "states": self.states.get(i), "tasks": self.tasks.get(i)} for i, r in found.items()}
        with gzip.open(self.place.raw / "prefect.jsonl.gz", "at") as out:
            out.write(json.dumps({"at": to_text(began), "flows": self.flows, "found": fresh}) + "\n")

    def take(self, name: str) -> str:
        """Write the batch of an instant; returns the instant."""
        read_until = self.poll()
        seq = self.world.last_seq()
        at = now_text()
        folder = self.place.batches / name
        folder.mkdir(parents=True)
        facts = self.world.latest("run_fact", seq)
        tables: dict[str, list[Row]] = {"run": [], "run_state": [], "step": []}
        for run_id, row in self.runs.items():
            tables["run"].append(self._run_row(row, facts.get(run_id, {})))
            tables["run_state"] += self._state_rows(run_id)
            tables["step"] += self._step_rows(row)
        tables = {table: self._fresh(table, rows) for table, rows in tables.items()}
        for table in EVIDENCE:
            hidden = OWN_COLUMNS.get(table, ())
            tables[table] = [
                {"source_id": SOURCES[table], **{k: v for k, v in row.items() if k not in hidden}}
                for row in self.world.latest(table, seq, self.evidence_seq).values()
            ]
        self.evidence_seq = seq
        tables["source_watermark"] = [
            {"source_id": PREFECT_SOURCE if table in ("run", "run_state", "step") else SOURCES[table], "table_name": table,
             "loaded_until_at": to_text(read_until) if table in ("run", "run_state", "step") else at, "checked_at": at}
            for table in ("run", "run_state", "step", *EVIDENCE)
        ]
        for table, rows in tables.items():
            with gzip.open(folder / f"{table}.jsonl.gz", "wt") as out:
                out.writelines(json.dumps(row, sort_keys=True) + "\n" for row in rows)
        return at

    def _fresh(self, table: str, rows: list[Row]) -> list[Row]:
        fresh = []
        for row in rows:
            key = f"{table}/{row['run_id']}/{row.get('step_id')}/{row.get('attempt')}/{row.get('entered_at')}/{row.get('status') if table == 'run_state' else ''}"
            text = json.dumps(row, sort_keys=True)
            if self.written.get(key) != text:
                self.written[key] = text
                fresh.append(row)
        return fresh

    def _run_row(self, row: Row, facts: Row) -> Row:
        spec = BY_ID[self.flows[row["flow_id"]]]
        states = self.states.get(row["id"], [])
        first = min([s["timestamp"] for s in states] + [row["created"]], key=from_text)
        failed = [s for s in states if s["type"] in ("FAILED", "CRASHED") or s["name"] == "AwaitingRetry" or s["type"] == "CANCELLED"]
        last = failed[-1] if failed else None
        message = error_of(last["message"]) if last and row["state_type"] in ("FAILED", "CRASHED", "CANCELLED") else None
        pending = next((s["timestamp"] for s in states if s["type"] == "PENDING"), None)
        return {
            "source_id": PREFECT_SOURCE, "run_id": row["id"], "automation_id": spec.automation_id, "environment": "production",
            "kind": spec.kind, "category": spec.category, "engine": "prefect",
            "trigger": facts.get("trigger") or ("schedule" if row["auto_scheduled"] else "manual"),
            "status": status_of(row["state_type"], row["state_name"]), "raw_status": row["state_name"], "run_mode": "live",
            "first_seen_at": instant(first), "scheduled_at": instant(row["expected_start_time"]), "queued_at": instant(pending),
            "started_at": instant(row["start_time"]), "finished_at": instant(row["end_time"]), "updated_at": instant(row["updated"]),
            "vanished_at": self.vanished.get(row["id"]), "attempt_count": row["run_count"], "parent_run_id": None,
            "root_run_id": row["id"], "triggered_by": facts.get("triggered_by") or (row["parameters"] or {}).get("triggered_by") or None,
            "version": facts.get("version") or spec.version, "provider": spec.provider or None, "tool": spec.tool or None,
            "cost_amount": facts.get("cost_amount"), "cost_currency": facts.get("cost_currency"), "token_count": facts.get("token_count"),
            "context_as_of": facts.get("context_as_of"), "error_signature": None, "error_message": message,
            "labels": {"flow_run_name": row["name"], **({"tag": ",".join(row["tags"])} if row["tags"] else {})},
        }

    def _state_rows(self, run_id: str) -> list[Row]:
        return [
            {"source_id": PREFECT_SOURCE, "run_id": run_id, "entered_at": instant(s["timestamp"]), "status": status_of(s["type"], s["name"]),
             "raw_status": s["name"], "message": s["message"], "actor": None}
            for s in self.states.get(run_id, [])
        ]

    def _step_rows(self, run: Row) -> list[Row]:
        spec = BY_ID[self.flows[run["flow_id"]]]
        attempts: dict[str, int] = {}
        rows = []
        for t in sorted(self.tasks.get(run["id"], []), key=lambda t: t["start_time"] or t["created"]):
            step_id = t["name"].rsplit("-", 1)[0]
            attempts[step_id] = attempts.get(step_id, 0) + max(1, int(t["run_count"]))
            is_bad = t["state_type"] in ("FAILED", "CRASHED", "CANCELLED")
            rows.append({
                "source_id": PREFECT_SOURCE, "run_id": run["id"], "step_id": step_id, "attempt": attempts[step_id],
                "automation_id": spec.automation_id, "category": spec.category,
                "status": status_of(t["state_type"], t["state_name"]), "raw_status": t["state_name"],
                "started_at": instant(t["start_time"]), "finished_at": instant(t["end_time"]), "error_signature": None,
                "error_message": error_of((t["state"] or {}).get("message")) if is_bad else None,
            })
        return rows


def _parts(items: list[str], size: int) -> Iterable[list[str]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]

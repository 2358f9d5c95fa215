"""Brings what an engine changed into the warehouse: idempotent, with overlap, and rows that vanished are marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from workbench.engines.interface import EngineReader
from workbench.engines.rows import as_row
from workbench.warehouse.batch import LoadReport
from workbench.warehouse.manifest import Watermark
from workbench.warehouse.shelf import Warehouse

OVERLAP = timedelta(minutes=10)
"""Read again before the watermark: engines commit out of order, and two clocks differ."""


@dataclass(frozen=True)
class SyncReport:
    """What one reading of an engine brought.

    Attributes:
        vanished_count: runs that were not over and that the engine does not have any more.
        unbound: what the engine ran under names that the registry binds to no automation.
    """

    source_id: str
    engine_version: str
    since: datetime | None
    until: datetime
    loads: tuple[LoadReport, ...]
    vanished_count: int
    unbound: tuple[str, ...]
    findings: tuple[str, ...]
    manifest_version: int


def sync_engine(
    warehouse: Warehouse,
    reader: EngineReader,
    *,
    source_id: str,
    now: datetime,
    since: datetime | None = None,
) -> SyncReport:
    """Read everything that may have changed since the watermark (or `since`) and publish it in one version.

    When the engine fails midway an EngineError is raised and nothing of this reading is in the warehouse.
    """
    health = reader.probe()
    begin = since or _begin(warehouse, source_id)
    with warehouse.snapshot() as snapshot:
        known_open = _records(snapshot.query("sync.open_runs", source_id=source_id))
    tables, vanished_count = _read(reader, known_open, since=begin, now=now)
    marks = [Watermark(source_id, name, now, now) for name in tables]
    loads = warehouse.put_rows(tables, source_id=source_id, watermarks=marks)
    return SyncReport(
        source_id=source_id,
        engine_version=health.version,
        since=begin,
        until=now,
        loads=tuple(loads),
        vanished_count=vanished_count,
        unbound=tuple(sorted(getattr(reader, "unbound", ()))),
        findings=health.findings,
        manifest_version=warehouse.version,
    )


def _read(
    reader: EngineReader,
    known_open: Mapping[str, Mapping[str, Any]],
    *,
    since: datetime | None,
    now: datetime,
) -> tuple[dict[str, list[dict[str, Any]]], int]:
    """Return the rows of each table, and how many runs that were not over the engine does not have any more."""
    runs = {run.run_id: run for run in reader.runs(since, now)}
    unseen = [run_id for run_id in known_open if run_id not in runs]
    runs.update({run.run_id: run for run in reader.runs_by_id(unseen, now)})
    vanished = [_vanished(known_open[run_id], now) for run_id in unseen if run_id not in runs]
    run_ids = sorted(runs)
    tables = {
        "run": [*(as_row(runs[run_id]) for run_id in run_ids), *vanished],
        "run_state": list(map(as_row, reader.states(run_ids))),
        "step": list(map(as_row, reader.steps(run_ids))),
        "audit_event": list(map(as_row, reader.audit(since, now))),
        "approval": list(map(as_row, reader.approvals())),
    }
    return tables, len(vanished)


def _begin(warehouse: Warehouse, source_id: str) -> datetime | None:
    marks = [mark.loaded_until_at for mark in warehouse.watermarks() if mark.source_id == source_id]
    return min(marks) - OVERLAP if marks else None


def _records(found: pd.DataFrame) -> dict[str, dict[str, Any]]:
    rows = found.astype(object).where(found.notna(), None).to_dict("records")
    return {row["run_id"]: {str(name): _plain(cell) for name, cell in row.items()} for row in rows}


def _plain(cell: Any) -> Any:
    if isinstance(cell, pd.Timestamp):
        return cell.to_pydatetime()
    return cell.item() if hasattr(cell, "item") else cell


def _vanished(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    known = {name: cell for name, cell in row.items() if cell is not None}
    return {**known, "vanished_at": now, "updated_at": now}

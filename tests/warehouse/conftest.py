"""Rows to load: a valid run by default, with whatever a test wants different."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from workbench.clock import FixedClock
from workbench.warehouse import Warehouse


def run_row(run_id: str = "r1", **other: Any) -> dict[str, Any]:
    """Return a valid run; a column given as None is left out."""
    row = {
        "source_id": "prefect",
        "run_id": run_id,
        "automation_id": "invoice-triage",
        "environment": "production",
        "kind": "agent",
        "category": "commerce",
        "engine": "prefect",
        "status": "succeeded",
        "first_seen_at": "2026-11-20T09:00:00Z",
        "started_at": "2026-11-20T09:00:01Z",
        "finished_at": "2026-11-20T09:00:05.5Z",
        "updated_at": "2026-11-20T09:00:06Z",
        **other,
    }
    return {name: value for name, value in row.items() if value is not None}


def write_lines(path: Path, rows: Iterable[dict[str, Any] | str]) -> Path:
    """Write rows (or lines as they are) as JSON lines, packed when the name ends in .gz."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    content = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.name.endswith(".gz") else content)
    return path


@pytest.fixture
def warehouse(tmp_path: Path, clock: FixedClock) -> Warehouse:
    """Return an empty warehouse under a clock that stands."""
    return Warehouse.open(tmp_path / "home", clock)


@pytest.fixture
def rows_of(warehouse: Warehouse) -> Callable[[str], list[dict[str, Any]]]:
    """Return a function that gives the rows of one SELECT over the newest version."""

    def ask(text: str) -> list[dict[str, Any]]:
        with warehouse.snapshot() as snapshot:
            return snapshot.sql(text).to_dict("records")

    return ask

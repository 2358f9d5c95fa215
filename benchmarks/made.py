"""A warehouse of made-up size, written day by day as a load writes it, without the checks of a load."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from workbench.clock import FixedClock
from workbench.warehouse import Warehouse
from workbench.warehouse import connection as duck
from workbench.warehouse.manifest import DayFile, Manifest, Watermark, publish
from workbench.warehouse.merge import DayWriter
from workbench.warehouse.tables import table

ONSET = datetime(2025, 11, 1, tzinfo=UTC)
TABLES = ("run", "step")
STEPS_PER_RUN = 5
AUTOMATION_COUNT = 500
CATEGORY_SIZE = 25
"""Automations of one category: what a review looks at."""
HOLD = "H-1"
STORE = "store"
PAUSED_HOURS = 2
REVIEWED = tuple(f"a-{n}" for n in range(CATEGORY_SIZE))


@dataclass(frozen=True)
class Size:
    """How much is made: days, and runs of each."""

    day_count: int
    run_count: int

    @property
    def until(self) -> datetime:
        """Return where the made days end."""
        return ONSET + timedelta(days=self.day_count)


def make_warehouse(home: Path, size: Size) -> Path:
    """Make runs, five steps of each, and one hold over a category in the last hours; returns the warehouse's folder."""
    folder = home / "warehouse"
    folder.mkdir(parents=True)
    made = Manifest()
    with duck.connect(folder / "spill") as connection:
        for name in TABLES:
            made = made.with_files(name, _written(connection, folder / name, size))
    marks = [Watermark("bench", name, size.until, size.until) for name in TABLES]
    publish(folder, made.with_watermarks(tuple(marks)), created_at=size.until)
    _pause(home, size)
    return folder


def _written(
    connection: duckdb.DuckDBPyConnection, place: Path, size: Size
) -> dict[str, DayFile | None]:
    instants = [ONSET + timedelta(days=number) for number in range(size.day_count)]
    days = {at.strftime("%Y-%m-%d"): (number, at) for number, at in enumerate(instants)}

    def rows_of(day: str) -> duckdb.DuckDBPyRelation:
        number, at = days[day]
        _ask(
            connection,
            "bench.made_run",
            first_run=number * size.run_count,
            run_count=size.run_count,
            automation_count=AUTOMATION_COUNT,
            day_at=at,
        )
        if place.name == "step":
            _ask(connection, "bench.made_step", step_count=STEPS_PER_RUN)
        return connection.table(f"made_{place.name}")

    return DayWriter(connection, place, target=table(place.name), version=0).write(
        list(days), rows_of
    )


def _ask(connection: duckdb.DuckDBPyConnection, name: str, **parameters: Any) -> None:
    duck.run_query(connection, name, **parameters).fetchall()


def _pause(home: Path, size: Size) -> None:
    """Put a hold over the category two hours before the end, with what a store tells of it."""
    paused = size.until - timedelta(hours=PAUSED_HOURS)
    hold = {"source_id": STORE, "hold_id": HOLD, "scope": "category=c-0", "purpose": "incident",
            "mode": "freeze", "reason": "made", "placed_at": paused, "placed_by": "ops-lead"}  # fmt: skip
    target = {"source_id": STORE, "hold_id": HOLD, "recorded_at": paused,
              "delivered_at": paused + timedelta(seconds=1), "confirmed_at": paused + timedelta(seconds=2)}  # fmt: skip
    targets = [{**target, "automation_id": one} for one in REVIEWED]
    Warehouse.open(home, FixedClock(size.until)).put_rows({"hold": [hold], "hold_target": targets})

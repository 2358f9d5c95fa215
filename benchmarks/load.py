"""What a strict load costs against DuckDB simply believing the same file."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from benchmarks.measure import Figure, alternate, of_rounds
from workbench.warehouse import Warehouse

ROW_COUNT = 20_000
ROUNDS = 3
ONSET = datetime(2026, 11, 1, tzinfo=UTC)


def rows_file(root: Path, *, row_count: int) -> Path:
    """Write runs of three days as JSON lines, one in twenty failed."""
    path = root / "runs.jsonl"
    with path.open("w", encoding="utf-8") as out:
        for n in range(row_count):
            started = ONSET + timedelta(seconds=n * 259_200 / row_count)
            row = {
                "source_id": "bench",
                "run_id": f"r-{n}",
                "automation_id": f"a-{n % 12}",
                "environment": "staging",
                "kind": "agent",
                "status": "failed" if n % 20 == 0 else "succeeded",
                "first_seen_at": started.isoformat(),
                "started_at": started.isoformat(),
                "finished_at": (started + timedelta(seconds=3)).isoformat(),
                "error_message": f"request {n} timed out after 30 s" if n % 20 == 0 else None,
            }
            out.write(json.dumps(row) + "\n")
    return path


def measure(root: Path) -> list[Figure]:
    """Load the file into a new warehouse, by turns with reading it and writing one Parquet file."""
    path = rows_file(root, row_count=ROW_COUNT)
    numbers = itertools.count()

    def ours() -> None:
        # A new warehouse each time: the same file again would be recognised and skipped.
        report = Warehouse.open(root / f"home-{next(numbers)}").load_rows("run", path)
        if report.accepted_count != ROW_COUNT:
            raise RuntimeError(f"{report.accepted_count} of {ROW_COUNT} rows were accepted")

    def bare() -> None:
        with duckdb.connect() as connection:
            out = root / "bare.parquet"
            duckdb.read_json(str(path), connection=connection).write_parquet(str(out))

    ours_seconds, bare_seconds = alternate(ours, bare, calls=1, rounds=ROUNDS)
    return [
        of_rounds(
            "strict load",
            ours_seconds,
            bare_seconds,
            bare=f"DuckDB read_json + write_parquet, {ROW_COUNT:,} rows",
            note="ours also checks each field, keeps what it rejects, splits by day and publishes durably",
        )
    ]

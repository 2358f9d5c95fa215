"""What a restart review asks of ten million runs and fifty million steps, how long it waits, and what it needs.

The review is of one category of 25 automations over seven days. It is asked in a process of its own, so that the
memory it needs is seen, on two cores, of the warehouse as loads write it and of the same rows in one native DuckDB
file; then again beside a loader, which `benchmarks.beside` measures on its own, too. Last `benchmarks.month` puts more
into a month of it and asks for a monthly review.
"""

from __future__ import annotations

import contextlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from benchmarks import beside, month
from benchmarks.made import HOLD, PAUSED_HOURS, REVIEWED, STORE, Size, make_warehouse
from benchmarks.measure import Figure, Target, of_rounds
from workbench.queries import load_query
from workbench.review.request import ReviewRequest, of_store
from workbench.review.restart import restart_queries
from workbench.warehouse import Warehouse
from workbench.warehouse import connection as duck
from workbench.warehouse.manifest import read_manifest
from workbench.warehouse.tables import table, table_names

SIZE = Size(day_count=365, run_count=27_400)
"""10,001,000 runs, 50,005,000 steps."""
ROUNDS = 5
REVIEW_DAYS = 7
WAREHOUSE, NATIVE = "warehouse", "native"
NATIVE_FILE = "native.duckdb"

TARGET = Target(2.0)
MEMORY_TARGET = Target(4.0)


def measure(root: Path) -> list[Figure]:
    """Make the rows, then ask the review's queries of both forms by turns, and while a loader appends."""
    home = root / "home"
    make_warehouse(home, SIZE)
    native(home, root / NATIVE_FILE)
    asked = {kind: _asked(kind, root) for kind in (WAREHOUSE, NATIVE)}
    if asked[WAREHOUSE]["row_count"] != asked[NATIVE]["row_count"]:
        raise RuntimeError(f"not the same rows, so nothing to compare: {asked}")
    with beside.loading(root, home):
        first = beside.wait_for_load(home)
        disturbed = _asked(WAREHOUSE, root)
        appended_count = beside.version(home) - first
    made = f"{SIZE.day_count * SIZE.run_count:,} runs, {REVIEW_DAYS} days of {len(REVIEWED)} automations"
    return [
        of_rounds(
            "restart review, queries",
            asked[WAREHOUSE]["seconds"],
            asked[NATIVE]["seconds"],
            bare="the same SQL on one native DuckDB file",
            target=TARGET,
            note=f"{made}, five steps each; all queries of a restart review, one after the other, "
            f"{asked['warehouse']['row_count']:,} rows in all",
        ),
        Figure(
            "restart review, memory",
            asked[WAREHOUSE]["gigabytes"],
            unit="GB",
            bare="the same SQL on one native DuckDB file",
            bare_value=asked[NATIVE]["gigabytes"],
            target=MEMORY_TARGET,
            note="most that the process which asked ever held",
        ),
        of_rounds(
            "... while a loader appends",
            disturbed["seconds"],
            asked[WAREHOUSE]["seconds"],
            bare="without the loader",
            note=f"{appended_count} files of {beside.LOADED_ROWS:,} runs were appended to the same warehouse",
        ),
        *beside.measure(root, home),
        *month.measure(home),
    ]


def native(home: Path, path: Path) -> None:
    """Write the rows of a warehouse into the tables of one native DuckDB file."""
    folder = home / "warehouse"
    manifest = read_manifest(folder)
    with Warehouse.open(home).snapshot() as snapshot, duckdb.connect(str(path)) as connection:
        for name in table_names():
            files = [str(folder / found.file) for found in manifest.files(name)]
            if files:
                connection.read_parquet(files).create(name)
                continue
            connection.execute(table(name).schema.sql).fetchall()
            rows = snapshot.table(name)  # of the watermarks, which are in no file
            if len(rows):
                connection.from_df(rows).insert_into(name)


def ask(kind: str, root: Path) -> dict[str, object]:
    """Open it and ask the review's queries, for some rounds; returns seconds of each, the rows, and the memory."""
    request, seconds, row_count = _request(), [], 0
    for _ in range(ROUNDS + 1):
        begun, row_count = time.perf_counter(), 0
        with _opened(kind, root) as query:
            for call in (of_store(one, STORE) for one in restart_queries(request)):
                row_count += len(query(call.name, **call.parameters))
        seconds.append(time.perf_counter() - begun)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds[1:], "row_count": row_count, "gigabytes": kilobytes / 1e6}


def _request() -> ReviewRequest:
    until = SIZE.until
    since = until - timedelta(days=REVIEW_DAYS)
    paused = until - timedelta(hours=PAUSED_HOURS)
    onset = max(since, paused - timedelta(hours=4))
    return ReviewRequest(
        HOLD, scope="category=c-0", only=None, automation_ids=REVIEWED, environment="production",
        baseline_since=since, onset_at=onset, paused_at=paused, since=since, as_of=until,
        providers=("acme-llm",),
    )  # fmt: skip


@contextlib.contextmanager
def _opened(kind: str, root: Path) -> Iterator[Callable[..., pd.DataFrame]]:
    if kind == WAREHOUSE:
        with Warehouse.open(root / "home").snapshot() as snapshot:
            yield snapshot.query
        return
    limits: dict[str, Any] = {"memory_limit": duck.MEMORY_LIMIT, "threads": duck.THREADS}
    path = str(root / NATIVE_FILE)
    with duckdb.connect(path, read_only=True, config=limits) as connection:
        connection.execute(load_query("setting.time_zone_utc").sql).fetchall()
        yield lambda name, **asked: duck.frame(duck.run_query(connection, name, **asked))


def _asked(kind: str, root: Path) -> dict[str, Any]:
    """Ask in a process of its own; raises CalledProcessError where it ends otherwise."""
    words = [sys.executable, "-m", "benchmarks.scale", kind, str(root)]
    counts = map(str, (SIZE.day_count, SIZE.run_count, ROUNDS))
    out = subprocess.run([*words, *counts], stdout=subprocess.PIPE, check=True, text=True).stdout
    found: dict[str, Any] = json.loads(out)
    return found


if __name__ == "__main__":
    beside.on_two_cores()
    *counts, ROUNDS = map(int, sys.argv[3:6])
    SIZE = Size(*counts)
    sys.stdout.write(json.dumps(ask(sys.argv[1], Path(sys.argv[2]))))

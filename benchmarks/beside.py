"""What a reader waits while a loader appends to the same warehouse, and what a load into a large one costs.

A read is what a look at the triggers does: open the newest version and ask for the last runs of 25 automations. It
also counts what the loader has put, so that half a file would be seen.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.load import ONSET, rows_file
from benchmarks.made import REVIEWED
from benchmarks.measure import Figure, Target, alternate, of_rounds, percentile
from workbench.warehouse import Warehouse
from workbench.warehouse.manifest import read_manifest

CORES = 2
READS = 60
LOADED_ROWS = 20_000
LOADS = 3
LOADED_DAYS = timedelta(days=3)
"""What a file of runs spans."""
FIRST_LOAD_SECONDS = 120.0
"""How long the loader may take to its first file before the reads begin."""
KEPT_BACK = timedelta(days=1)


@dataclass(frozen=True)
class Reads:
    """Reads one after the other.

    Attributes:
        seconds: of each, from opening the warehouse to the last row.
        loaded: runs of the loader that each of them saw.
    """

    seconds: tuple[float, ...]
    loaded: tuple[int, ...]

    @property
    def torn_count(self) -> int:
        """Reads that saw part of a file, or less than the read before them."""
        before = (0, *self.loaded)
        pairs = zip(before, self.loaded, strict=False)
        return sum(now % LOADED_ROWS != 0 or now < last for last, now in pairs)


def measure(root: Path, home: Path) -> list[Figure]:
    """Read beside a loader and without it, then load without a reader; raises RuntimeError where nothing was loaded."""
    with loading(root, home):
        first = wait_for_load(home)
        beside = _reads(home)
        appended_count = version(home) - first
    if not appended_count:
        raise RuntimeError("the loader appended nothing while it was read, so nothing was measured")
    # Afterwards, so that both read the same files, and ours not the fewer.
    quiet = _reads(home)
    ours, bare = _loads(root, home)
    what = (
        f"open the newest version, last runs of {len(REVIEWED)} automations; {len(beside.seconds)} reads "
        f"while {appended_count} files of {LOADED_ROWS:,} runs were appended"
    )
    return [
        of_rounds(
            "a reader beside a loader",
            beside.seconds,
            quiet.seconds,
            bare="without the loader",
            note=what,
        ),
        Figure(
            "... 95 of 100 reads within",
            percentile(beside.seconds, 0.95),
            bare="without the loader",
            bare_value=percentile(quiet.seconds, 0.95),
            note=what,
        ),
        Figure(
            "... that saw half a file",
            float(beside.torn_count),
            unit="reads",
            target=Target(0.0),
            note="each read counts the loader's runs: whole files only, and never fewer than before",
        ),
        of_rounds(
            "strict load into it",
            ours,
            bare,
            bare=f"DuckDB read_json of the same {LOADED_ROWS:,} rows into a table",
            note="ours also checks each field, merges by key, splits by day and publishes durably",
        ),
    ]


def version(home: Path) -> int:
    """Return the newest version of a warehouse."""
    return read_manifest(home / "warehouse").version


def wait_for_load(home: Path) -> int:
    """Wait until something new is published and return its version; raises RuntimeError where nothing comes."""
    before, until = version(home), time.monotonic() + FIRST_LOAD_SECONDS
    while time.monotonic() < until:
        if (now := version(home)) > before:
            return now
        time.sleep(0.02)
    raise RuntimeError(f"the loader published nothing within {FIRST_LOAD_SECONDS:.0f} s")


@contextlib.contextmanager
def loading(root: Path, home: Path) -> Iterator[None]:
    """Let a process load one file after another while it is open; raises RuntimeError where that ended."""
    path = rows_file(root, row_count=LOADED_ROWS)
    words = [sys.executable, "-m", "benchmarks.beside", "load", str(path), str(home)]
    with subprocess.Popen(words) as child:
        try:
            yield
            if child.poll() is not None:
                raise RuntimeError(f"the loader ended with {child.returncode}")
        finally:
            child.kill()


def on_two_cores() -> None:
    """Keep this process to two cores where the system can; a machine with more would flatter the figures."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])


def load(path: Path, home: Path) -> None:
    """Load the rows of a file for ever, each time as another source's, so that they are new again."""
    for number in itertools.count(version(home)):
        _load(path, home, f"more-{number}")


def _load(path: Path, home: Path, source_id: str) -> None:
    again = path.with_name(f"{source_id}.jsonl")
    again.write_text(path.read_text(encoding="utf-8").replace('"bench"', f'"{source_id}"'))
    report = Warehouse.open(home).load_rows("run", again)
    again.unlink()
    if report.was_already_loaded or report.changed_count != report.line_count:
        raise RuntimeError(f"not all of it was new: {report}")


def read(home: Path, count: int) -> Reads:
    """Read so many times and one more first, which does not count."""
    since, until = ONSET - KEPT_BACK, ONSET + LOADED_DAYS
    found = [_read(home, since, until) for _ in range(count + 1)][1:]
    seconds, loaded = zip(*found, strict=True)
    return Reads(tuple(seconds), tuple(loaded))


def _read(home: Path, since: datetime, until: datetime) -> tuple[float, int]:
    begun = time.perf_counter()
    window: dict[str, Any] = {"since": since, "as_of": until}
    with Warehouse.open(home).snapshot() as snapshot:
        snapshot.query(
            "triggers.recent_runs", automation_ids=list(REVIEWED), run_count=20, **window
        )
        loaded = int(snapshot.query("bench.loaded_count", **window)["run_count"].iloc[0])
    return time.perf_counter() - begun, loaded


def _reads(home: Path) -> Reads:
    """Read in a process of its own; raises CalledProcessError where it ends otherwise."""
    words = [sys.executable, "-m", "benchmarks.beside", "read", str(home), str(READS)]
    out = subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True).stdout
    found = json.loads(out)
    return Reads(tuple(found["seconds"]), tuple(found["loaded"]))


def _loads(root: Path, home: Path) -> tuple[list[float], list[float]]:
    """Return seconds of loads of ours and of DuckDB's own reader, by turns."""
    path, numbers = root / "runs.jsonl", itertools.count()

    def ours() -> None:
        _load(path, home, f"quiet-{next(numbers)}")

    def bare() -> None:
        with duckdb.connect() as connection:
            duckdb.read_json(str(path), connection=connection).create("bare")

    ours_seconds, bare_seconds = alternate(ours, bare, calls=1, rounds=LOADS)
    return ours_seconds, bare_seconds


if __name__ == "__main__":
    on_two_cores()
    if sys.argv[1] == "load":
        load(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        sys.stdout.write(json.dumps(vars(read(Path(sys.argv[2]), int(sys.argv[3])))))

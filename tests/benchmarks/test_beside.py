"""Reading beside a loader: what was torn is counted, and nothing is measured where nothing was appended."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import beside
from benchmarks.beside import Reads
from benchmarks.load import rows_file
from tests.queries.given import Given
from tests.review.world import AS_OF, DAY
from workbench.warehouse import Warehouse


def test_a_read_that_saw_half_a_file_or_went_back_is_torn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole files only, and never fewer than the read before."""
    monkeypatch.setattr(beside, "LOADED_ROWS", 100)
    assert Reads((), (0, 100, 100, 300)).torn_count == 0
    assert Reads((), (0, 150, 200)).torn_count == 1
    assert Reads((), (200, 100, 200)).torn_count == 1


def test_a_read_sees_what_was_loaded_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each load is new, whichever came before, and the next read sees all of it."""
    monkeypatch.setattr(beside, "LOADED_ROWS", 30)
    path = rows_file(tmp_path, row_count=30)
    home = tmp_path / "home"
    beside._load(path, home, "quiet-0")
    assert beside.read(home, 1).loaded == (0,)
    for number in range(2):
        beside._load(path, home, f"more-{number}")
    found = beside.read(home, 2)
    assert found.loaded == (60, 60) and min(found.seconds) > 0
    with pytest.raises(RuntimeError, match="not all of it was new"):
        beside._load(path, home, "more-1")


def test_a_loader_that_appends_nothing_is_no_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded bug: reads that no load came between are refused, and so is a loader that never begins."""

    @contextlib.contextmanager
    def idle(root: Path, home: Path) -> Iterator[None]:
        yield

    home = tmp_path / "home"
    Warehouse.open(home).load_rows("run", rows_file(tmp_path, row_count=5))
    monkeypatch.setattr(beside, "loading", idle)
    monkeypatch.setattr(beside, "FIRST_LOAD_SECONDS", 0.1)
    with pytest.raises(RuntimeError, match="published nothing"):
        beside.measure(tmp_path, home)
    monkeypatch.setattr(beside, "wait_for_load", beside.version)
    monkeypatch.setattr(beside, "READS", 1)
    with pytest.raises(RuntimeError, match="appended nothing"):
        beside.measure(tmp_path, home)


def test_the_loaders_runs_are_counted_apart() -> None:
    """Only sources of the loader, within the window."""
    given = Given().table(
        "run",
        """
        source_id | run_id | automation_id | status    | first_seen_at
        more-1    | r1     | a-1           | succeeded | 10:00
        more-2    | r1     | a-1           | succeeded | 10:00
        more-2    | r2     | a-1           | succeeded | 11:00
        bench     | r1     | a-1           | succeeded | 10:00
        """,
    )
    found = given.ask("bench.loaded_count", since=DAY, as_of=AS_OF)
    assert list(found["run_count"]) == [2]

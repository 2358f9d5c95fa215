"""Merging: newest wins, repeats change nothing, only touched days are written again."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.conftest import run_row, write_lines
from workbench.clock import FixedClock
from workbench.errors import WarehouseError
from workbench.warehouse import LoadOptions, Warehouse
from workbench.warehouse.manifest import read_manifest

Ask = Callable[[str], list[dict[str, Any]]]
EVENT = {
    "source_id": "store-1",
    "event_id": "e1",
    "occurred_at": "2026-11-20T09:00:00Z",
    "action": "hold.place",
    "outcome": "success",
    "payload": {"b": 1, "a": [1, 2]},
}


def load(warehouse: Warehouse, tmp_path: Path, *rows: dict[str, Any], table: str = "run") -> Any:
    """Load rows as one new file."""
    number = sum(1 for _ in tmp_path.glob("*.jsonl"))
    return warehouse.load_rows(
        table,
        write_lines(tmp_path / f"{number}.jsonl", rows),
        options=LoadOptions(allowed_reject_share=1),
    )


def names(warehouse: Warehouse, table: str = "run") -> dict[str, str]:
    """Return the file of each day of a table."""
    return {found.day: found.file for found in read_manifest(warehouse.folder).files(table)}


def test_a_newer_row_replaces_an_older_one(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """A run in flight becomes the finished run; there is one row for it."""
    running = run_row(status="running", finished_at=None, updated_at="2026-11-20T09:00:02Z")
    load(warehouse, tmp_path, running)
    report = load(warehouse, tmp_path, run_row(status="failed", updated_at="2026-11-20T09:00:07Z"))
    assert report.changed_count == 1
    assert rows_of("select status from run") == [{"status": "failed"}]


def test_an_older_row_that_comes_late_changes_nothing(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """Files that arrive out of order give the same state as in order."""
    load(warehouse, tmp_path, run_row(status="failed", updated_at="2026-11-20T09:00:07Z"))
    late = run_row(status="running", finished_at=None, updated_at="2026-11-20T09:00:02Z")
    report = load(warehouse, tmp_path, late)
    assert (report.accepted_count, report.changed_count) == (1, 0)
    assert rows_of("select status from run") == [{"status": "failed"}]


def test_any_order_of_a_runs_rows_gives_one_state(tmp_path: Path, clock: FixedClock) -> None:
    """Three versions of one run in any order within a file end as the newest of them."""
    versions = [
        run_row(status=status, updated_at=f"2026-11-20T09:00:0{second}Z", finished_at=None)
        for second, status in enumerate(("queued", "running", "failed"), 1)
    ]
    for place, order in enumerate(itertools.permutations(versions)):
        warehouse = Warehouse.open(tmp_path / str(place), clock)
        path = write_lines(tmp_path / f"{place}.jsonl", order)
        report = warehouse.load_rows("run", path)
        assert (report.accepted_count, report.changed_count) == (3, 1)
        with warehouse.snapshot() as snapshot:
            assert snapshot.table("run")["status"].tolist() == ["failed"]


def test_of_equally_new_rows_the_last_wins(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """A correction with the same updated_at counts, within a file and between files."""
    load(warehouse, tmp_path, run_row(version="1"), run_row(version="2"))
    assert rows_of("select version from run") == [{"version": "2"}]
    load(warehouse, tmp_path, run_row(version="3"))
    assert rows_of("select version from run") == [{"version": "3"}]


def test_a_run_never_moves_to_another_day(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """The first known instant stays when a later row says otherwise, so a run is never in two day files."""
    load(warehouse, tmp_path, run_row())
    moved = run_row(
        first_seen_at="2026-11-25T09:00:00Z", updated_at="2026-11-25T09:00:00Z", status="failed"
    )
    load(warehouse, tmp_path, moved)
    assert list(names(warehouse)) == ["2026-11-20"]
    (row,) = rows_of("select status, cast(first_seen_at as varchar) as first from run")
    assert row == {"status": "failed", "first": "2026-11-20 09:00:00+00"}


def test_lines_of_one_run_with_two_first_instants_agree(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """Within one file the earliest first instant counts for the run."""
    load(
        warehouse,
        tmp_path,
        run_row(
            first_seen_at="2026-11-21T09:00:00Z", status="failed", updated_at="2026-11-22T00:00:00Z"
        ),
        run_row(first_seen_at="2026-11-20T09:00:00Z"),
    )
    assert list(names(warehouse)) == ["2026-11-20"]
    assert rows_of("select status from run") == [{"status": "failed"}]


def test_only_touched_days_are_written_again(warehouse: Warehouse, tmp_path: Path) -> None:
    """A late update of one day leaves every other day's file as it is."""
    days = ["2026-11-18", "2026-11-19", "2026-11-20"]
    load(
        warehouse, tmp_path, *(run_row(f"r{day}", first_seen_at=f"{day}T10:00:00Z") for day in days)
    )
    before = names(warehouse)
    late = run_row(
        "r2026-11-19", first_seen_at="2026-11-19T10:00:00Z", status="failed",
        updated_at="2026-11-21T00:00:00Z",
    )  # fmt: skip
    load(warehouse, tmp_path, late)
    after = names(warehouse)
    assert {day for day in days if before[day] != after[day]} == {"2026-11-19"}


def test_equal_rows_in_another_file_make_no_new_day_file(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    """Rows that the warehouse has already are counted as accepted and change nothing."""
    load(warehouse, tmp_path, run_row(), run_row("r2"))
    before = names(warehouse)
    report = load(warehouse, tmp_path, run_row("r2"), run_row())
    assert (report.accepted_count, report.changed_count) == (2, 0)
    assert names(warehouse) == before


def test_a_row_whose_day_was_corrected_leaves_its_old_day(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """A step without a start gets one later: it moves from the undated file to its day and stands once."""
    step = {
        "source_id": "p",
        "run_id": "r",
        "step_id": "s",
        "attempt": 1,
        "automation_id": "a",
        "status": "queued",
    }
    load(warehouse, tmp_path, step, table="step")
    assert list(names(warehouse, "step")) == ["undated"]
    load(
        warehouse,
        tmp_path,
        {**step, "status": "failed", "started_at": "2026-11-20T09:00:00Z"},
        table="step",
    )
    assert list(names(warehouse, "step")) == ["2026-11-20"]
    assert rows_of("select status from step") == [{"status": "failed"}]


def test_an_audit_event_is_never_replaced(
    warehouse: Warehouse, rows_of: Ask, tmp_path: Path
) -> None:
    """The first content of an event stays; another content under its id is rejected, visibly."""
    load(warehouse, tmp_path, EVENT, table="audit_event")
    report = load(
        warehouse,
        tmp_path,
        EVENT,
        {**EVENT, "outcome": "failure"},
        {**EVENT, "event_id": "e2"},
        table="audit_event",
    )
    assert (report.accepted_count, report.rejected_count, report.line_count) == (2, 1, 3)
    assert rows_of("select event_id, outcome from audit_event order by 1") == [
        {"event_id": "e1", "outcome": "success"},
        {"event_id": "e2", "outcome": "success"},
    ]
    (reject,) = rows_of("select line_number, reason from ingest_reject")
    assert reject == {
        "line_number": 2,
        "reason": "the key is taken by a row of other content, which stays",
    }


def test_json_keeps_its_text(warehouse: Warehouse, rows_of: Ask, tmp_path: Path) -> None:
    """A payload comes back as the JSON it was, and can be asked by path."""
    load(warehouse, tmp_path, EVENT, table="audit_event")
    (row,) = rows_of("select payload, payload ->> '$.a[1]' as second from audit_event")
    assert row == {"payload": '{"b":1,"a":[1,2]}', "second": "2"}


def test_rows_of_our_own_take_the_same_way(warehouse: Warehouse, rows_of: Ask) -> None:
    """put_rows checks like a file, publishes once, and equal rows keep the version."""
    hold = {
        "hold_id": "H-1",
        "placed_at": "2026-11-20T09:00:00Z",
        "scope": "kind=agent",
        "placed_seq": 7,
    }
    decision = {"decision_id": "D-1", "decided_at": "2026-11-20T09:00:00Z"}
    first = warehouse.put_rows({"hold": [hold], "decision": [decision]}, source_id="store-1")
    again = warehouse.put_rows({"hold": [hold], "decision": [decision]}, source_id="store-1")
    assert {report.manifest_version for report in first + again} == {1}
    assert rows_of("select source_id, hold_id, placed_seq from hold") == [
        {"source_id": "store-1", "hold_id": "H-1", "placed_seq": 7}
    ]


def test_a_loader_that_cannot_write_changes_nothing(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a day file cannot be put in place, the version stays and the sentence says that nothing was loaded."""
    load(warehouse, tmp_path, run_row())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("workbench.warehouse.merge.os.fsync", full)
    with pytest.raises(WarehouseError, match=r"nothing was loaded: .*No space left"):
        load(warehouse, tmp_path, run_row("r2"))
    assert warehouse.version == 1
    with warehouse.snapshot() as snapshot:
        assert snapshot.row_count("run") == 1

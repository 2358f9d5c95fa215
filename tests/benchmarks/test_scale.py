"""The benchmark of a large warehouse makes the rows it says, and refuses to compare what is not the same."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from benchmarks import beside, month, scale
from benchmarks.made import AUTOMATION_COUNT, HOLD, REVIEWED, STEPS_PER_RUN, Size, make_warehouse
from workbench.warehouse import Warehouse

SMALL = Size(day_count=2, run_count=2 * AUTOMATION_COUNT)


def test_the_made_warehouse_is_one_that_a_load_could_have_written(tmp_path: Path) -> None:
    """Each run has its steps, the failed ones fail at the last, days hold their own rows, and a hold stands."""
    make_warehouse(tmp_path, SMALL)
    with Warehouse.open(tmp_path).snapshot() as snapshot:
        runs, steps = snapshot.table("run"), snapshot.table("step")
        holds, targets = snapshot.table("hold"), snapshot.table("hold_target")
        assert snapshot.day_span("run") == ("2025-11-01", "2025-11-02")
    assert len(runs) == runs["run_id"].nunique() == SMALL.day_count * SMALL.run_count
    assert len(steps) == len(runs) * STEPS_PER_RUN
    failed = set(runs.loc[runs["status"] == "failed", "run_id"])
    assert 0.02 < len(failed) / len(runs) < 0.1
    bad = steps[steps["status"] == "failed"]
    assert set(bad["run_id"]) == failed and set(bad["step_id"]) == {f"step-{STEPS_PER_RUN}"}
    assert (runs["finished_at"] > runs["started_at"]).all()
    assert list(holds["hold_id"]) == [HOLD] and set(targets["automation_id"]) == set(REVIEWED)


def test_it_asks_both_forms_and_beside_a_loader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same rows come of the warehouse and of the native file; each figure is measured, memory too."""
    monkeypatch.setattr(scale, "SIZE", SMALL)
    monkeypatch.setattr(scale, "ROUNDS", 1)
    monkeypatch.setattr(beside, "LOADED_ROWS", 200)
    monkeypatch.setattr(beside, "READS", 12)
    monkeypatch.setattr(beside, "LOADS", 1)
    monkeypatch.setattr(month, "measure", lambda home: [])
    whole, memory, disturbed, reads, worst, torn, loads = scale.measure(tmp_path)
    assert (whole.value or 0) > 0 and (whole.ratio or 0) > 0 and (disturbed.ratio or 0) > 0
    assert 0.05 < (memory.value or 0) < 4
    assert "2,000 runs" in whole.note
    assert (reads.ratio or 0) > 0 and (worst.value or 0) >= (reads.value or 0)
    assert re.search(r"12 reads while [1-9]\d* files of 200 runs were appended", reads.note)
    assert torn.value == 0 and torn.is_reached
    assert (loads.value or 0) > (loads.bare_value or 0) > 0


def test_rows_that_differ_are_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeded bug: a native file that lost a day is noticed, not measured."""
    monkeypatch.setattr(scale, "SIZE", SMALL)
    monkeypatch.setattr(scale, "ROUNDS", 1)
    whole = scale.native

    def losing(home: Path, path: Path) -> None:
        whole(home, path)
        with duckdb.connect(str(path)) as connection:
            connection.table("run").filter("run_id < 'run-5'").create("kept")
            connection.execute("drop table run").fetchall()
            connection.execute("alter table kept rename to run").fetchall()

    monkeypatch.setattr(scale, "native", losing)
    with pytest.raises(RuntimeError, match="not the same rows"):
        scale.measure(tmp_path)


def test_the_month_has_what_a_review_looks_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two days as a month: holds leak, alerts are answered, budgets are spent, and both sides are measured."""
    monkeypatch.setattr(month, "FIRST_DAY", 0)
    monkeypatch.setattr(month, "DAYS", SMALL.day_count)
    monkeypatch.setattr(month, "ROUNDS", 1)
    monkeypatch.setattr(month, "COUNTS", dict.fromkeys(month.COUNTS, 100))
    make_warehouse(tmp_path, SMALL)
    seconds, memory = month.measure(tmp_path)
    assert (seconds.value or 0) > 0 and (seconds.bare_value or 0) > 0 and seconds.is_reached
    assert 0.05 < (memory.value or 0) < 4
    assert (
        "2,000 runs of 500 automations; 100 holds, 100 alerts, 100 affected records" in seconds.note
    )
    assert month.review(tmp_path) >= 20 * 15

"""Reports lie under a temporary name until complete, one maker at a time; the seal covers its content."""

from __future__ import annotations

import dataclasses
import multiprocessing
from pathlib import Path

import pytest

from workbench.errors import Refused, StorageUnavailable
from workbench.records import HeadNote
from workbench.reports.seal import Seal, canonical, code_digest, package_versions
from workbench.reports.shelf import Shelf, sentinel_of, write_json

SEAL = Seal(
    report="restart-decision",
    manifest_version=12,
    log_head=HeadNote("store-1", "production", 40, "ab" * 32),
    query_digests={"review.failed_steps": "cd" * 32},
    code_digest="ef" * 32,
    package_versions={"duckdb": "2.0.0"},
    parameters={"scope": "kind=agent", "log_seq": 40},
)


def test_a_report_has_a_temporary_name_until_it_is_finished(tmp_path: Path) -> None:
    """Nothing stands under the report's name before the rename, and the ticket is gone after it."""
    shelf = Shelf(tmp_path, "st-1")
    place = shelf.begin({"report": "restart-decision"})
    assert shelf.ticket(place.ticket_id)["report"] == "restart-decision"
    assert not shelf.place_of("R-1").exists()
    folder = place.finish("R-1")
    assert folder == tmp_path / "reports" / "st-1" / "R-1"
    assert list(folder.iterdir()) == []
    assert shelf.ticket(place.ticket_id) == {}


def test_a_name_that_is_taken_is_not_overwritten(tmp_path: Path) -> None:
    """A report never replaces another one, and the error names the place."""
    shelf = Shelf(tmp_path, "st-1")
    first = shelf.begin({})
    write_json(first.folder / "verdict.json", {"verdict": "escalate"})
    first.finish("R-1")
    second = shelf.begin({})
    with pytest.raises(StorageUnavailable, match="R-1 could not take its place"):
        second.finish("R-1")
    assert (shelf.place_of("R-1") / "verdict.json").exists()


def test_tickets_differ_so_that_no_run_can_end_another(tmp_path: Path) -> None:
    """Two runs have different last words."""
    shelf = Shelf(tmp_path, "st-1")
    first, second = shelf.begin({}), shelf.begin({})
    assert first.sentinel != second.sentinel
    assert first.sentinel == sentinel_of(first.ticket_id)


def _hold_lock(home: Path, locked: object, done: object) -> None:
    with Shelf(home, "st-1").only_maker("restart-decision-x"):
        locked.set()  # type: ignore[attr-defined]
        done.wait(20)  # type: ignore[attr-defined]


def test_a_second_maker_is_refused_and_told_who_is_first(tmp_path: Path) -> None:
    """While another process makes the report the second is refused with its process id; afterwards it may."""
    context = multiprocessing.get_context("spawn")
    locked, done = context.Event(), context.Event()
    other = context.Process(target=_hold_lock, args=(tmp_path, locked, done))
    other.start()
    try:
        assert locked.wait(20)
        with (
            pytest.raises(Refused, match=f"by process {other.pid}"),
            Shelf(tmp_path, "st-1").only_maker("restart-decision-x"),
        ):
            pass
    finally:
        done.set()
        other.join(20)
    with Shelf(tmp_path, "st-1").only_maker("restart-decision-x"):
        assert other.exitcode == 0


@pytest.mark.parametrize(
    "change",
    [
        {"manifest_version": 13},
        {"log_head": HeadNote("store-1", "production", 41, "ab" * 32)},
        {"query_digests": {"review.failed_steps": "ce" * 32}},
        {"code_digest": "ee" * 32},
        {"package_versions": {"duckdb": "2.0.1"}},
        {"parameters": {"scope": "kind=agent", "log_seq": 41}},
        {"report": "post-incident-review"},
    ],
)
def test_the_seal_covers_everything(change: dict[str, object]) -> None:
    """Any change of what a verdict was computed from changes the digest."""
    assert dataclasses.replace(SEAL, **change).digest != SEAL.digest  # type: ignore[arg-type]


def test_equal_seals_have_equal_bytes() -> None:
    """Order of keys does not matter, and the digest stands in seal.json."""
    same = dataclasses.replace(SEAL, parameters={"log_seq": 40, "scope": "kind=agent"})
    assert canonical(same.as_json()) == canonical(SEAL.as_json())
    assert SEAL.as_json()["seal_digest"] == SEAL.digest


def test_the_code_digest_follows_the_source(tmp_path: Path) -> None:
    """A changed or renamed source file of the judgement changes the digest."""
    (tmp_path / "verdict.py").write_text("A = 1\n")
    first = code_digest(tmp_path)
    (tmp_path / "verdict.py").write_text("A = 2\n")
    second = code_digest(tmp_path)
    (tmp_path / "verdict.py").rename(tmp_path / "other.py")
    assert len({first, second, code_digest(tmp_path)}) == 3


def test_versions_of_what_computes_are_named() -> None:
    """DuckDB, pandas and the rest are named with their versions."""
    assert {"duckdb", "pandas", "scipy", "papermill"} <= set(package_versions())

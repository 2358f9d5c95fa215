"""What the shipped recording promises: real times, an intact log, the story, and rows that load strictly."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.record.figures import (
    LEAST_MINUTES,
    LEAST_RUNS,
    LEAST_RUNS_BEFORE,
    MAIN,
    events_of,
    figures,
    rows_at,
    shortfalls,
)
from tests.record.pack import SIZE_LIMIT_BYTES
from workbench.clock import from_text
from workbench.recordings import SHIPPED, Recording, shipped_names
from workbench.settings import Settings
from workbench.sources.signature import error_signature
from workbench.store import restore_store
from workbench.warehouse import LoadOptions, Warehouse

NAME = "agents-relapse"
INSTANTS = ["alert-resolved", "relapse", "narrow-restart", "end"]
OWN_TABLES = {"automation", "hold", "hold_target", "decision"}
"""Tables that the store's log fills, not the batches."""


@pytest.fixture(scope="module")
def recording() -> Recording:
    """Return the shipped recording."""
    if NAME not in shipped_names():
        pytest.skip(f"no recording {NAME!r} is shipped; tests/record/README.md says how to make it")
    return Recording.open(NAME)


@pytest.fixture(scope="module")
def found(recording: Recording) -> dict[str, Any]:
    """Return the figures, counted once."""
    return figures(recording)


@pytest.fixture(scope="module")
def warehouses(
    recording: Recording, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[Warehouse, int]]]:
    """Load batch after batch as a replay does; return the warehouse's version at each instant."""
    warehouse = Warehouse.open(tmp_path_factory.mktemp("shipped"))
    versions = {}
    for name in INSTANTS:
        folder = recording.batches_until(name)[-1]
        reports = warehouse.load_folder(folder, options=LoadOptions(shows_progress=False))
        assert sum(report.rejected_count for report in reports) == 0
        assert sum(report.unknown_key_count for report in reports) == 0
        versions[name] = (warehouse, warehouse.version)
    yield versions


def count_at(warehouses: dict[str, tuple[Warehouse, int]], instant: str, table: str) -> int:
    """Return the rows of a table in the warehouse of an instant."""
    warehouse, version = warehouses[instant]
    with warehouse.snapshot(version) as snapshot:
        return int(snapshot.sql(f"select count(*) as n from {table}")["n"][0])


def test_it_is_small_enough_to_ship() -> None:
    """All recordings together stay under eight million bytes."""
    total = sum(p.stat().st_size for p in SHIPPED.rglob("*") if p.is_file())
    assert total < SIZE_LIMIT_BYTES


def test_its_signatures_are_those_that_a_load_would_give(recording: Recording) -> None:
    """What was added at packing is what the code computes from the error texts: one cause has one signature."""
    seen = 0
    for path in sorted(recording.folder.glob("0*/*.jsonl.gz")):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            row = json.loads(line)
            if row.get("error_signature"):
                assert row["error_signature"] == error_signature(row["error_message"]), path
                seen += 1
    assert seen > 100


def test_it_holds_what_a_recording_must_hold(found: dict[str, Any]) -> None:
    """Enough minutes and runs, three signatures, leaks at the first pause, none at the second."""
    assert shortfalls(found) == []


def test_there_is_a_baseline_for_each_main_automation(found: dict[str, Any]) -> None:
    """Before the onset each automation of the story has run often enough to know its normal failures."""
    assert (found["runs"] >= LEAST_RUNS, found["minutes"] >= LEAST_MINUTES) == (True, True)
    before = found["runs before onset"]
    assert {name: before[name] for name in MAIN if before[name] < LEAST_RUNS_BEFORE} == {}


def test_all_kinds_and_categories_are_there(recording: Recording) -> None:
    """Twelve automations of five kinds in four categories ran."""
    rows = rows_at(recording, "run", instant="end")
    assert len({row["automation_id"] for row in rows}) == 12
    assert {row["kind"] for row in rows} == {
        "workflow",
        "watcher",
        "agent",
        "playbook",
        "custom_tool",
    }
    assert {row["category"] for row in rows} == {"commerce", "support", "content", "marketing"}


def test_the_chain_of_the_log_is_intact(recording: Recording) -> None:
    """Every event's hash follows from the one before and its body, from the store's id on."""
    lines = list(recording.store_log())
    before = hashlib.sha256(json.loads(lines[0]["body"])["store_id"].encode()).hexdigest()
    for seq, line in enumerate(lines, 1):
        assert (line["seq"], line["prev_hash"]) == (seq, before)
        before = hashlib.sha256(f"{before}\n{line['body']}".encode()).hexdigest()
        assert line["hash"] == before


@pytest.mark.parametrize("name", INSTANTS)
def test_the_store_at_an_instant_ends_in_the_named_head(
    recording: Recording, tmp_path: Path, name: str
) -> None:
    """Restored up to an instant, the store has the head and the standing hold that the recording names."""
    instant = recording.instant(name)
    settings = Settings(tmp_path / "s", tmp_path / "g", tmp_path / "h", demo_clock_at=instant.at)
    lines = recording.store_log()
    store = restore_store(settings, settings.clock(), lines=lines, until_seq=instant.log_seq)
    assert store.head_row() == (instant.log_seq, instant.log_hash)
    assert store.state().holds[instant.hold_id].released_seq is None
    assert store.state().doubts == {}


def test_the_log_heads_and_the_instants_go_forward(recording: Recording) -> None:
    """The instants follow each other, and no event after an instant is counted to it."""
    instants = [recording.instant(name) for name in INSTANTS]
    assert list(recording.instants) == INSTANTS
    assert [i.at for i in instants] == sorted(i.at for i in instants)
    bodies = [json.loads(line["body"]) for line in recording.store_log()]
    times = [from_text(body["occurred_at"]) for body in bodies]
    assert times == sorted(times)
    for instant in instants:
        assert times[instant.log_seq - 1] <= instant.at
        assert all(time > instant.at for time in times[instant.log_seq :])


def instants_in(row: dict[str, Any]) -> list[datetime]:
    """Return the times of a row at which something had happened; what is planned does not count."""
    ahead = ("expires_at", "scheduled_at", "context_as_of")
    return [from_text(v) for k, v in row.items() if v and k.endswith("_at") and k not in ahead]


@pytest.mark.parametrize("name", INSTANTS)
def test_a_batch_knows_nothing_that_came_after_its_instant(recording: Recording, name: str) -> None:
    """Times are those of the recorded evening, unshifted: none lies after the instant or before the start."""
    began = from_text(next(iter(events_of(recording, "store.init")))["occurred_at"])
    at = recording.as_of(name)
    for path in sorted(recording.batches_until(name)[-1].glob("*.jsonl.gz")):
        table = path.name.split(".")[0]
        for row in rows_at(recording, table, instant=name):
            times = instants_in(row)
            assert all(began <= time <= at for time in times), (table, row)


def test_runs_go_forward_in_time(recording: Recording) -> None:
    """No run ends before it starts, and none is known before it was first seen."""
    for row in rows_at(recording, "run", instant="end"):
        known = [row[name] for name in ("first_seen_at", "started_at", "finished_at") if row[name]]
        assert [from_text(text) for text in known] == sorted(from_text(text) for text in known)


def test_a_run_in_flight_at_an_instant_has_ended_later(
    warehouses: dict[str, tuple[Warehouse, int]],
) -> None:
    """The warehouse of an instant shows what was known then, not how it went on."""
    open_at = {}
    for name, (warehouse, version) in warehouses.items():
        with warehouse.snapshot(version) as snapshot:
            found = snapshot.sql("select run_id from run where finished_at is null")
            open_at[name] = set(found["run_id"])
    before_the_end = open_at["alert-resolved"] | open_at["relapse"] | open_at["narrow-restart"]
    assert before_the_end
    assert before_the_end & open_at["end"] == set()


@pytest.mark.parametrize("table", ["run", "step", "audit_event", "approval", "affected_record"])
def test_the_warehouse_has_every_row_of_the_batches(
    recording: Recording, warehouses: dict[str, tuple[Warehouse, int]], table: str
) -> None:
    """Loaded strictly, an instant has exactly the newest version of each row taken by then."""
    for name in INSTANTS:
        rows = rows_at(recording, table, instant=name)
        assert count_at(warehouses, name, table) == len(rows) > 0


def test_every_file_is_a_table_that_a_source_feeds(recording: Recording) -> None:
    """Batches hold what engines and systems told; what our own store says comes from its log."""
    names = {p.name.split(".")[0] for p in recording.folder.glob("*/*.jsonl.gz")}
    assert names & OWN_TABLES == set()
    assert {"run", "run_state", "step", "audit_event", "source_watermark"} <= names


def test_the_alert_was_green_before_the_restart_that_failed(recording: Recording) -> None:
    """No alert fires at the first instant, and some alerts were never acknowledged."""
    at_first = rows_at(recording, "alert", instant="alert-resolved")
    assert at_first
    assert [row["alert_id"] for row in at_first if row["resolved_at"] is None] == []
    assert [row for row in at_first if row["acknowledged_at"] is None]
    release = events_of(recording, "hold.release")[0]
    assert release["payload"]["break_glass_reason"] == "the alert is green"


def test_records_have_a_true_before_and_after(recording: Recording) -> None:
    """What an automation wrote to a record twice begins the second time where it ended the first time."""
    after: dict[tuple[str, str], Any] = {}
    checked = 0
    rows = rows_at(recording, "affected_record", instant="end")
    for row in sorted(rows, key=lambda row: row["changed_at"]):
        key = (row["record_type"], row["record_id"])
        if key in after:
            assert row["before"] == after[key]
            checked += 1
        after[key] = row["after"]
    assert checked > 100


def test_the_narrow_restart_let_through_what_it_named(recording: Recording) -> None:
    """Under the second hold the only runs that started are those of the narrow restart, at most its number."""
    probation = events_of(recording, "probation.start")[0]
    assert probation["payload"]["automation_ids"] == ["invoice-triage"]
    placed = events_of(recording, "hold.place")[-1]["occurred_at"]
    covered = {"invoice-triage", "ticket-reply", "product-copy"}
    started = [
        row
        for row in rows_at(recording, "run", instant="end")
        if row["automation_id"] in covered
        and row["started_at"]
        and from_text(row["started_at"]) > from_text(placed)
    ]
    assert {row["automation_id"] for row in started} == {"invoice-triage"}
    assert 0 < len(started) <= probation["payload"]["max_runs"]
    assert all(from_text(r["started_at"]) > from_text(probation["occurred_at"]) for r in started)


def test_the_hold_is_open_at_the_end(recording: Recording, found: dict[str, Any]) -> None:
    """The recording ends with the second hold in force, and with approvals pending."""
    assert [event["target"] for event in events_of(recording, "hold.release")] == ["H-1"]
    assert found["open"]["end"]["pending approvals"] > 0


def test_the_description_says_what_was_staged(recording: Recording) -> None:
    """A reader of the file alone learns that the fault, the costs and the people are staged."""
    staged = " ".join(recording.staged)
    assert all(word in staged for word in ("fictional", "cost", "roles", "made up"))
    assert "Prefect" in " ".join(recording.real)

"""Syncing an engine: idempotent, with overlap, vanished runs marked, all in one version or nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.engines.fake_prefect import FakePrefect, event, flow_run, task_run
from workbench.clock import FixedClock
from workbench.engines.binding import RegistryBinding
from workbench.engines.prefect import PrefectReader
from workbench.errors import EngineError
from workbench.records import Automation
from workbench.warehouse import Warehouse
from workbench.warehouse.syncing import OVERLAP, SyncReport, sync_engine

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
Sync = Callable[..., SyncReport]


@pytest.fixture
def server() -> FakePrefect:
    """Return a server with one failed and one running run."""
    found = FakePrefect()
    found.runs = [
        flow_run("r1", state_type="FAILED", message="HTTP 503 for order 4711"),
        flow_run("r2", state_type="RUNNING", end_time=None),
    ]
    found.tasks = [task_run("t1", "r1")]
    found.events = [event("e1", "prefect.work-pool.paused")]
    return found


@pytest.fixture
def warehouse(tmp_path: Any) -> Warehouse:
    """Return an empty warehouse."""
    return Warehouse.open(tmp_path / "home", FixedClock(NOW))


@pytest.fixture
def sync(server: FakePrefect, warehouse: Warehouse) -> Sync:
    """Return a function that reads the server once."""
    triage = Automation("invoice-triage", "agent", "commerce", "production", "agent-owner")

    def once(now: datetime = NOW, **other: Any) -> SyncReport:
        reader = PrefectReader(server.client(), RegistryBinding([triage], "prefect"))
        return sync_engine(warehouse, reader, source_id="prefect", now=now, **other)

    return once


def test_a_reading_brings_every_table(sync: Sync, warehouse: Warehouse) -> None:
    """Runs, states, steps and events come in one version, with watermarks at the instant of the reading."""
    report = sync()
    assert {load.table: load.accepted_count for load in report.loads} == {
        "run": 2, "run_state": 2, "step": 1, "audit_event": 1, "approval": 0,
    }  # fmt: skip
    assert (report.manifest_version, report.since, report.unbound) == (1, None, ())
    assert {mark.checked_at for mark in warehouse.watermarks()} == {NOW}
    with warehouse.snapshot() as snapshot:
        runs = snapshot.table("run").set_index("run_id")
    assert runs.loc["r1", ["status", "error_signature", "category"]].tolist() == [
        "failed", "HTTP 503 for order <n>", "commerce",
    ]  # fmt: skip


def test_reading_again_changes_no_row(sync: Sync, warehouse: Warehouse) -> None:
    """Rows that come again through the overlap are the same rows; only the watermark moves."""
    sync()
    with warehouse.snapshot() as snapshot:
        before = snapshot.table("run")
    report = sync(NOW + timedelta(minutes=1))
    assert sum(load.changed_count for load in report.loads) == 0
    assert report.since == NOW - OVERLAP
    with warehouse.snapshot() as snapshot:
        assert snapshot.table("run").equals(before)


def test_a_run_in_flight_becomes_the_finished_run(
    sync: Sync, server: FakePrefect, warehouse: Warehouse
) -> None:
    """What was running at the last reading is asked for by id, however old it is."""
    sync()
    server.runs[1] = flow_run(
        "r2", state_type="CRASHED", updated="2026-11-20T09:31:00Z", end_time="2026-11-20T09:30:30Z"
    )
    sync(NOW + timedelta(days=3))
    with warehouse.snapshot() as snapshot:
        runs = snapshot.table("run").set_index("run_id")["status"].to_dict()
    assert runs == {"r1": "failed", "r2": "crashed"}


def test_a_vanished_run_is_marked_not_lost(
    sync: Sync, server: FakePrefect, warehouse: Warehouse
) -> None:
    """A run that the engine deleted while it was not over stays in the warehouse, with the instant of the finding."""
    sync()
    del server.runs[1]
    report = sync(NOW + timedelta(minutes=5))
    assert report.vanished_count == 1
    with warehouse.snapshot() as snapshot:
        row = snapshot.table("run").set_index("run_id").loc["r2"]
    assert (row["status"], row["vanished_at"].to_pydatetime()) == (
        "running",
        NOW + timedelta(minutes=5),
    )
    assert row["labels"] == {"run_name": "successful-myna"}
    assert sync(NOW + timedelta(minutes=6)).vanished_count == 0


def test_a_finished_run_that_the_engine_purged_stays(
    sync: Sync, server: FakePrefect, warehouse: Warehouse
) -> None:
    """Old history that an engine throws away is not marked: it was over."""
    sync()
    del server.runs[0]
    assert sync(NOW + timedelta(minutes=5)).vanished_count == 0
    with warehouse.snapshot() as snapshot:
        assert snapshot.row_count("run") == 2


def test_an_engine_that_fails_midway_leaves_nothing(
    sync: Sync, server: FakePrefect, warehouse: Warehouse
) -> None:
    """Rows without their watermark would look complete: when one question fails, nothing is loaded."""
    server.overrides["/events/filter"] = lambda _: httpx.Response(401, json={})
    with pytest.raises(EngineError):
        sync()
    assert warehouse.version == 0
    assert warehouse.watermarks() == ()


def test_since_overrides_the_watermark(sync: Sync) -> None:
    """A person can read further back than the last reading."""
    sync()
    assert sync(since=NOW - timedelta(days=30)).since == NOW - timedelta(days=30)


def test_two_servers_are_two_sources(server: FakePrefect, warehouse: Warehouse) -> None:
    """The same run ids on two servers are different runs, each with its own watermark."""
    for name in ("one", "two"):
        reader = PrefectReader(server.client(), RegistryBinding([], "prefect"))
        report = sync_engine(warehouse, reader, source_id=name, now=NOW)
        assert report.unbound == ("invoice-triage",)
    with warehouse.snapshot() as snapshot:
        assert sorted(snapshot.table("run")["source_id"]) == ["one", "one", "two", "two"]
        assert set(snapshot.table("run")["kind"]) == {"unknown"}
    assert {mark.source_id for mark in warehouse.watermarks()} == {"one", "two"}

"""A Prefect server that says it is healthy is believed only where it also plans starts and makes them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.engines.prefect_ground import engine_over
from tests.engines.prefect_server import PrefectServer, new_id
from workbench.clock import to_text
from workbench.engines.prefect import PrefectEngine


@pytest.fixture
def server() -> PrefectServer:
    """A server with one scheduled deployment, an hour old."""
    found = PrefectServer()
    found.deploy("orders")
    return found


@pytest.fixture
def engine(server: PrefectServer) -> PrefectEngine:
    """The adapter over it."""
    return engine_over(server)


def test_a_sound_server_has_no_findings(engine: PrefectEngine) -> None:
    """Starts are planned, a worker is there, nothing waits: nothing is doubtful."""
    assert engine.probe().findings == ()


def test_health_is_true_and_nothing_is_planned(
    engine: PrefectEngine, server: PrefectServer
) -> None:
    """The trap of a wrong database driver: `/health` says true, and an active schedule has no start ahead."""
    server.scheduler_is_alive = False
    server.runs.clear()
    (finding,) = engine.probe().findings
    assert "1 of 1 deployments with an active schedule have no planned start (orders)" in finding
    assert "prefect.example" in finding


@pytest.mark.parametrize(
    "change",
    [
        {"paused": True},
        {"schedules": []},
        {"updated": None},
    ],
)
def test_what_should_have_no_starts_is_no_finding(
    engine: PrefectEngine, server: PrefectServer, change: dict[str, object]
) -> None:
    """Paused, without a schedule, or deployed a moment ago: that nothing is planned says nothing."""
    server.scheduler_is_alive = False
    server.runs.clear()
    if "updated" in change:
        change = {"updated": to_text(server.clock.now() - timedelta(seconds=10))}
    server.deployment("orders").update(change)
    assert engine.probe().findings == ()


def test_overdue_and_never_marked_late(engine: PrefectEngine, server: PrefectServer) -> None:
    """A run overdue for minutes that is still called Scheduled: the server's own loops are dead."""
    server.make("orders", after_seconds=-300)
    (finding,) = engine.probe().findings
    assert finding.startswith("1 runs are overdue and prefect.example")


def test_late_though_nothing_holds_it(engine: PrefectEngine, server: PrefectServer) -> None:
    """Late runs grow and no worker comes: said with since when, and what to do."""
    late(server)
    (finding,) = engine.probe().findings
    assert "2 runs at prefect.example" in finding
    assert "start a worker or the serving program" in finding


def test_late_under_a_pause_is_no_finding(engine: PrefectEngine, server: PrefectServer) -> None:
    """What a limit of 0 or a paused pool holds is meant to wait."""
    late(server)
    held = {"id": new_id(), "name": "x", "limit": 0}
    server.deployment("orders")["global_concurrency_limit"] = held
    assert engine.probe().findings == ()
    server.deployment("orders")["global_concurrency_limit"] = None
    server.pools[0]["is_paused"] = True
    assert engine.probe().findings == ()


def test_a_pool_without_a_worker_is_said(engine: PrefectEngine, server: PrefectServer) -> None:
    """Prefect calls a pool NOT_READY when no worker has come by."""
    server.pools[0]["status"] = "NOT_READY"
    (finding,) = engine.probe().findings
    assert "the work pool main at prefect.example" in finding


def late(server: PrefectServer) -> None:
    """Let two runs be late by ten minutes."""
    for _ in range(2):
        server._set(server.run(server.make("orders", after_seconds=-600)), "SCHEDULED", "Late")

"""The promises of every engine, kept by the adapter on an Airflow in memory."""

from __future__ import annotations

import pytest

from tests.engines.contract import *  # noqa: F403 - the same promises as for real servers
from tests.engines.contract import Ground, test_a_pause_is_read_back_and_touches_nothing_else
from tests.engines.contract import test_what_was_paused_before_stays_paused as before_stays
from tests.engines.fake_airflow import FakeAirflow
from workbench.records import Mode


@pytest.fixture
def server() -> FakeAirflow:
    """Three dags, the last one paused by somebody before."""
    server = FakeAirflow()
    server.add("orders", "invoices", "attic")
    server.flip("attic", True)
    return server


@pytest.fixture
def ground(server: FakeAirflow) -> Ground:
    """The adapter on this server."""
    return Ground(
        server.engine(),
        ("orders", "invoices"),
        "attic",
        work=server.begin,
        flip=server.flip,
        settle=server.step,
        patience_seconds=2,
        mildest=Mode.FREEZE,
    )


def test_a_server_that_answers_and_does_nothing_is_found_out(
    ground: Ground, server: FakeAirflow
) -> None:
    """Seeded: 200 with the wished state in the answer and none in the engine fails the read-back."""
    ground.patience_seconds = 0
    server.forgets_pause_of = {"orders"}
    with pytest.raises(AssertionError, match="never paused"):
        test_a_pause_is_read_back_and_touches_nothing_else(ground)


def test_a_resume_of_everything_is_found_out(ground: Ground, server: FakeAirflow) -> None:
    """Seeded: an engine that unpauses what was paused before us fails the promise about it."""
    server.overrides["PATCH", "/api/v2/dags/orders"] = lambda _: server.dags["attic"].update(
        is_paused=False
    )
    with pytest.raises(AssertionError):
        before_stays(ground)

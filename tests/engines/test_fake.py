"""The fake engine keeps the contract that real engines keep; an engine that breaks it is found out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.engines.contract import *  # noqa: F403 - the same promises as for real servers
from tests.engines.contract import Ground, test_a_pause_is_read_back_and_touches_nothing_else
from tests.engines.contract import test_what_was_paused_before_stays_paused as before_stays
from tests.engines.fake_engine import FakeEngine, Tricks
from workbench.clock import FixedClock
from workbench.engines.switching import CallResult

AT = datetime(2026, 11, 27, 9, tzinfo=UTC)


@pytest.fixture
def ground() -> Ground:
    """Three workflows, the last one paused by somebody before."""
    engine = FakeEngine(FixedClock(AT))
    engine.add("orders", "invoices")
    engine.add("attic", is_paused=True)
    return Ground(
        engine,
        ("orders", "invoices"),
        "attic",
        work=engine.begin,
        flip=lambda name, is_paused: engine.flip(name, is_paused, "somebody"),
        settle=lambda: engine.step(),
        patience_seconds=2,
    )


def test_an_engine_that_answers_and_does_nothing_is_found_out(ground: Ground) -> None:
    """Seeded: 200 without effect fails the promise that a pause is read back."""
    ground.patience_seconds = 0
    ground.engine.tricks = Tricks(before=lambda _: CallResult.DONE)  # type: ignore[attr-defined]
    with pytest.raises(AssertionError, match="never paused"):
        test_a_pause_is_read_back_and_touches_nothing_else(ground)


def test_an_adapter_that_opens_what_was_closed_is_found_out(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded: a resume that unpauses everything fails the promise about what was paused before."""
    right = ground.engine.plan_resume

    def everything(receipts, catch_up):  # type: ignore[no-untyped-def]
        ground.flip("attic", False)
        return right(receipts, catch_up)

    monkeypatch.setattr(ground.engine, "plan_resume", everything)
    with pytest.raises(AssertionError):
        before_stays(ground)

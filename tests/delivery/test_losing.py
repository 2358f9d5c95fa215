"""A pause that was read back and is gone again is said to be gone, by commands that do not look at the engine too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.delivery.place import Place, a_place
from tests.engines.fake_engine import Tricks
from workbench.control.engine_targets import with_engines
from workbench.engines.switching import CallResult
from workbench.records import Hold, Target, TargetState
from workbench.store.audit import verify_store


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Three workflows that run, and one that somebody paused before."""
    return a_place(tmp_path)


def recorded(place: Place, hold: Hold) -> Target:
    """Return how far the hold is at `orders` as the log alone has it."""
    state = place.control.state()
    targets = place.control.targets(hold.hold_id)
    found = with_engines(targets, hold, state=state, engine_ids={"fake"}, looks={})
    return next(one for one in found if one.automation_id == "orders")


def word(place: Place) -> str:
    """Return the state of `orders` as `status` says it."""
    rows = place.control.status().automations
    return next(row.state for row in rows if row.automation.automation_id == "orders")


def refuse_all(place: Place) -> None:
    """Let the engine refuse every call from now on."""
    place.engine.tricks = Tricks(before=lambda _: CallResult.REFUSED)


def test_what_somebody_opened_is_not_called_paused(place: Place) -> None:
    """Un-paused by others while our call is refused: neither quiet nor confirmed, and why, until it is paused again."""
    hold = place.hold("automation=orders")
    place.go()
    assert (recorded(place, hold).state, word(place)) == (TargetState.QUIET, "paused")
    place.engine.flip("orders", False, "bob")
    refuse_all(place)
    place.go()
    assert "orders" not in place.paused()
    found = recorded(place, hold)
    assert found.state is TargetState.UNCONFIRMED
    assert (found.confirmed_at, found.quiet_at) == (None, None)
    assert "is not paused" in found.note
    assert word(place) == "held, UNCONFIRMED in its engine"
    place.engine.tricks = Tricks()
    place.go()
    assert (recorded(place, hold).state, word(place)) == (TargetState.QUIET, "paused")
    assert verify_store(place.control.store).is_ok


def test_what_left_the_engine_is_not_called_paused(place: Place) -> None:
    """A workflow that was deleted there is CANNOT, and what was read back of it before counts no more."""
    hold = place.hold("automation=orders")
    place.go()
    del place.engine.jobs["orders"]
    place.go()
    found = recorded(place, hold)
    assert found.state is TargetState.CANNOT
    assert (found.confirmed_at, found.quiet_at) == (None, None)
    assert word(place) != "paused"


def test_it_is_recorded_once(place: Place) -> None:
    """While it stays open no pass says so again: the log grows by the calls alone."""
    place.hold("automation=orders")
    place.go()
    place.engine.flip("orders", False, "bob")
    refuse_all(place)
    place.go()
    before = place.actions().count("hold.observe")
    place.go()
    assert place.actions().count("hold.observe") == before

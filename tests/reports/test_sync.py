"""What our own store says of holds, automations and decisions is in the warehouse before a review."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reports import little_incident as story
from workbench.clock import FixedClock
from workbench.control import open_control
from workbench.control.resuming import ResumeRequest
from workbench.errors import NoMatch, NotFound
from workbench.reports.derive import ReviewWish, hold_for_scope, parameters_for_hold
from workbench.reports.sync import load_store_rows, store_rows
from workbench.warehouse import Warehouse


def test_the_hold_and_its_targets_arrive(tmp_path: Path) -> None:
    """After the sync the warehouse has the hold, one target per covered automation, and the registry."""
    settings, control = story.set_up(tmp_path)
    warehouse = Warehouse.open(settings.home)
    version = load_store_rows(warehouse, store_rows(control.state()))
    with warehouse.snapshot(version) as snapshot:
        hold = snapshot.table("hold").iloc[0]
        targets = snapshot.table("hold_target")
        automations = snapshot.table("automation")
    assert (hold["hold_id"], hold["scope"], hold["mode"]) == ("H-1", story.SCOPE, "freeze")
    assert hold["placed_at"] == story.at(story.PAUSE_MINUTE)
    assert sorted(targets["automation_id"]) == sorted(story.AGENTS)
    assert set(automations["restart_owner"]) == {"ops-lead"}


def test_syncing_the_same_log_changes_nothing(tmp_path: Path) -> None:
    """Equal logs give equal manifest versions, so that a report can be made again on the same snapshot."""
    settings, control = story.set_up(tmp_path)
    warehouse = Warehouse.open(settings.home)
    first = load_store_rows(warehouse, store_rows(control.state()))
    assert load_store_rows(warehouse, store_rows(control.state())) == first


def test_a_release_reaches_the_warehouse(tmp_path: Path) -> None:
    """A hold that was released since the last sync is released in the warehouse as well."""
    settings, control = story.set_up(tmp_path)
    warehouse = Warehouse.open(settings.home)
    load_store_rows(warehouse, store_rows(control.state()))
    later = open_control(settings, FixedClock(story.at(story.END_MINUTE + 1)))
    later.resume_full(ResumeRequest("H-1", break_glass_reason="the alert is green"))
    version = load_store_rows(warehouse, store_rows(later.state()))
    with warehouse.snapshot(version) as snapshot:
        hold = snapshot.table("hold").iloc[0]
    assert hold["released_at"] == story.at(story.END_MINUTE + 1)
    assert hold["released_by"]


def test_a_review_of_a_hold_derives_its_parameters(tmp_path: Path) -> None:
    """The hold, a narrower scope and the instant become parameters; the hold's own scope stays empty."""
    _, control = story.set_up(tmp_path)
    state, now = control.state(), control.clock.now()
    given = parameters_for_hold(
        state, ReviewWish("H-1", only="automation=invoice-triage"), as_of=now
    )
    assert given["only"] == "automation=invoice-triage"
    assert given["as_of"] == "2026-11-20T09:58:00.000000Z"
    assert parameters_for_hold(state, ReviewWish("H-1", only=story.SCOPE), as_of=now)["only"] == ""


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    """An unknown hold, and a scope outside the hold, are refused with what there is."""
    _, control = story.set_up(tmp_path)
    state, now = control.state(), control.clock.now()
    with pytest.raises(NotFound, match="no hold H-9; newest: H-1"):
        parameters_for_hold(state, ReviewWish("H-9"), as_of=now)
    with pytest.raises(NoMatch, match="covers nothing that H-1 holds"):
        parameters_for_hold(state, ReviewWish("H-1", only="automation=order-sync"), as_of=now)


def test_a_scope_finds_its_hold(tmp_path: Path) -> None:
    """The long form for schedulers names a scope; the newest hold that covers all of it is reviewed."""
    _, control = story.set_up(tmp_path)
    state, since = control.state(), story.text_at(0) or ""
    found = hold_for_scope(state, "automation=ticket-reply", since=since, is_over_too=False)
    assert found.hold_id == "H-1"
    with pytest.raises(NotFound, match="No standing hold covers kind=workflow"):
        hold_for_scope(state, "kind=workflow", since=since, is_over_too=False)

"""Who is told is recorded in either database before it is sent, and folds to the same in both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.store.ground import START, SetClock, a_registry, settings_in
from workbench.control import Control, open_control
from workbench.control.notices import (
    Notice,
    acknowledge,
    begin_notice,
    end_notice,
    notices_due,
    say_unreachable,
)
from workbench.control.triggering import record_look, subjects_of
from workbench.errors import Refused
from workbench.messages import message
from workbench.store import init_store
from workbench.store.documents import documents
from workbench.store.folding import fold
from workbench.trigger_rules import TriggerFinding, TriggerState

KEY = "automation=order-sync/failure_streak"
ROLES = ("ops-lead",)


@pytest.fixture
def control(place: Path) -> Control:
    """A store in which one rule fires at one automation."""
    clock = SetClock()
    init_store(settings_in(place), clock, environment="staging", actor="os:test (unverified)")
    found = open_control(settings_in(place), clock)
    found.apply_registry(a_registry())
    look(found, TriggerState.FIRES)
    return found


def look(control: Control, state: TriggerState) -> None:
    """Record what a look found."""
    one = TriggerFinding(
        "automation=order-sync",
        "failure_streak",
        state,
        "5 runs failed",
        "5",
        "runs",
        "5 or more",
        "chance",
        "q",
    )
    record_look(control, subjects_of(control.state()), findings=[one])


def due(control: Control) -> list[Notice]:
    """Return whom to tell now."""
    return notices_due(control.state(), reachable=ROLES, now=control.clock.now())


def same(control: Control) -> bool:
    """Tell whether rows, fold from the beginning and the state at hand agree."""
    again = documents(fold(control.store.events()))
    return control.store.projection() == again == documents(control.state())


def test_of_two_who_come_one_is_to_tell(control: Control, place: Path) -> None:
    """The second finds it recorded and has nothing to send, whatever state it looked at before."""
    (notice,) = due(control)
    other = open_control(settings_in(place), control.clock)
    assert begin_notice(control, notice, reachable=ROLES)
    assert begin_notice(other, notice, reachable=ROLES) == ()
    assert (due(control), same(control)) == ([], True)
    (ended,) = end_notice(control, notice, outcome="success", why="")
    assert (ended.outcome, ended.payload["role"], same(control)) == ("success", "ops-lead", True)
    assert (due(control), due(other)) == ([], [])


def test_what_is_not_due_any_more_is_not_begun(control: Control) -> None:
    """Acknowledged, or over, between the look and the turn to tell: nothing is recorded and nothing to send."""
    (notice,) = due(control)
    acknowledge(control, KEY)
    assert begin_notice(control, notice, reachable=ROLES) == ()
    assert not [e for e in control.store.events() if e.action == "notice.begin"]
    with pytest.raises(Refused, match="acknowledged before"):
        acknowledge(control, "automation=order-sync")
    assert same(control)


def test_an_answer_that_comes_late_changes_no_later_episode(control: Control) -> None:
    """How telling an episode went that is over is recorded, and says nothing of the one after it."""
    (old,) = due(control)
    begin_notice(control, old, reachable=ROLES)
    look(control, TriggerState.QUIET)
    look(control, TriggerState.FIRES)
    end_notice(control, old, outcome="failure", why="the service answered 500")
    assert "notices" not in control.state().triggers[KEY]
    (new,) = due(control)
    assert (new.tries, new.episode > old.episode, same(control)) == (1, True, True)


def test_a_failure_is_tried_again_a_minute_later(control: Control) -> None:
    """Not sooner, three times in all, each under an id of its own."""
    clock = control.clock
    assert isinstance(clock, SetClock)
    for tries in (1, 2, 3):
        (notice,) = due(control)
        assert notice.tries == tries
        begin_notice(control, notice, reachable=ROLES)
        end_notice(control, notice, outcome="failure", why="the service answered 500")
        clock.move(59)
        assert due(control) == []
        clock.move(1)
    assert (due(control), same(control)) == ([], True)
    assert clock.at > START


def test_a_doubt_after_the_end_loses_no_word_of_it(control: Control) -> None:
    """What failed to be sent is tried again through doubt and quiet, with when it ended, until it fires anew."""
    clock = control.clock
    assert isinstance(clock, SetClock)
    (notice,) = due(control)
    begin_notice(control, notice, reachable=ROLES)
    end_notice(control, notice, outcome="success", why="")
    clock.move(60)
    ended_at = clock.now()
    look(control, TriggerState.QUIET)
    (over,) = due(control)
    begin_notice(control, over, reachable=ROLES)
    end_notice(control, over, outcome="failure", why="the service answered 500")
    for state in (TriggerState.CANNOT_TELL, TriggerState.QUIET):
        clock.move(61)
        look(control, state)
        assert due(control) == [replace(over, tries=2)]
        assert f"to {ended_at:%Y-%m-%d %H:%M:%S} UTC" in message(control.state(), [over])[1]
        assert same(control)
    begin_notice(control, replace(over, tries=2), reachable=ROLES)
    end_notice(control, replace(over, tries=2), outcome="success", why="")
    look(control, TriggerState.CANNOT_TELL)
    assert due(control) == []
    look(control, TriggerState.FIRES)
    (new,) = due(control)
    assert (new.is_over, "over" in control.state().triggers[KEY]) == (False, False)


def test_a_role_that_cannot_be_told_is_recorded_once(control: Control) -> None:
    """However often it is said."""
    why = "no address for it in notify.toml"
    assert len(say_unreachable(control, "support-lead", why=why)) == 1
    assert say_unreachable(control, "support-lead", why=why) == ()
    assert same(control)


def test_a_way_that_was_mended_and_lost_again_is_said_anew(control: Control) -> None:
    """Told in between, the role had an address; without one again it is recorded once more, and once only.

    That it was told in the episode before, or that another role was told, is nothing new.
    """
    why = "no address for it in notify.toml"
    assert len(say_unreachable(control, "lead", why=why)) == 1
    (notice,) = due(control)
    assert notice.role == "ops-lead"
    begin_notice(control, notice, reachable=ROLES)
    assert say_unreachable(control, "lead", why=why) == ()
    assert len(say_unreachable(control, "ops-lead", why=why)) == 1
    assert say_unreachable(control, "ops-lead", why=why) == ()
    end_notice(control, notice, outcome="success", why="")
    look(control, TriggerState.QUIET)
    look(control, TriggerState.FIRES)
    assert say_unreachable(control, "ops-lead", why=why) == ()
    (again,) = due(control)
    begin_notice(control, again, reachable=ROLES)
    assert len(say_unreachable(control, "ops-lead", why=why)) == 1
    assert same(control)

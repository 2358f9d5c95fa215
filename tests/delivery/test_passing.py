"""A pass brings an engine where the log wants it, whatever the engine answers, and opens only what it closed."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from pathlib import Path

import pytest

from tests.delivery.place import JOBS, Place, a_place
from tests.engines.fake_engine import Tricks
from tests.store.ground import break_glass
from workbench.engines.switching import CallResult, NativeCall, Reading
from workbench.errors import EngineError
from workbench.records import Mode
from workbench.store.audit import verify_store


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Three workflows that run, and one that somebody paused before."""
    return a_place(tmp_path)


def test_a_hold_pauses_what_it_covers_and_is_read_back(place: Place) -> None:
    """The held workflow is paused, its neighbours run; intent before result, and the receipt are in the log."""
    place.hold("automation=orders")
    look = place.go()
    assert place.paused() == {"orders", "attic"}
    part = look.parts["orders"]
    assert part.delivered_at and part.confirmed_at and part.quiet_at
    assert look.is_settled
    assert place.actions()[-4:] == [
        "delivery.begin",
        "delivery.end",
        "receipt.open",
        "hold.observe",
    ]
    assert verify_store(place.control.store).is_ok


def test_a_second_pass_says_nothing_new(place: Place) -> None:
    """What is as wanted costs no event and no call."""
    place.hold("*")
    place.go()
    before, calls = place.actions(), list(place.engine.calls)
    place.go()
    assert (place.actions(), place.engine.calls) == (before, calls)


def test_a_release_brings_back_what_we_paused_only(place: Place) -> None:
    """The workflow that somebody else had paused before stays paused."""
    hold = place.hold("kind=workflow")
    place.go()
    assert place.paused() == {*JOBS, "attic"}
    place.control.resume_full(break_glass(hold.hold_id))
    place.go()
    assert place.paused() == {"attic"}
    assert place.control.state().receipts == {}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_overlapping_holds_leave_it_as_found(place: Place, order: tuple[int, ...]) -> None:
    """I7: whatever the order of releasing, a target is paused while any hold is on it, then as found."""
    scopes = ("automation=orders", "kind=workflow", "*")
    holds = []
    for scope in scopes:
        holds.append(place.hold(scope))
        place.go()
    for index in order:
        assert "orders" in place.paused()
        place.control.resume_full(break_glass(holds[index].hold_id))
        place.go()
    assert place.paused() == {"attic"}


def test_the_strongest_mode_counts(place: Place) -> None:
    """A drain and a halt on one workflow: the run in flight is cancelled; another that is drained goes on."""
    one, other = place.engine.begin("orders"), place.engine.begin("invoices")
    place.hold("kind=workflow")
    place.hold("automation=orders", Mode.HALT)
    look = place.go()
    assert place.engine.work[one].status == "cancelled"
    assert place.engine.work[other].status == "running"
    assert look.parts["orders"].quiet_at
    assert look.parts["invoices"].confirmed_at
    assert look.parts["invoices"].quiet_at is None
    assert look.parts["invoices"].in_flight_count == 1


def test_a_frozen_run_goes_on_after_the_release(place: Place) -> None:
    """Under freeze a run stops; the release lets it go on, for it is in the receipt."""
    run_id = place.engine.begin("orders")
    hold = place.hold("automation=orders", Mode.FREEZE)
    assert place.go().parts["orders"].frozen_count == 1
    place.engine.step()
    assert place.engine.work[run_id].done_steps == 0
    place.control.resume_full(break_glass(hold.hold_id))
    place.go()
    assert not place.engine.work[run_id].is_suspended


def test_an_answer_without_effect_is_not_believed(place: Place) -> None:
    """200 and nothing done: the target is not confirmed and the next pass tries again."""
    place.engine.tricks = Tricks(before=lambda _: CallResult.DONE)
    place.hold("automation=orders")
    look = place.go()
    assert look.parts["orders"].confirmed_at is None
    assert "not paused" in look.parts["orders"].why
    assert not look.is_settled
    place.engine.tricks = Tricks()
    assert place.go().parts["orders"].confirmed_at
    assert "orders" in place.paused()


def test_what_nobody_answered_is_not_delivered(place: Place) -> None:
    """A call without an answer and without an effect is no delivery; its neighbour's yes is one, for it alone."""

    def lost(call: NativeCall) -> CallResult | None:
        return CallResult.UNKNOWN if call.target_id == "job:orders" else None

    place.engine.tricks = Tricks(before=lost)
    hold = place.hold("kind=workflow")
    parts = place.go().parts
    assert (parts["orders"].delivered_at, parts["orders"].confirmed_at) == (None, None)
    assert parts["invoices"].delivered_at
    assert "engine_delivered_at" not in place.control.state().observed.get(
        (hold.hold_id, "orders"), {}
    )
    place.engine.tricks = Tricks()
    part = place.go().parts["orders"]
    assert part.delivered_at and part.confirmed_at


def test_a_lost_reply_that_is_read_back_was_delivered_then(place: Place) -> None:
    """The call took effect and its answer was lost: it is delivered when it was read back, not when it was sent."""

    def later(reading: Reading) -> Reading:
        place.clock.move(1)
        return replace(reading, observed_at=place.clock.now())

    place.engine.tricks = Tricks(after=lambda _: CallResult.UNKNOWN, reads=later)
    place.hold("automation=orders")
    part = place.go().parts["orders"]
    assert part.delivered_at and part.delivered_at == part.confirmed_at


def test_a_lost_reply_is_settled_by_reading_back(place: Place) -> None:
    """The call took effect and its answer was lost: confirmed by reading, with a receipt, and brought back later."""
    place.engine.tricks = Tricks(after=lambda _: CallResult.UNKNOWN)
    hold = place.hold("automation=orders")
    assert place.go().parts["orders"].confirmed_at
    assert list(place.control.state().receipts) == [("fake", "job:orders")]
    place.engine.tricks = Tricks()
    place.control.resume_full(break_glass(hold.hold_id))
    place.go()
    assert place.paused() == {"attic"}


def test_a_late_effect_after_the_release_is_taken_back(place: Place) -> None:
    """An unanswered pause that takes effect after its hold was released is found to be ours, and undone."""
    place.engine.tricks = Tricks(before=lambda _: CallResult.UNKNOWN)
    hold = place.hold("automation=orders")
    place.go()
    place.engine.tricks = Tricks()
    place.control.resume_full(break_glass(hold.hold_id))
    place.go()
    place.engine.flip("orders", True, "ops-lead")  # the late call lands
    place.go()
    assert place.paused() == {"attic"}


def test_an_engine_that_is_away_is_said(place: Place) -> None:
    """No reading, no confirmation: the reason is in the engine's words, and nothing is brought back meanwhile."""
    hold = place.hold("automation=orders")
    place.go()
    place.control.resume_full(break_glass(hold.hold_id))
    place.hold("automation=invoices")

    def away(_: object) -> None:
        raise EngineError("fake.example:1 cannot be reached: refused")

    place.engine.tricks = Tricks(reads=away)  # type: ignore[arg-type]
    look = place.go()
    assert "cannot be reached" in look.fault
    assert "cannot be reached" in look.parts["invoices"].why
    assert place.paused() == {"orders", "attic"}
    place.engine.tricks = Tricks()
    place.go()
    assert place.paused() == {"invoices", "attic"}


def test_who_takes_a_pause_away_is_named_and_it_is_paused_again(place: Place) -> None:
    """Drift is recorded with who and when, and brought back; after three times it is left alone and said."""
    place.hold("automation=orders")
    place.go()
    for _ in range(3):
        place.engine.flip("orders", False, "olga")
        place.go()
        assert "orders" in place.paused()
    drifts = place.control.state().drifts["fake", "job:orders"]
    assert len(drifts) == 3
    assert "olga un-paused orders in fake at" in drifts[0][1]
    place.engine.flip("orders", False, "olga")
    look = place.go()
    assert "orders" not in place.paused()
    assert "un-paused 3 times" in look.parts["orders"].why
    assert look.parts["orders"].confirmed_at is None


def test_what_others_paused_meanwhile_stays(place: Place) -> None:
    """Somebody un-paused and paused it again by hand: it is theirs now, and a release leaves it."""
    hold = place.hold("automation=orders")
    place.go()
    place.engine.jobs["orders"].is_paused = False
    place.engine.flip("orders", False, "olga")
    place.control.resume_full(break_glass(hold.hold_id))
    place.go()
    assert place.control.state().receipts == {}
    assert place.paused() == {"attic"}


def test_an_edit_of_the_registry_opens_nothing(place: Place) -> None:
    """A held automation that is bound to another name or engine stays paused where it was."""
    place.hold("automation=orders")
    place.go()
    state = place.control.state()
    moved = replace(state.automations["orders"], engine="elsewhere")
    registry = known(place)
    place.control.apply_registry(
        replace(registry, automations={**registry.automations, "orders": moved})
    )
    place.go()
    assert "orders" in place.paused()


def test_what_the_engine_does_not_have_is_not_called_paused(place: Place) -> None:
    """A workflow that is gone from the engine is not confirmed, and why is said."""
    del place.engine.jobs["orders"]
    place.hold("automation=orders")
    look = place.go()
    assert look.parts["orders"].confirmed_at is None
    assert "has no workflow orders" in look.parts["orders"].why


@pytest.mark.parametrize("seed", range(50))
def test_nothing_is_claimed_paused_while_it_runs(tmp_path: Path, seed: int) -> None:
    """F40-F47: with random faults no pass confirms a workflow whose switch is open; without, all ends as wanted."""
    rng, place = random.Random(seed), a_place(tmp_path)
    place.engine.tricks = Tricks(
        before=lambda call: trick(rng),
        after=lambda call: rng.choice([CallResult.DONE, CallResult.UNKNOWN]),
        reads=lambda reading: unsure(rng, reading),
    )
    holds = []
    for _ in range(6):
        if holds and rng.random() < 0.4:
            place.control.resume_full(break_glass(holds.pop(rng.randrange(len(holds)))))
        else:
            scope = rng.choice(["automation=orders", "kind=workflow", "*", "automation=emails"])
            holds.append(place.hold(scope, rng.choice(list(Mode))).hold_id)
        look = place.go()
        for automation_id, part in look.parts.items():
            if automation_id and part.confirmed_at:
                assert place.engine.jobs[automation_id].is_paused, (automation_id, seed)
    place.engine.tricks = Tricks()
    for hold_id in holds:
        place.control.resume_full(break_glass(hold_id))
    for _ in range(3):
        place.go()
    assert place.paused() == {"attic"}
    assert verify_store(place.control.store).is_ok


def trick(rng: random.Random) -> CallResult | None:
    """Most calls go through; some are refused, lost, or answered without any effect."""
    draw = rng.random()
    if draw < 0.1:
        raise EngineError("fake.example:1 answers with an HTML page")
    return {0: CallResult.DONE, 1: CallResult.UNKNOWN}.get(int(draw * 10) - 1)


def unsure(rng: random.Random, reading):  # type: ignore[no-untyped-def]
    """Some readings fail."""
    if rng.random() < 0.03:
        raise EngineError("fake.example:1 did not answer in time")
    return reading


def known(place: Place):  # type: ignore[no-untyped-def]
    """Return the registry as the store has it."""
    from workbench.control.enrolling import known_registry

    return known_registry(place.control.store.state())

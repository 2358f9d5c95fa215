"""An intent is forgotten when nothing of it is to come any more, and claims nothing for ours afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.delivery.place import Place, a_place
from tests.engines.fake_engine import Tricks
from tests.engines.fake_temporal import FakeTemporal
from tests.engines.test_temporal_switching import ServerClock
from tests.store.ground import a_control, an_automation, break_glass
from workbench.control.placing import PauseRequest
from workbench.delivery.hand import Hand
from workbench.delivery.passing import pass_over
from workbench.delivery.strays import LATEST_EFFECT
from workbench.engines.binding import RegistryBinding
from workbench.engines.switching import CallResult, NativeCall
from workbench.engines.temporal import Temporal
from workbench.engines.temporal_asking import Namespace
from workbench.records import Mode
from workbench.store.audit import verify_store


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Three workflows that run, and one that somebody paused before."""
    return a_place(tmp_path)


def test_cancelled_runs_of_temporal_leave_no_intent(tmp_path: Path) -> None:
    """A halt asks a run to cancel, which takes a while; when it has ended nothing of it is left in the state."""
    server = FakeTemporal()
    server.add_schedule("s-orders", "orders")
    run, clock = server.begin("orders"), ServerClock(server)
    control = a_control(
        tmp_path, clock, [an_automation("orders", "workflow", engine="main", asks_gate=False)]
    )
    engine = Temporal(
        Namespace(server.client(), "default"), RegistryBinding([], "main"), clock=clock
    )
    hand = Hand("main", engine, control.store, clock)
    hold = control.pause(
        PauseRequest("automation=orders", "x", mode=Mode.HALT), wait_seconds=0
    ).hold
    look = pass_over(hand)
    assert not look.is_settled
    assert ("main", f"run:{run.run_id}") in control.state().intents
    for _ in range(3):
        server.step()
        look = pass_over(hand)
    assert look.is_as_wanted
    assert control.state().intents == {}
    control.resume_full(break_glass(hold.hold_id))
    pass_over(hand)
    assert (control.state().receipts, control.state().intents) == ({}, {})
    assert verify_store(control.store).is_ok


def test_a_run_that_ends_by_itself_leaves_no_intent(place: Place) -> None:
    """The cancel of a run under a target of others was answered and ignored; the run ended, so nothing is to come."""
    run_id = place.engine.begin("attic")
    place.engine.tricks = Tricks(before=lambda _: CallResult.DONE)
    place.hold("automation=attic", Mode.HALT)
    assert not place.go().is_settled
    assert place.control.state().intents
    place.engine.work[run_id].status = "succeeded"
    assert place.go().is_settled
    assert place.control.state().intents == {}


def test_an_old_intent_claims_nothing_that_others_paused(place: Place) -> None:
    """A pause that never came about is forgotten, so that what somebody pauses later by hand stays theirs."""
    place.engine.tricks = Tricks(before=lambda _: CallResult.UNKNOWN)
    hold = place.hold("automation=orders")
    place.go()
    place.engine.tricks = Tricks()
    place.control.resume_full(break_glass(hold.hold_id))
    place.go()
    assert place.control.state().intents
    place.clock.move(LATEST_EFFECT.total_seconds() + 1)
    place.go()
    assert place.control.state().intents == {}
    place.engine.flip("orders", True, "olga")
    later = place.hold("automation=orders")
    place.go()
    place.control.resume_full(break_glass(later.hold_id))
    place.go()
    assert "orders" in place.paused()


def test_what_may_still_take_effect_is_kept(place: Place) -> None:
    """Seeded against settling too early: a pause that is still wanted and not there keeps its intent however old."""
    place.engine.tricks = Tricks(before=lambda _: CallResult.UNKNOWN)
    place.hold("automation=orders")
    place.go()
    place.clock.move(LATEST_EFFECT.total_seconds() + 1)
    place.go()
    assert place.control.state().intents


def test_runs_under_a_target_of_others_are_let_go(place: Place) -> None:
    """A freeze stops a run of a workflow that somebody paused before: the run goes on, the workflow stays as found."""
    run_id = place.engine.begin("attic")
    hold = place.hold("automation=attic", Mode.FREEZE)
    place.go()
    assert place.engine.work[run_id].is_suspended
    receipt = place.control.state().receipts["fake", "job:attic"]
    assert (receipt["is_runs_only"], receipt["altered_run_ids"]) == (True, [run_id])
    place.control.resume_full(break_glass(hold.hold_id))
    assert place.go().is_settled
    assert not place.engine.work[run_id].is_suspended
    assert place.paused() == {"attic"}
    assert (place.control.state().receipts, place.control.state().intents) == ({}, {})


def test_a_freeze_over_our_own_drain_lets_its_runs_go(place: Place) -> None:
    """The target was paused by our first hold, the run by a later one: both are brought back."""
    run_id = place.engine.begin("orders")
    drain = place.hold("automation=orders")
    place.go()
    freeze = place.hold("automation=orders", Mode.FREEZE)
    place.go()
    assert place.engine.work[run_id].is_suspended
    for hold in (freeze, drain):
        place.control.resume_full(break_glass(hold.hold_id))
    place.go()
    assert not place.engine.work[run_id].is_suspended
    assert place.paused() == {"attic"}


def test_a_run_whose_call_was_lost_is_asked_for_again(place: Place) -> None:
    """The receipt of runs stays until the engine answers."""
    run_id = place.engine.begin("attic")
    hold = place.hold("automation=attic", Mode.FREEZE)
    place.go()
    place.control.resume_full(break_glass(hold.hold_id))
    lost = iter([CallResult.UNKNOWN])
    place.engine.tricks = Tricks(before=lambda _: next(lost, None))
    assert not place.go().is_settled
    assert place.go().is_settled
    assert not place.engine.work[run_id].is_suspended


def test_a_target_of_others_that_they_open_is_no_drift(place: Place) -> None:
    """Its owner un-pauses it under our hold: it is paused again, is ours from then on, and nobody is accused."""
    place.engine.begin("attic")
    hold = place.hold("automation=attic", Mode.FREEZE)
    place.go()
    place.engine.flip("attic", False, "olga")
    place.go()
    assert "attic" in place.paused()
    assert place.control.state().drifts == {}
    assert not place.control.state().receipts["fake", "job:attic"].get("is_runs_only")
    place.control.resume_full(break_glass(hold.hold_id))
    place.go()
    assert place.paused() == set()


def test_runs_stopped_over_an_unanswered_resume_are_let_go(place: Place) -> None:
    """A resume is not answered, opens late, a run begins, and a second freeze stops it: its release lets it go on."""
    hold = place.hold("automation=orders", Mode.FREEZE)
    place.go()
    place.engine.tricks = Tricks(before=lambda _: CallResult.UNKNOWN)
    place.control.resume_full(break_glass(hold.hold_id))
    place.go()
    place.engine.tricks = Tricks()
    place.engine.flip("orders", False, "system")
    run_id = place.engine.begin("orders")
    again = place.hold("automation=orders", Mode.FREEZE)
    place.go()
    assert place.engine.work[run_id].is_suspended
    assert place.control.state().receipts["fake", "job:orders"]["altered_run_ids"] == [run_id]
    place.control.resume_full(break_glass(again.hold_id))
    place.go()
    assert not place.engine.work[run_id].is_suspended
    assert place.paused() == {"attic"}
    assert place.control.state().receipts == {}
    assert verify_store(place.control.store).is_ok


def test_an_intent_over_another_keeps_what_was_found_first(place: Place) -> None:
    """Two freezes that nobody answered: the runs of both are ours, and the newer one may still take effect."""
    runs = [place.engine.begin("orders")]
    place.hold("automation=orders", Mode.FREEZE)
    place.engine.tricks = Tricks(before=lambda _: CallResult.UNKNOWN)
    place.go()
    first = place.control.state().intents["fake", "job:orders"]
    runs.append(place.engine.begin("orders"))
    place.go()
    intent = place.control.state().intents["fake", "job:orders"]
    assert intent["run_ids"] == runs
    assert intent["before"] == first["before"]
    assert intent["begun_at"] > first["begun_at"]


def test_the_forecast_tells_of_the_runs_alone(place: Place) -> None:
    """What would start of a target that stays paused is no more than the runs that we stopped."""
    from tests.delivery.test_serving import fleet_of
    from workbench.engines.switching import CatchUp

    run_id = place.engine.begin("attic")
    place.hold("automation=attic", Mode.FREEZE)
    place.go()
    place.engine.jobs["attic"].missed_count = 7
    (told,) = fleet_of(place).forecast(place.control.state(), ["attic"], catch_up=CatchUp.ALL)
    assert (told.count, told.run_ids) == (1, (run_id,))


def test_only_the_runs_are_named_to_the_engine(place: Place) -> None:
    """No call that switches the target of others goes out at the release."""
    place.engine.begin("attic")
    hold = place.hold("automation=attic", Mode.FREEZE)
    place.go()
    sent: list[NativeCall] = []
    place.engine.tricks = Tricks(before=lambda call: sent.append(call))  # type: ignore[func-returns-value]
    place.control.resume_full(break_glass(hold.hold_id))
    place.go()
    assert [bool(call.run_id) for call in sent] == [True]

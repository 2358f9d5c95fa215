"""One call that pauses many targets is kept, read back and undone target by target."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.delivery.place import JOBS, Place, a_place
from tests.engines.fake_engine import Tricks
from tests.store.ground import break_glass
from workbench.engines.switching import CallResult, NativeCall
from workbench.records import Mode
from workbench.store.audit import verify_store


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Three workflows that run, one that somebody paused before, and one call that pauses them all."""
    found = a_place(tmp_path)
    found.engine.has_bulk = True
    return found


def test_each_covered_target_is_kept_before_the_call_and_brought_back(place: Place) -> None:
    """Safe mode by one call: an intent for each target when it goes out, a receipt each, and as found at the end."""
    meant: list[set[str]] = []

    def look(_: NativeCall) -> CallResult | None:
        meant.append({target for _, target in place.control.state().intents})
        return None

    place.engine.tricks = Tricks(before=look)
    hold = place.hold("*")
    look_back = place.go()
    ours = {f"job:{name}" for name in JOBS}
    assert place.engine.calls == [("PATCH", "/jobs/*")]
    assert meant == [ours]
    assert {target for _, target in place.control.state().receipts} == ours
    assert all(look_back.parts[name].confirmed_at for name in JOBS)
    place.control.resume_full(break_glass(hold.hold_id))
    place.go()
    assert place.paused() == {"attic"}
    assert (place.control.state().receipts, place.control.state().intents) == ({}, {})


def test_the_engine_is_told_of_the_hold_on_all(place: Place) -> None:
    """The reason that goes out with a bulk call is that of safe mode, not that of a hold on one of its targets."""
    place.hold("automation=orders")
    whole = place.hold("*")
    told: list[str] = []
    right = place.engine.apply
    place.engine.apply = lambda call, note: (told.append(note.hold_id), right(call, note))[1]  # type: ignore[method-assign]
    place.go()
    assert told == [whole.hold_id]


def test_a_refused_bulk_call_is_said_of_each_target(place: Place) -> None:
    """None of what it covers is called paused, and why stands at each."""
    place.engine.tricks = Tricks(before=lambda _: CallResult.REFUSED)
    place.hold("*")
    parts = place.go().parts
    for name in JOBS:
        assert parts[name].confirmed_at is None
        assert parts[name].delivered_at is None
        assert parts[name].why


def test_an_unanswered_bulk_call_that_acts_late_is_undone(place: Place) -> None:
    """Its effect comes after the release: every target of it is found to be ours."""
    place.engine.tricks = Tricks(before=lambda _: CallResult.UNKNOWN)
    hold = place.hold("*")
    place.go()
    place.engine.tricks = Tricks()
    place.control.resume_full(break_glass(hold.hold_id))
    place.go()
    for name in JOBS:
        place.engine.flip(name, True, "ops-lead")  # the late call lands
    place.go()
    assert place.paused() == {"attic"}


@pytest.mark.parametrize("seed", range(50))
def test_overlapping_holds_leave_every_target_as_found(tmp_path: Path, seed: int) -> None:
    """I7: any order of placing and releasing, by bulk and single calls, ends with each target as it was found."""
    place, found = walk(tmp_path, seed)
    assert place.paused() == found, seed
    assert (place.control.state().receipts, place.control.state().intents) == ({}, {})
    assert verify_store(place.control.store).is_ok


def test_the_property_catches_a_delivery_that_looks_at_the_named_target_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded: without what a bulk call covers, some walk leaves a target paused."""
    monkeypatch.setattr(NativeCall, "target_ids", property(lambda call: (call.target_id,)))
    walks = [walk(tmp_path / str(seed), seed) for seed in range(3)]
    assert any(place.paused() != found for place, found in walks)


def walk(root: Path, seed: int) -> tuple[Place, set[str]]:
    """Place and release holds at random until none stands; returns what was paused before, too."""
    rng, place = random.Random(seed), a_place(root)
    place.engine.has_bulk = True
    place.engine.add("unregistered")
    for job in place.engine.jobs.values():
        job.is_paused = rng.random() < 0.3
    found = place.paused()
    holds: list[str] = []
    for step in range(8):
        if holds and (step > 4 or rng.random() < 0.4):
            place.control.resume_full(break_glass(holds.pop(rng.randrange(len(holds)))))
        else:
            scope = rng.choice(["*", "*", "automation=orders", "kind=workflow", "automation=attic"])
            holds.append(place.hold(scope, rng.choice([Mode.DRAIN, Mode.FREEZE])).hold_id)
        if rng.random() < 0.8:
            place.go()
    for hold_id in holds:
        place.control.resume_full(break_glass(hold_id))
    place.go()
    return place, found

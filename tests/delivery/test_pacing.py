"""A resume says what becomes of missed starts and how fast work is let go; delivery keeps to both, or says why not."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.ground import events, refused, run
from tests.delivery.place import JOBS, Place, a_place
from tests.delivery.shell import a_fleet
from tests.store.ground import break_glass
from workbench.delivery import kept, resuming
from workbench.delivery.pacing import within_rate
from workbench.engines.switching import CatchUp, Firing
from workbench.errors import UsageFault
from workbench.records import Mode
from workbench.store.audit import verify_store
from workbench.store.signoffs import plan_of

PAUSE = ("pause", "kind=workflow", "-r", "x", "--yes")
RELEASE = ("resume", "H-1", "--full", "--break-glass", "x", "--yes")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Three workflows that are held, with two missed starts each, and one that somebody paused before."""
    found = a_place(tmp_path)
    found.hold("kind=workflow")
    found.go()
    for _ in range(2):
        found.engine.tick()
    return found


def release(place: Place, hold_id: str = "H-1", **choice: object) -> None:
    """Release a hold with a choice."""
    place.control.resume_full(replace(break_glass(hold_id), **choice))  # type: ignore[arg-type]


def test_work_is_let_go_no_faster_than_asked(place: Place) -> None:
    """Four runs a minute, two of each workflow: two workflows go at once, the third a minute later."""
    release(place, catch_up="all", rate_per_minute=4)
    look = place.go()
    assert len(place.paused() - {"attic"}) == 1
    assert look.unresumed == "1 more wait their turn, at most 4 runs a minute"
    assert not look.is_settled
    assert 1 <= look.paced_seconds <= 60
    place.clock.move(50)
    assert not place.go().is_settled
    place.clock.move(look.paced_seconds)
    assert place.go().is_settled
    assert place.paused() == {"attic"}
    assert place.control.state().receipts == {}
    assert verify_store(place.control.store).is_ok


def test_the_engine_is_not_asked_while_the_rate_is_used_up(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass that may let nothing go plans nothing."""
    release(place, catch_up="all", rate_per_minute=4)
    place.go()
    monkeypatch.setattr(place.engine, "plan_resume", lambda *_: pytest.fail("asked"))
    place.go()


def test_a_backlog_larger_than_the_rate_goes_alone(place: Place) -> None:
    """It cannot be split, so it does not wait for ever."""
    place.engine.jobs["orders"].missed_count = 50
    release(place, catch_up="all", rate_per_minute=3)
    for _ in range(4):
        place.go()
        place.clock.move(61)
    assert place.paused() == {"attic"}


def test_what_no_forecast_tells_of_is_a_minute_s_worth(place: Place) -> None:
    """An adapter that says nothing of a target may let any number go: it goes alone; runs that are named count one each."""
    free = kept.receipts_of(place.control.state(), "fake")
    plan = place.engine.plan_resume(tuple(free.values()), CatchUp.ALL)
    silent = replace(plan, forecast=())
    paced = within_rate(silent, free, rate=4, already=0)
    assert [*paced.counts.values()] == [4]
    assert len(paced.later) == len(free) - 1
    names = tuple(one.partition(":")[2] for one in free)
    group = Firing("run:group", "three runs", 0, "they go on", names)
    paced = within_rate(replace(plan, forecast=(group,)), free, rate=4, already=0)
    assert paced.counts == dict.fromkeys(free, 1)
    paced = within_rate(replace(silent, calls=()), free, rate=4, already=0)
    assert paced.counts == dict.fromkeys(free, 1)


def starts_of(root: Path, seed: int) -> tuple[list[tuple[datetime, int]], int]:
    """Release workflows with random backlogs under a random rate; returns when how many runs began, and the rate."""
    rng, place = random.Random(seed), a_place(root)
    place.engine.add(*(f"job-{n}" for n in range(4)))
    place.hold("*")
    place.go()
    rate = rng.randint(2, 6)
    for job in place.engine.jobs.values():
        job.missed_count = rng.randint(1, rate)
    release(place, catch_up="all", rate_per_minute=rate)
    found = []
    for _ in range(200):
        before = len(place.engine.work)
        look = place.go()
        found.append((place.clock.now(), len(place.engine.work) - before))
        if look.is_settled:
            break
        place.clock.move(rng.uniform(1, 25))
    assert place.paused() == {"attic"}, seed
    return found, rate


def most_in_a_minute(found: list[tuple[datetime, int]]) -> int:
    """Return the most runs that began in any minute."""
    window = timedelta(minutes=1)
    return max(sum(n for at, n in found if since <= at < since + window) for since, _ in found)


@pytest.mark.parametrize("seed", range(15))
def test_no_minute_has_more_than_the_rate(tmp_path: Path, seed: int) -> None:
    """Whatever the backlogs and the passes: in no minute begin more runs than asked, and all is let go at last."""
    found, rate = starts_of(tmp_path, seed)
    assert most_in_a_minute(found) <= rate


def test_a_storm_of_thousands_of_missed_starts_is_let_go_in_waves(tmp_path: Path) -> None:
    """F46: 5,000 starts of 200 workflows fell into the pause: at most 500 begin in any minute, and all begin."""
    place = a_place(tmp_path)
    place.engine.add(*(f"job-{n}" for n in range(200)))
    place.hold("*")
    place.go()
    for n in range(200):
        place.engine.jobs[f"job-{n}"].missed_count = 25
    release(place, catch_up="all", rate_per_minute=500)
    found = []
    for _ in range(20):
        before = len(place.engine.work)
        look = place.go()
        found.append((place.clock.now(), len(place.engine.work) - before))
        if look.is_settled:
            break
        place.clock.move(look.paced_seconds)
    assert place.paused() == {"attic"}
    assert sum(count for _, count in found) == 5_000
    assert most_in_a_minute(found) == 500


def test_a_storm_that_is_skipped_starts_nothing(tmp_path: Path) -> None:
    """F46: with `--catch-up skip` none of the missed starts begins; all are let go at once."""
    place = a_place(tmp_path)
    place.hold("*")
    place.go()
    for job in place.engine.jobs.values():
        job.missed_count = 5_000
    release(place, catch_up="skip")
    assert place.go().is_settled
    assert place.paused() == {"attic"}
    assert place.engine.work == {}


def test_the_property_catches_a_rate_for_each_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded: a delivery that forgets what it let go a moment ago is too fast."""
    monkeypatch.setattr(resuming, "spent", lambda *_, now: 0)
    walks = [starts_of(tmp_path / str(seed), seed) for seed in range(4)]
    assert any(most_in_a_minute(found) > rate for found, rate in walks)


@pytest.mark.parametrize(("choice", "begun"), [("skip", 0), ("latest", 1), ("all", 2), ("", 2)])
def test_missed_starts_become_what_was_chosen(place: Place, choice: str, begun: int) -> None:
    """None, the latest or all of them start; without a choice the engine's own way stands."""
    release(place, catch_up=choice)
    before = set(place.engine.work)
    place.go()
    began = [w.job for r, w in place.engine.work.items() if r not in before]
    assert {job: began.count(job) for job in JOBS} == dict.fromkeys(JOBS, begun)


def test_the_newest_resume_counts(place: Place) -> None:
    """Two holds, released with different choices: the one that lets it go decides."""
    place.hold("automation=orders", Mode.DRAIN)
    release(place, "H-2", catch_up="skip", rate_per_minute=1)
    place.go()
    release(place, "H-1")
    before = len(place.engine.work)
    assert place.go().is_settled
    assert len(place.engine.work) - before == 2 * len(JOBS)


def test_the_choice_is_recorded_and_bound_by_a_signoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event of the release has both; a sign-off of a plan is not one of the same plan at another speed."""
    engine = a_fleet(monkeypatch)
    run(*PAUSE)
    engine.tick()
    found = run(*RELEASE, "--catch-up", "one", "--rate-per-minute", "1")
    assert found.code == 10
    assert "1 more wait their turn, at most 1 runs a minute" in found.out
    (event,) = events("hold.release")
    chosen = {"catch_up": "latest", "rate_per_minute": 1}
    assert {k: event.payload[k] for k in chosen} == chosen
    plan = plan_of("H-1", event.payload)
    assert plan != plan_of("H-1", {**event.payload, "rate_per_minute": 100})


def test_the_forecast_says_what_each_choice_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a release each target has the counts of all three; with a choice, what that one starts."""
    engine = a_fleet(monkeypatch)
    run(*PAUSE)
    for _ in range(3):
        engine.tick()
    told = run(*RELEASE[:-1], typed="n\n")
    assert "orders: 3 runs start (--catch-up skip: 0, one: 1, all: 3)" in told.said
    told = run(*RELEASE[:-1], "--catch-up", "one", typed="n\n")
    assert "orders: 1 runs start" in told.said


def test_what_an_engine_cannot_do_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 3 with the engine's reason; nothing is released, and the forecast says so beforehand."""
    engine = a_fleet(monkeypatch)
    run(*PAUSE)
    engine.tick()
    engine.cannot_catch_up = {CatchUp.SKIP: "it cannot leave a missed time out"}
    refused(run(*RELEASE, "--catch-up", "skip"), 3, "cannot leave a missed time out", "--catch-up")
    assert events("hold.release") == []
    assert "skip: cannot, one: 1" in run(*RELEASE[:-1], typed="n\n").said
    assert run("hold", "release", *RELEASE[1:2], *RELEASE[3:], "--catch-up", "all").code == 0


def test_choices_that_mean_nothing_are_refused(place: Place) -> None:
    """A rate below one and a policy of no name are told before anything is recorded."""
    with pytest.raises(UsageFault, match="rate"):
        release(place, rate_per_minute=0)
    with pytest.raises(UsageFault, match="skipped"):
        release(place, catch_up="some")

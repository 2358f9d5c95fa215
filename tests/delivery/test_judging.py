"""A drill's three outcomes: what was held, what was declared not to be, and what was worse than declared."""

from __future__ import annotations

import pytest

from workbench.delivery.effects import Difference
from workbench.delivery.judging import (
    DrillOutcome,
    classes_not_held,
    is_worse,
    kept_outcome,
    outcome_in_words,
    undeclared,
)
from workbench.engines.switching import Effect, Evidence, OnPause, OnResume, ScopeKind, WorkClass
from workbench.engines.temporal_effects import capabilities_of
from workbench.records import Mode


def effect(
    on_pause: OnPause, on_resume: OnResume = OnResume.UNKNOWN, of: WorkClass = WorkClass.NEW_MANUAL
) -> Effect:
    """Return an effect on a class of work."""
    return Effect(of, on_pause, on_resume, Evidence.DOCUMENTED)


@pytest.mark.parametrize(
    ("said", "seen", "worse"),
    [
        (effect(OnPause.CONTINUES), effect(OnPause.WAITS), False),
        (effect(OnPause.WAITS), effect(OnPause.CONTINUES), True),
        (effect(OnPause.CONTINUES), effect(OnPause.CANCELLED), True),
        (effect(OnPause.DELETED), effect(OnPause.WAITS), False),
        (effect(OnPause.CANCELLED), effect(OnPause.DROPPED), True),
        (effect(OnPause.WAITS), effect(OnPause.FINISHES_STEP_THEN_WAITS), True),
        (effect(OnPause.FINISHES_STEP_THEN_WAITS), effect(OnPause.WAITS), False),
        (effect(OnPause.UNKNOWN), effect(OnPause.WAITS), False),
        (effect(OnPause.WAITS, OnResume.CONTINUES), effect(OnPause.WAITS, OnResume.LOST), True),
        (effect(OnPause.WAITS, OnResume.LOST), effect(OnPause.WAITS, OnResume.CONTINUES), False),
        (effect(OnPause.WAITS, OnResume.NONE), effect(OnPause.WAITS, OnResume.CATCH_UP_ALL), True),
    ],
)
def test_only_a_plainly_better_difference_is_none(said: Effect, seen: Effect, worse: bool) -> None:
    """Work that waits though it was declared to go on is fine; work that goes on or is lost is not."""
    assert is_worse(Difference(said.work_class, said, seen)) is worse


def test_a_drain_may_let_work_in_flight_finish() -> None:
    """What runs, waits or is retried is let finish by a drain and by nothing else; new work by none."""
    seen = [effect(OnPause.CONTINUES, of=one) for one in WorkClass]
    assert WorkClass.RUNNING not in classes_not_held(Mode.DRAIN, seen, seen=())
    assert WorkClass.NEW_EVENT in classes_not_held(Mode.DRAIN, seen, seen=())
    assert classes_not_held(Mode.FREEZE, seen, seen=()) == tuple(WorkClass)


def test_what_was_seen_counts_more_than_what_is_declared() -> None:
    """A class that was held in fact is not called open; one that nobody declared is as bad as a leak."""
    said, held = [effect(OnPause.CONTINUES)], [effect(OnPause.WAITS)]
    assert classes_not_held(Mode.FREEZE, said, seen=held) == ()
    assert undeclared(Mode.FREEZE, [effect(OnPause.UNKNOWN)], seen=said) == (WorkClass.NEW_MANUAL,)
    assert undeclared(Mode.FREEZE, said, seen=said) == ()


def test_temporals_freeze_is_no_plain_pass() -> None:
    """By what its adapter declares, new work starts under a freeze, and the words say so."""
    (own,) = [
        one
        for one in capabilities_of("")
        if (one.scope_kind, one.mode) == (ScopeKind.WORKFLOW, Mode.FREEZE)
    ]
    not_held = classes_not_held(Mode.FREEZE, own.effects, seen=())
    assert WorkClass.NEW_MANUAL in not_held
    assert "does not hold: new work" in outcome_in_words(DrillOutcome.AS_DECLARED, not_held)


def test_an_older_certificate_is_judged_by_what_it_saw() -> None:
    """One that was recorded as passed while new work went on is not a plain pass any more."""
    rows = [{"work_class": "new_manual", "on_pause": "continues"}]
    body = {"is_passed": True, "mode": "freeze", "effects": rows}
    assert kept_outcome(body) == (DrillOutcome.AS_DECLARED, (WorkClass.NEW_MANUAL,))
    assert kept_outcome({**body, "is_passed": False})[0] is DrillOutcome.FAILED
    assert kept_outcome({**body, "effects": []}) == (DrillOutcome.PASSED, ())

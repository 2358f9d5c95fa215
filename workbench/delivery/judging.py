"""Judges a drill in three words: it held, it did no more and no less than declared, or it failed.

An engine that declares that new work starts all the same is honest, and what starts all the same is still not
stopped: that is no plain pass, and the classes that were not held are named wherever the result is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from workbench.delivery.effects import Difference
from workbench.drills import DrillOutcome
from workbench.engines.switching import Effect, OnPause, OnResume, WorkClass
from workbench.records import Mode

NEW_WORK = (WorkClass.NEW_MANUAL, WorkClass.NEW_EVENT)
_STARTS = (WorkClass.QUEUED, WorkClass.SCHEDULED, *NEW_WORK)
_HOLDS = (OnPause.WAITS, OnPause.FINISHES_STEP_THEN_WAITS)
_LOSES = (OnPause.CANCELLED, OnPause.DELETED, OnPause.DROPPED)
_LOST = (OnResume.LOST, OnResume.REPEATS_STEPS, OnResume.NONE)
_WORDS = {
    WorkClass.NEW_MANUAL: "new work by hand",
    WorkClass.NEW_EVENT: "new work by events",
}


def has_to_hold(mode: Mode, work_class: WorkClass) -> bool:
    """Tell whether a mode promises to stop a class: drain lets what is in flight finish, the others nothing."""
    return mode is not Mode.DRAIN or work_class in _STARTS


def classes_not_held(
    mode: Mode, declared: Iterable[Effect], *, seen: Iterable[Effect]
) -> tuple[WorkClass, ...]:
    """Return the classes that start or go on all the same; what was seen counts more than what is declared."""
    how = {effect.work_class: effect.on_pause for effect in declared}
    how |= {e.work_class: e.on_pause for e in seen if e.on_pause is not OnPause.UNKNOWN}
    return tuple(
        one for one in WorkClass if how.get(one) is OnPause.CONTINUES and has_to_hold(mode, one)
    )


def undeclared(
    mode: Mode, declared: Iterable[Effect], *, seen: Iterable[Effect]
) -> tuple[WorkClass, ...]:
    """Return the classes that were seen to go on although nobody declared it: as bad as a leak."""
    known = {effect.work_class for effect in declared if effect.on_pause is OnPause.CONTINUES}
    return tuple(one for one in classes_not_held(mode, (), seen=seen) if one not in known)


def not_seen(seen: Iterable[Effect]) -> tuple[WorkClass, ...]:
    """Return the classes of which a drill saw nothing."""
    return tuple(e.work_class for e in seen if e.on_pause is OnPause.UNKNOWN)


def is_worse(one: Difference) -> bool:
    """Tell whether what was seen is worse than declared; a difference that is not plainly better is."""
    return not (_is_pause_as_good(one) and _is_resume_as_good(one))


def _is_pause_as_good(one: Difference) -> bool:
    said, seen = one.declared.on_pause, one.observed.on_pause
    if OnPause.UNKNOWN in (said, seen) or said is seen:
        return True
    if said is OnPause.FINISHES_STEP_THEN_WAITS:
        return seen is OnPause.WAITS
    return said in (OnPause.CONTINUES, *_LOSES) and seen in _HOLDS


def _is_resume_as_good(one: Difference) -> bool:
    said, seen = one.declared.on_resume, one.observed.on_resume
    if OnResume.UNKNOWN in (said, seen) or said is seen:
        return True
    return said in _LOST and seen is OnResume.CONTINUES


def outcome_in_words(outcome: DrillOutcome, not_held: Collection[WorkClass]) -> str:
    """Return the result as every screen says it."""
    if outcome is DrillOutcome.AS_DECLARED:
        return f"PASSED AS DECLARED, does not hold: {_named(not_held)}"
    return outcome.upper()


def kept_outcome(body: Mapping[str, Any]) -> tuple[DrillOutcome, tuple[WorkClass, ...]]:
    """Return the outcome and the classes not held of a recorded drill.

    One that was recorded before there were three outcomes is judged by the effects that it saw.
    """
    if "outcome" in body:
        return DrillOutcome(body["outcome"]), tuple(map(WorkClass, body["not_held"]))
    if not body["is_passed"]:
        return DrillOutcome.FAILED, ()
    mode, goes_on = Mode(body["mode"]), str(OnPause.CONTINUES)
    classes = [
        WorkClass(row["work_class"]) for row in body["effects"] if row["on_pause"] == goes_on
    ]
    not_held = tuple(one for one in classes if has_to_hold(mode, one))
    return DrillOutcome.AS_DECLARED if not_held else DrillOutcome.PASSED, not_held


def _named(classes: Collection[WorkClass]) -> str:
    if not {*NEW_WORK} <= {*classes}:
        return ", ".join(_WORDS.get(one, f"{one} work") for one in classes)
    return ", ".join(["new work", *(f"{one} work" for one in classes if one not in NEW_WORK)])

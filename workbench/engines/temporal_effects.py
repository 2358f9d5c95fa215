"""What each mode does to each class of work of Temporal, for every kind of scope, as it was seen on 1.32.0."""

from __future__ import annotations

from workbench.engines.switching import (
    Capability,
    Effect,
    Evidence,
    OnPause,
    OnResume,
    ScopeKind,
    WorkClass,
)
from workbench.records import Mode

SEEN_ON = "1.32.0"

BY_HAND = (
    "Temporal has no switch for a workflow type: what clients start goes on starting. "
    "A worker with workbench.hooks.temporal stops it at its first activity"
)
_SIGNALLED = "signal-with-start starts a run; a signal to a run that is paused is recorded, and acts at the resume"
_TICK = "starts that are due during the pause are not made up; those that wait in a schedule's buffer are lost"
_LATER = (
    "a run with a start delay begins at its time; Temporal cannot pause it before, halt cancels it"
)
_EAGER = "only where workers do not ask for activities eagerly, which the Python worker does unless told otherwise"

_Pair = tuple[OnPause, OnResume, str]
_GOES_ON: _Pair = (OnPause.CONTINUES, OnResume.NONE, "")
_WAITS: _Pair = (OnPause.WAITS, OnResume.CONTINUES, "")
_ENDS: _Pair = (OnPause.CANCELLED, OnResume.LOST, "")

_DRAIN: dict[WorkClass, _Pair] = {
    WorkClass.RUNNING: _GOES_ON,
    WorkClass.QUEUED: (OnPause.CONTINUES, OnResume.NONE, _LATER),
    WorkClass.SCHEDULED: (OnPause.DROPPED, OnResume.NONE, _TICK),
    WorkClass.RETRYING: _GOES_ON,
    WorkClass.WAITING: _GOES_ON,
    WorkClass.NEW_MANUAL: (OnPause.CONTINUES, OnResume.NONE, BY_HAND),
    WorkClass.NEW_EVENT: (OnPause.CONTINUES, OnResume.NONE, _SIGNALLED),
}
_FREEZE: dict[WorkClass, _Pair] = {
    **_DRAIN,
    WorkClass.RUNNING: (
        OnPause.FINISHES_STEP_THEN_WAITS,
        OnResume.CONTINUES,
        "time-outs go on running during the pause; child runs are runs of their own",
    ),
    WorkClass.QUEUED: (OnPause.WAITS, OnResume.CONTINUES, _LATER),
    WorkClass.RETRYING: _WAITS,
    WorkClass.WAITING: (
        OnPause.WAITS,
        OnResume.CONTINUES,
        "a timer that fires is recorded, and acts at the resume",
    ),
}
_HALT: dict[WorkClass, _Pair] = {
    **_DRAIN,
    WorkClass.RUNNING: (
        OnPause.CANCELLED,
        OnResume.LOST,
        "asked to cancel, so that its code can clean up; ended after 30 s or while it is paused. "
        "A step under way is not broken off unless it heartbeats",
    ),
    WorkClass.QUEUED: (
        OnPause.CANCELLED,
        OnResume.LOST,
        "no code of it has run: it is ended at once",
    ),
    WorkClass.RETRYING: _ENDS,
    WorkClass.WAITING: _ENDS,
}
_BEFORE_ITS_STEP: _Pair = (
    OnPause.FINISHES_STEP_THEN_WAITS,
    OnResume.CONTINUES,
    f"starts, and waits before its first activity, {_EAGER}",
)
_QUEUE_FREEZE: dict[WorkClass, _Pair] = {
    **_FREEZE,
    WorkClass.NEW_MANUAL: _BEFORE_ITS_STEP,
    WorkClass.NEW_EVENT: _BEFORE_ITS_STEP,
}
_MODES = {Mode.DRAIN: _DRAIN, Mode.FREEZE: _FREEZE, Mode.HALT: _HALT}

NOTHING_TO_DRAIN = "a single run that may finish needs no switch; freeze pauses it, halt cancels it"


def pausing_is_off(place: str, namespace: str) -> str:
    """Return why runs cannot be frozen there."""
    return (
        f"Temporal at {place} does not let runs be paused in the namespace {namespace}: switch on "
        "frontend.WorkflowPauseEnabled, or place the hold in drain or halt"
    )


def effects_of(kind: ScopeKind, mode: Mode) -> tuple[Effect, ...]:
    """Return what a mode does to each class of work in a kind of scope."""
    pairs = dict(_MODES[mode])
    if kind is ScopeKind.CATEGORY and mode is Mode.FREEZE:
        pairs = dict(_QUEUE_FREEZE)
    if kind is ScopeKind.RUN:
        elsewhere = "nothing but this run is touched"
        for one in (WorkClass.SCHEDULED, WorkClass.NEW_MANUAL, WorkClass.NEW_EVENT):
            pairs[one] = (OnPause.CONTINUES, OnResume.NONE, elsewhere)
    return tuple(
        Effect(work, on_pause, on_resume, Evidence.DOCUMENTED, SEEN_ON, note=note)
        for work, (on_pause, on_resume, note) in pairs.items()
    )


def capabilities_of(why_no_freeze: str) -> list[Capability]:
    """Return what every kind of scope can do; `why_no_freeze` is empty where runs can be paused."""
    found = []
    for kind in ScopeKind:
        for mode in Mode:
            cannot = ""
            if kind is ScopeKind.RUN and mode is Mode.DRAIN:
                cannot = NOTHING_TO_DRAIN
            elif mode is Mode.FREEZE and kind is not ScopeKind.CATEGORY:
                cannot = why_no_freeze  # a task queue can be shut without
            collateral = ""
            if kind is ScopeKind.CATEGORY:
                collateral = "every workflow type with runs or schedules on the task queue is stopped with it"
            found.append(
                Capability(
                    kind,
                    mode,
                    effects=() if cannot else effects_of(kind, mode),
                    cannot=cannot,
                    collateral=collateral,
                    keeps_reason=True,
                )
            )
    return found

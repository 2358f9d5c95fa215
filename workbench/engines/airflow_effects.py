"""What each way of stopping Airflow does to each class of work, as it was seen on 3.3.2."""

from __future__ import annotations

from collections.abc import Mapping

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

SEEN = "3.3.2"
Found = Mapping[WorkClass, tuple[OnPause, OnResume, str]]

_PAUSE: Found = {
    WorkClass.RUNNING: (
        OnPause.FINISHES_STEP_THEN_WAITS,
        OnResume.CONTINUES,
        "the task at work ends, the next is not begun; Airflow goes on calling the run running",
    ),
    WorkClass.QUEUED: (OnPause.WAITS, OnResume.CONTINUES, ""),
    WorkClass.SCHEDULED: (
        OnPause.WAITS,
        OnResume.CATCH_UP_ONE,
        "a dag with catchup=True makes up for every missed time",
    ),
    WorkClass.RETRYING: (OnPause.WAITS, OnResume.CONTINUES, "the retry is made at once then"),
    WorkClass.WAITING: (
        OnPause.WAITS,
        OnResume.CONTINUES,
        "people can go on answering; what follows the answer waits",
    ),
    WorkClass.NEW_MANUAL: (
        OnPause.WAITS,
        OnResume.CONTINUES,
        "a trigger is accepted and its run sits queued; nothing tells who triggered it",
    ),
    WorkClass.NEW_EVENT: (
        OnPause.DROPPED,
        OnResume.LOST,
        "an asset's event during the pause starts nothing, then or later",
    ),
}
_ENDED = "set to failed with the reason as its note; its task is killed at its next heartbeat"
_HALT: Found = {
    **_PAUSE,
    WorkClass.RUNNING: (OnPause.CANCELLED, OnResume.LOST, _ENDED),
    WorkClass.RETRYING: (OnPause.CANCELLED, OnResume.LOST, "as a run in flight"),
    WorkClass.WAITING: (OnPause.CANCELLED, OnResume.LOST, "as a run in flight"),
}
_POOL: Found = {
    **_PAUSE,
    WorkClass.RUNNING: (
        OnPause.FINISHES_STEP_THEN_WAITS,
        OnResume.CONTINUES,
        "tasks in the pool end; the next one that needs the pool waits",
    ),
    WorkClass.QUEUED: (
        OnPause.FINISHES_STEP_THEN_WAITS,
        OnResume.CONTINUES,
        "the run begins and looks alive; its first task in the pool waits",
    ),
    WorkClass.SCHEDULED: (
        OnPause.FINISHES_STEP_THEN_WAITS,
        OnResume.CATCH_UP_ALL,
        "each run begins at its time, and all of them wait at the pool",
    ),
    WorkClass.NEW_EVENT: (OnPause.FINISHES_STEP_THEN_WAITS, OnResume.CONTINUES, ""),
}
_DRAIN: Found = {
    **_PAUSE,
    WorkClass.RUNNING: (OnPause.CONTINUES, OnResume.NONE, ""),
    WorkClass.QUEUED: (OnPause.CONTINUES, OnResume.NONE, "queued runs count as in flight"),
    WorkClass.RETRYING: (OnPause.CONTINUES, OnResume.NONE, ""),
    WorkClass.WAITING: (OnPause.CONTINUES, OnResume.NONE, ""),
    WorkClass.NEW_MANUAL: (
        OnPause.CONTINUES,
        OnResume.NONE,
        "a run that people trigger while it drains is started, and prolongs the drain",
    ),
}
_UNSEEN: Mapping[str, frozenset[WorkClass]] = {
    "pool": frozenset({WorkClass.RETRYING, WorkClass.WAITING, WorkClass.NEW_EVENT}),
    "halt": frozenset({WorkClass.RETRYING, WorkClass.WAITING}),
}
"""Classes of work for which nobody has looked: what is said of them follows from how Airflow is made."""

POOL_COLLATERAL = "a pool (`pool:NAME`) holds the tasks of every other dag that use it as well"
NO_DRAIN = (
    "pausing holds a run in flight before its next task instead of letting it end; choose freeze, or halt to end it "
    "(a dag without a run in flight is drained by a freeze, and one whose tasks ask the gate through "
    "workbench.hooks.airflow by the gate)"
)
NO_TRIGGER = "Airflow has no switch for a schedule alone: pause its dag"
NO_RUN = "Airflow cannot hold a single run: freeze its dag, or halt the run"


def effects_of(mode: Mode, *, of_pools: bool = False) -> tuple[Effect, ...]:
    """Return what a mode does to each class of work."""
    found = {Mode.FREEZE: _POOL if of_pools else _PAUSE, Mode.HALT: _HALT, Mode.DRAIN: _DRAIN}
    unseen = _UNSEEN.get("pool" if of_pools else str(mode), frozenset())
    return tuple(
        Effect(
            work_class,
            on_pause,
            on_resume,
            Evidence.ASSUMED if work_class in unseen else Evidence.DOCUMENTED,
            "" if mode is Mode.DRAIN else SEEN,
            note=note,
        )
        for work_class, (on_pause, on_resume, note) in found[mode].items()
    )


def capabilities_of(*, has_draining: bool) -> list[Capability]:
    """Return what Airflow can do, for every kind of scope that it has and every mode."""
    found = []
    for kind in (ScopeKind.ENGINE, ScopeKind.CATEGORY, ScopeKind.WORKFLOW):
        collateral = POOL_COLLATERAL if kind is ScopeKind.CATEGORY else ""
        for mode in Mode:
            if mode is Mode.DRAIN and not has_draining:
                why = f"this Airflow cannot drain: {NO_DRAIN}"
                found.append(Capability(kind, mode, cannot=why))
            else:
                found.append(Capability(kind, mode, effects_of(mode), collateral=collateral))
    for mode in Mode:
        found.append(Capability(ScopeKind.TRIGGER, mode, cannot=NO_TRIGGER))
        if mode is Mode.HALT:
            found.append(Capability(ScopeKind.RUN, mode, effects_of(mode), keeps_reason=True))
        else:
            found.append(Capability(ScopeKind.RUN, mode, cannot=NO_RUN))
    return found

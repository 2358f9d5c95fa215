"""What Prefect 3.8 does to each class of work, per kind of scope and mode, as it was tried on a server."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.engines.switching import (
    Capability,
    Effect,
    EngineScope,
    Evidence,
    OnPause,
    OnResume,
    ScopeKind,
    WorkClass,
)
from workbench.records import Mode

TRIED = "3.8.8"
"""Version on which these effects were tried."""

_Told = tuple[OnPause, OnResume, str]
_Table = dict[WorkClass, _Told]

_IN_A_STEP = (
    "a suspended run stops after its step; a resume repeats its steps unless results are persisted"
)
_RETRY = "its process is alive and makes the next attempt itself"
_HANDED = "one that a worker already took (Pending) still runs"
_PERSON = "it waits for a person as before, whose answer lets it go on even while paused"

_HELD: _Table = {
    WorkClass.RUNNING: (OnPause.CONTINUES, OnResume.NONE, ""),
    WorkClass.QUEUED: (OnPause.WAITS, OnResume.CONTINUES, _HANDED),
    WorkClass.SCHEDULED: (
        OnPause.DELETED,
        OnResume.NONE,
        "planned starts are deleted, planned anew from the resume on and never made up; "
        "a run made by hand for later waits",
    ),
    WorkClass.RETRYING: (OnPause.CONTINUES, OnResume.NONE, _RETRY),
    WorkClass.WAITING: (OnPause.WAITS, OnResume.CONTINUES, _PERSON),
    WorkClass.NEW_MANUAL: (OnPause.WAITS, OnResume.CONTINUES, "it is taken and turns Late"),
    WorkClass.NEW_EVENT: (
        OnPause.WAITS,
        OnResume.CONTINUES,
        "a run that an automation of Prefect makes waits as one made by hand",
    ),
}
"""A deployment whose schedules are paused and whose limit of runs at a time is 0."""

_POOL: _Table = {
    **_HELD,
    WorkClass.SCHEDULED: (
        OnPause.WAITS,
        OnResume.CATCH_UP_ALL,
        "each planned start turns Late when its time comes; at the resume all of them start at once",
    ),
}
_SCHEDULE: _Table = {
    **_HELD,
    WorkClass.QUEUED: (OnPause.CONTINUES, OnResume.NONE, "a start that is already due is made"),
    WorkClass.NEW_MANUAL: (OnPause.CONTINUES, OnResume.NONE, "pause its workflow to hold it"),
    WorkClass.NEW_EVENT: (OnPause.CONTINUES, OnResume.NONE, "pause its workflow to hold it"),
}
_ONE_RUN: _Table = {
    **_SCHEDULE,
    WorkClass.SCHEDULED: (
        OnPause.WAITS,
        OnResume.CONTINUES,
        "a run that is not due within a minute is put off without a date, and comes back at its time",
    ),
}
_TABLES = {
    ScopeKind.ENGINE: _HELD,
    ScopeKind.CATEGORY: _HELD,
    ScopeKind.WORKFLOW: _HELD,
    ScopeKind.TRIGGER: _SCHEDULE,
    ScopeKind.RUN: _ONE_RUN,
}
_FROZEN: _Table = {
    WorkClass.RUNNING: (
        OnPause.FINISHES_STEP_THEN_WAITS,
        OnResume.REPEATS_STEPS,
        _IN_A_STEP,
    ),
    WorkClass.RETRYING: (
        OnPause.CONTINUES,
        OnResume.NONE,
        f"{_RETRY}; it can be suspended once it runs again",
    ),
}
_HALTED: _Table = {
    WorkClass.RUNNING: (OnPause.CANCELLED, OnResume.LOST, "its worker kills its process"),
    WorkClass.RETRYING: (OnPause.CANCELLED, OnResume.LOST, ""),
    WorkClass.WAITING: (OnPause.CANCELLED, OnResume.LOST, ""),
    WorkClass.QUEUED: (
        OnPause.WAITS,
        OnResume.CONTINUES,
        "one that a worker already took (Pending) is cancelled before its first step",
    ),
}
_CHANGED = {Mode.DRAIN: {}, Mode.FREEZE: _FROZEN, Mode.HALT: _HALTED}

_STRENGTHS = (
    OnPause.CONTINUES,
    OnPause.UNKNOWN,
    OnPause.FINISHES_STEP_THEN_WAITS,
    OnPause.WAITS,
    OnPause.DROPPED,
    OnPause.DELETED,
    OnPause.CANCELLED,
)

_COLLATERAL = {
    ScopeKind.CATEGORY: "a work pool or queue also holds every other deployment that runs on it",
    ScopeKind.TRIGGER: (
        "planned starts of the deployment's other schedules are deleted too, "
        "and planned anew within a minute"
    ),
}


def capabilities() -> tuple[Capability, ...]:
    """Return what can be done to every kind of scope in every mode."""
    return tuple(
        Capability(
            kind,
            mode,
            _effects(_TABLES[kind], mode),
            collateral=_COLLATERAL.get(kind, ""),
            # The states that we set on runs carry the reason; switches have no place for one.
            keeps_reason=kind is ScopeKind.RUN,
        )
        for kind in ScopeKind
        for mode in Mode
    )


def effects_of(scopes: Sequence[EngineScope], mode: Mode) -> tuple[Effect, ...]:
    """Return what a mode does to these scopes together: for each class the least that is done to any."""
    tables = [_POOL if _is_pool(scope) else _TABLES[scope.kind] for scope in scopes] or [_HELD]
    each = [_effects(table, mode) for table in tables]
    return tuple(
        min(same, key=lambda effect: _STRENGTHS.index(effect.on_pause))
        for same in zip(*each, strict=True)
    )


def _is_pool(scope: EngineScope) -> bool:
    return scope.kind is ScopeKind.CATEGORY and scope.key.startswith(("pool:", "queue:"))


def _effects(table: _Table, mode: Mode) -> tuple[Effect, ...]:
    told = {**table, **_CHANGED[mode]}
    if mode is not Mode.DRAIN and table[WorkClass.QUEUED][0] is OnPause.CONTINUES:
        told[WorkClass.QUEUED] = table[WorkClass.QUEUED]
    return tuple(
        Effect(
            work_class,
            on_pause,
            on_resume,
            # Runs made by an automation of Prefect were not tried.
            Evidence.ASSUMED if work_class is WorkClass.NEW_EVENT else Evidence.DOCUMENTED,
            TRIED,
            note=note,
        )
        for work_class, (on_pause, on_resume, note) in ((one, told[one]) for one in WorkClass)
    )

"""The certificate of a drill: what is kept of it in the log, how old it is, and when it is stale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workbench.clock import from_text, to_text
from workbench.delivery.drilling import Drilled
from workbench.delivery.effects import Difference
from workbench.delivery.judging import kept_outcome, outcome_in_words
from workbench.drills import DrillOutcome
from workbench.engines.switching import Effect, Evidence, OnPause, OnResume, WorkClass
from workbench.store.log import Draft
from workbench.store.state import State


@dataclass(frozen=True)
class Certificate:
    """What the newest drill of an engine in a mode found.

    Attributes:
        not_held: classes of work that start or go on under this pause all the same.
        seconds_to_last_start: from the command to the last start of probe work; None where none started.
    """

    engine_id: str
    version: str
    kind: str
    mode: str
    environment: str
    drilled_at: datetime
    drilled_by: str
    outcome: DrillOutcome
    not_held: tuple[WorkClass, ...]
    seconds_to_confirm: int | None
    seconds_to_last_start: int | None
    leaks: tuple[str, ...]
    left: tuple[str, ...]
    effects: tuple[Effect, ...]

    @property
    def in_words(self) -> str:
        """Return the outcome as every screen says it."""
        return outcome_in_words(self.outcome, self.not_held)

    def age_days(self, instant: datetime) -> int:
        """Return its age in whole days."""
        return (instant - self.drilled_at).days


def certificate_draft(drilled: Drilled, *, kind: str, actor: str, environment: str) -> Draft:
    """Return the event that keeps what a drill found."""
    payload = {
        "engine": drilled.engine_id,
        "engine_kind": drilled.engine,
        "version": drilled.version,
        "kind": kind,
        "mode": str(drilled.mode),
        "environment": environment,
        "command_at": to_text(drilled.command_at),
        "confirmed_at": _text(drilled.confirmed_at),
        "quiet_at": _text(drilled.quiet_at),
        "last_start_at": _text(drilled.last_start_at),
        "is_passed": drilled.outcome is DrillOutcome.PASSED,
        "outcome": str(drilled.outcome),
        "not_held": [str(one) for one in drilled.not_held],
        "declared": [_effect(effect) for effect in drilled.declared],
        "effects": [_effect(effect) for effect in drilled.effects],
        "differences": [_difference(one) for one in drilled.differences],
        "leaks": list(drilled.leaks),
        "cannot": [{"work_class": str(name), "why": why} for name, why in drilled.cannot],
        "left": list(drilled.left),
    }
    return Draft(
        drilled.command_at,
        actor,
        "drill.record",
        drilled.engine_id,
        outcome="failure" if drilled.outcome is DrillOutcome.FAILED else "success",
        payload=payload,
    )


def newest_certificate(
    state: State, *, engine_id: str, mode: str, environment: str
) -> Certificate | None:
    """Return the newest certificate for an engine in a mode and environment, whatever its version; or None."""
    found = [
        body
        for key, body in state.drills.items()
        if (key[0], key[3], key[4]) == (engine_id, mode, environment)
    ]
    return _certificate(found[-1]) if found else None


def _certificate(body: Mapping[str, Any]) -> Certificate:
    at = from_text(body["command_at"])
    outcome, not_held = kept_outcome(body)
    return Certificate(
        engine_id=body["engine"],
        version=body["version"],
        kind=body["kind"],
        mode=body["mode"],
        environment=body["environment"],
        drilled_at=at,
        drilled_by=body["drilled_by"],
        outcome=outcome,
        not_held=not_held,
        seconds_to_confirm=_seconds(at, body["confirmed_at"]),
        seconds_to_last_start=_seconds(at, body["last_start_at"]),
        leaks=tuple(body["leaks"]),
        left=tuple(body["left"]),
        effects=tuple(_effects(body["effects"], body["version"], at)),
    )


def _seconds(since: datetime, text: str) -> int | None:
    return max(0, round((from_text(text) - since).total_seconds())) if text else None


def _effects(rows: Iterable[Mapping[str, str]], version: str, at: datetime) -> Iterable[Effect]:
    for row in rows:
        yield Effect(
            WorkClass(row["work_class"]),
            OnPause(row["on_pause"]),
            OnResume(row["on_resume"]),
            Evidence(row["evidence"]),
            version,
            at,
        )


def _difference(one: Difference) -> dict[str, Any]:
    seen = {"declared": _effect(one.declared), "observed": _effect(one.observed)}
    return {"work_class": str(one.work_class), **seen}


def _effect(effect: Effect) -> dict[str, str]:
    return {
        "work_class": str(effect.work_class),
        "on_pause": str(effect.on_pause),
        "on_resume": str(effect.on_resume),
        "evidence": str(effect.evidence),
    }


def _text(instant: datetime | None) -> str:
    return to_text(instant) if instant else ""

"""What a card says of the last drills of an automation's engine; reads the log's record and asks no engine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from workbench.clock import from_text
from workbench.delivery.judging import kept_outcome, outcome_in_words
from workbench.drills import GATE
from workbench.records import Automation
from workbench.store.state import State


def drill_words(state: State, automation: Automation, *, now: datetime) -> str:
    """Return one clause per mode that was drilled, newest first; an empty text where none was.

    A drill is of one engine version: where another is met since, the clause says STALE.
    """
    engine_id = automation.engine or GATE
    newest: dict[str, Mapping[str, Any]] = {}
    for (engine, _, _, mode, _), body in state.drills.items():
        if engine == engine_id:
            newest[mode] = body
    found = sorted(newest.values(), key=lambda body: str(body["command_at"]), reverse=True)
    return "; ".join(_clause(state, body, now) for body in found)


def _clause(state: State, body: Mapping[str, Any], now: datetime) -> str:
    at = from_text(body["command_at"])
    version = state.engine_versions.get(body["engine"], body["version"])
    stale = "" if version == body["version"] else f", STALE: it is version {version} now"
    how = outcome_in_words(*kept_outcome(body))
    days = max(0, (now - at).days)
    return (
        f"{body['mode']} {how} {at:%Y-%m-%d} ({days} days ago) in {body['environment']}, "
        f"{body['engine']} {body['version']}{stale}"
    )

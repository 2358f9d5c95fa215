"""What a hold covers, and what a change or an alert is about, read from rows of the registry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from workbench.errors import ScopeError
from workbench.records import Automation
from workbench.scope import Scope


def known_automations(rows: pd.DataFrame) -> dict[str, Automation]:
    """Return the registry's rows as records, by id."""
    return {str(row["automation_id"]): _automation(row) for _, row in rows.iterrows()}


def covered_ids(
    hold: pd.Series[Any], tables: Mapping[str, pd.DataFrame], *, only: str | None = None
) -> tuple[str, ...]:
    """Return the automations a hold covers, those it covered when it was placed included."""
    known = known_automations(tables["review.registered_automations"])
    scope = Scope.parse(str(hold["scope"]))
    targets = tables["review.hold_targets"]
    placed = set(targets[targets["hold_id"] == hold["hold_id"]]["automation_id"])
    ids = placed | {a.automation_id for a in scope.select(known.values())}
    if only:
        narrow = Scope.parse(only)
        ids = {i for i in ids if (i in known and narrow.covers(known[i])) or narrow.names(i)}
    return tuple(sorted(ids))


def touches(target: str, automations: Mapping[str, Automation]) -> bool:
    """Tell whether a target, written as a scope or as a bare name, is about any of the automations."""
    return bool(touched_ids(target, automations))


def touched_ids(target: str, automations: Mapping[str, Automation]) -> list[str]:
    """Return the automations that a target is about, written as a scope or as a bare name."""
    if not target:
        return []
    if "=" in target or target == "*":
        try:
            scope = Scope.parse(target)
        except ScopeError:
            return []
        return [
            i for i, a in automations.items() if scope.covers(a) or scope.names(a.automation_id)
        ]
    return [
        i
        for i, a in automations.items()
        if target in (a.automation_id, a.provider, a.category, *a.tools)
    ]


def _automation(row: pd.Series[Any]) -> Automation:
    return Automation(
        automation_id=_text(row["automation_id"]),
        kind=_text(row["kind"]),
        category=_text(row["category"]),
        environment=_text(row["environment"]),
        owner=_text(row["owner"]),
        restart_owner=_text(row["restart_owner"]),
        deputy=_text(row["deputy"]),
        engine=_text(row["engine"]),
        provider=_text(row["provider"]),
        tools=_tools(row["tools"]),
        expected_interval_seconds=_seconds(row["expected_interval_seconds"]),
        checklist={
            "approval_requirement": _text(row["approval_requirement"]),
            "kill_switch": _text(row["kill_switch"]),
        },
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _seconds(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)


def _tools(value: Any) -> tuple[str, ...]:
    if not isinstance(value, str) or not value:
        return ()
    found = json.loads(value)
    return tuple(str(tool) for tool in found) if isinstance(found, list) else ()

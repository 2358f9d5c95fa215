"""The state as plain values: the rows of the projection, and automations as events hold them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from workbench.clock import to_text
from workbench.policy import policy_to
from workbench.records import Automation, Category

if TYPE_CHECKING:
    from workbench.store.state import State

_PLAIN = frozenset({str, int, bool, type(None)})

Documents = dict[tuple[str, str], dict[str, Any]]
"""Projection of the state: (entity, id) -> plain values, equal to fold(log) after every command."""


def documents(state: State) -> Documents:
    """Return the whole state as plain values."""
    found: list[tuple[str, str]] = []
    for entity, records in _tables(state).items():
        found += [(entity, key) for key in records]
    found += [("target", f"{hold_id}/{automation_id}") for hold_id, automation_id in state.observed]
    found += [("command", command_id) for command_id in state.commands]
    found += [("reviewers", target) for target in state.reviewers]
    found += [("refused", str(seq)) for seq in state.refused]
    found += [("forgotten_host", key) for key in state.forgotten]
    return documents_of(state, found)


def documents_of(state: State, keys: Iterable[tuple[str, str]]) -> Documents:
    """Return the named rows of the projection."""
    return {(entity, key): _document(state, entity, key) for entity, key in keys}


def _tables(state: State) -> Mapping[str, Mapping[str, Any]]:
    return {
        "automation": state.automations,
        "owner": state.owners,
        "category": state.categories,
        "hold": state.holds,
        "probation": state.probations,
        "decision": state.decisions,
        "report": state.reports,
        "key": state.keys,
        "policy": state.policies,
        "signoff": state.signoffs,
        "run_review": state.run_reviews,
        "request": state.requests,
        "trigger": state.triggers,
        "verified_change": state.verified,
        "withdrawn_change": state.withdrawn,
        "none_said": state.none_said,
    }


def _document(state: State, entity: str, key: str) -> dict[str, Any]:
    if entity == "command":
        digest, seq = state.commands[key]
        return {"digest": digest, "seq": seq}
    if entity == "reviewers":
        return {"persons": list(state.reviewers[key])}
    if entity == "refused":
        return {"reason": state.refused[int(key)]}
    if entity == "forgotten_host":
        return {"beaten_at": state.forgotten[key]}
    if entity == "target":
        hold_id, _, automation_id = key.partition("/")
        return dict(state.observed[hold_id, automation_id])
    if entity == "policy":
        return policy_to(state.policies[key])
    found: dict[str, Any] = plain(_tables(state)[entity][key])
    if entity in ("automation", "category"):
        found = without_empty_triggers(found)
    if entity == "hold":
        found["covered"] = sorted(state.covered[key])
        if not found["taken_over_by"]:  # rows of older stores do not have it either
            del found["taken_over_by"]
        if not found["is_first_run"]:
            del found["is_first_run"]
    if entity == "key" and found["expires_at"] is None:
        del found["expires_at"]
    if entity == "report":  # what a report did not tell is not in the rows of older stores either
        found = {key: value for key, value in found.items() if value is not None}
    if entity == "probation":
        found["let_through"] = sorted(state.let_through[key])
        if found["effects"] == "write":  # rows of older stores do not have it either
            del found["effects"]
        if not found["shares"]:
            del found["shares"]
    return found


def automation_from(body: Mapping[str, Any]) -> Automation:
    """Read an automation from plain values, as events and the registry file hold it."""
    return Automation(
        **{**body, "tools": tuple(body.get("tools", ())), "cleanup": tuple(body.get("cleanup", ()))}
    )


def automation_to(record: Automation) -> dict[str, Any]:
    """Return an automation as plain values for an event."""
    return without_empty_triggers(plain(record))


def category_to(record: Category) -> dict[str, Any]:
    """Return a category as plain values for an event."""
    return without_empty_triggers(plain(record))


def without_empty_triggers(body: dict[str, Any]) -> dict[str, Any]:
    """Leave out triggers where none are stated: events and rows of older stores do not have them either."""
    return {key: value for key, value in body.items() if key != "triggers" or value}


def plain(value: Any) -> Any:
    """Return a value made of text, numbers, lists and mappings only."""
    if type(value) in _PLAIN:
        return value  # by far the most
    if isinstance(value, datetime):
        return to_text(value)
    if is_dataclass(value):
        return {name: plain(getattr(value, name)) for name in _names_of(value.__class__)}
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(inner) for inner in value]
    return value


@functools.cache
def _names_of(record: type[Any]) -> tuple[str, ...]:
    return tuple(one.name for one in fields(record))

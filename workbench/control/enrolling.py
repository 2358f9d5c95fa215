"""Recording what a registry file changes."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from workbench.control.first_run import guard_drafts, guards_among
from workbench.control.placing import storable
from workbench.control.signing import Who, key_of
from workbench.records import Automation, Category, Owner
from workbench.registry import Difference, Registry, compare
from workbench.store.documents import automation_to, category_to
from workbench.store.log import Draft, digest
from workbench.store.state import State
from workbench.store.store import Change, Command


def known_registry(state: State) -> Registry:
    """Return the registry as the log has it; retired automations are not in it."""
    standing = {key: record for key, record in state.automations.items() if not record.is_retired}
    return Registry(state.owners, state.categories, standing)


def registry_command(registry: Registry, command_id: str, *, already_running: str = "") -> Command:
    """Return the applying of a registry as a command; its content is the registry's digest."""
    body = {
        "owners": {k: _plain(v) for k, v in registry.owners.items()},
        "categories": {k: _plain(v) for k, v in registry.categories.items()},
        "automations": {k: _plain(v) for k, v in registry.automations.items()},
    }
    running = {"already_running": storable(already_running)} if already_running else {}
    return Command(command_id, {"name": "registry apply", "digest": digest(body), **running})


def decide_registry(
    state: State, registry: Registry, *, who: Who, now: datetime, already_running: str = ""
) -> Change:
    """Return the events that bring the log to what the file says; an edit un-pauses nothing.

    What comes to production and is not ready comes under a hold, unless somebody says that it runs already.

    Raises Refused where roles change unsigned in a store that has keys: a sign-off counts by its role.
    """
    found = compare(registry, known_registry(state))
    if state.keys and any(d.action.startswith("owner.") for d in found):
        key_of(who, "A change of owners and their members")
    guards = guards_among(state, found, now=now)
    more = guard_drafts(state, guards, who=who, now=now, already_running=already_running)
    return Change([*(_draft(d, who.text, now) for d in found), *more])


def _draft(difference: Difference, actor: str, now: datetime) -> Draft:
    noun = difference.action.split(".")[0]
    payload = {noun: _plain(difference.record)} if difference.record is not None else {}
    return Draft(
        now, actor, difference.action, difference.target, reason=difference.details, payload=payload
    )


def _plain(record: Owner | Category | Automation) -> dict[str, Any]:
    if isinstance(record, Automation):
        return automation_to(record)
    if isinstance(record, Category):
        return category_to(record)
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in asdict(record).items()
    }

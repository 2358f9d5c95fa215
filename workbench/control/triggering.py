"""Recording what a look found, once for each episode, and pausing where the registry says so."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from workbench.clock import from_text
from workbench.control.commands import Control
from workbench.control.placing import PauseRequest
from workbench.control.signing import Who
from workbench.control.views import PauseReceipt
from workbench.records import Automation, Event, Purpose
from workbench.store.log import Draft, digest
from workbench.store.state import State
from workbench.store.store import Change, Command
from workbench.trigger_rules import (
    Subject,
    TriggerFinding,
    TriggerState,
    rules_of,
)

_ACTIONS = {
    TriggerState.FIRES: "trigger.fire",
    TriggerState.QUIET: "trigger.clear",
    TriggerState.CANNOT_TELL: "trigger.doubt",
}


def subjects_of(state: State) -> list[Subject]:
    """Return what is looked at: every automation that is not retired, and every category that has some."""
    standing = {k: a for k, a in sorted(state.automations.items()) if not a.is_retired}
    found = [
        Subject(
            scope=f"automation={key}",
            automation_ids=(key,),
            rules=rules_of(record.triggers),
            tell=_tell(state, record),
            restarted_at=_restarted_at(state, key),
            stated=tuple(record.triggers),
        )
        for key, record in standing.items()
    ]
    for key, category in sorted(state.categories.items()):
        ids = tuple(k for k, a in standing.items() if a.category == key)
        if ids:
            rules = rules_of(category.triggers)
            found.append(Subject(f"category={key}", ids, rules, (category.owner,)))
    return found


def _tell(state: State, record: Automation) -> tuple[str, ...]:
    """Return the roles to tell: the owner, its deputy, then the category's owner, each once."""
    owner, category = state.owners.get(record.owner), state.categories.get(record.category)
    roles = [
        record.owner,
        record.deputy or (owner.deputy if owner else ""),
        category.owner if category else "",
    ]
    return tuple(dict.fromkeys(role for role in roles if role))


def _restarted_at(state: State, automation_id: str) -> datetime | None:
    """Return when something was last let run again: a release of what covered it, or a narrow restart."""
    released = [
        hold.released_at
        for hold in state.holds.values()
        if hold.released_at and automation_id in state.covered[hold.hold_id]
    ]
    narrow = [p.started_at for p in state.probations.values() if automation_id in p.automation_ids]
    return max([*released, *narrow], default=None)


def lasting(state: State, subjects: Iterable[Subject]) -> frozenset[str]:
    """Return the keys of the episodes that last; a restart ends one, so that a relapse is said again."""
    restarted = {s.scope: s.restarted_at for s in subjects}
    return frozenset(
        key
        for key, known in state.triggers.items()
        if known["state"] == TriggerState.FIRES
        and not _is_before(known, restarted.get(known["scope"]))
    )


def _is_before(known: Mapping[str, Any], restarted_at: datetime | None) -> bool:
    return restarted_at is not None and from_text(known["since"]) < restarted_at


def record_look(
    control: Control, subjects: Sequence[Subject], *, findings: Sequence[TriggerFinding]
) -> tuple[Event, ...]:
    """Record what is new of a look: episodes that begin or end, and what cannot be told, each once.

    A look that finds nothing new leaves no event.
    """
    now = control.clock.now()
    known = {s.scope: s for s in subjects}
    if not any(_drafts(control.state(), known, findings, "", now)):
        return ()
    seen = [[f.key, str(f.state), f.sentence] for f in findings]
    command = Command(control.new_id(None), {"name": "triggers", "digest": digest({"found": seen})})

    def decided(state: State, who: Who) -> Change:
        return Change(list(_drafts(state, known, findings, who.text, now)))

    return tuple(control.transact(command, decided).events)


def _drafts(
    state: State,
    subjects: Mapping[str, Subject],
    findings: Iterable[TriggerFinding],
    actor: str,
    now: datetime,
) -> Iterator[Draft]:
    open_keys = lasting(state, subjects.values())
    for one in findings:
        known = state.triggers.get(one.key, {})
        before = known.get("state", TriggerState.QUIET)
        if one.state is TriggerState.FIRES:
            is_new = one.key not in open_keys
        elif one.state is TriggerState.QUIET:
            is_new = before != TriggerState.QUIET
        else:
            is_new = before != TriggerState.CANNOT_TELL and not known.get("doubt")
        if is_new:
            payload = {**_payload(one, subjects[one.scope]), **_over(one, known)}
            action = _ACTIONS[one.state]
            yield Draft(now, actor, action, one.key, reason=one.sentence, payload=payload)


def _over(one: TriggerFinding, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return which episode ends, and the roles that were told of it or may have been; nothing where none was."""
    notices = known.get("notices", {})
    roles = [role for role, sent in notices.items() if sent["outcome"] != "failure"]
    if one.state is not TriggerState.QUIET or known.get("state") != TriggerState.FIRES or not roles:
        return {}
    told = {"episode": known["seq"], "began_at": known["since"], "reason": known["reason"]}
    return {"over": {**told, "roles": roles}}


def _payload(one: TriggerFinding, subject: Subject) -> dict[str, Any]:
    told = {"scope": one.scope, "rule": one.rule, "tell": list(subject.tell)}
    if one.state is not TriggerState.FIRES:
        return told
    return {
        **told,
        "number": one.number,
        "unit": one.unit,
        "threshold": one.threshold,
        "source": one.source,
        "query": one.query,
        "action": subject.rules.action,
        "pause": pause_command(one.scope, f"{one.rule}: {one.sentence}"),
    }


def pause_command(scope: str, reason: str) -> str:
    """Return the whole command that pauses a scope for a reason, to be typed as it is."""
    words = ["workbench", "pause", scope, "--purpose", str(Purpose.GUARD), "--reason", reason]
    return shlex.join([*words, "--yes"])


def pauses_due(
    state: State, subjects: Iterable[Subject], *, now: datetime
) -> list[tuple[str, str]]:
    """Return the episodes for which a hold is still to be placed: scope and key, each scope once.

    None where everything is paused already, or where this episode's hold was placed and released since.
    """
    subjects = list(subjects)
    open_keys, found = lasting(state, subjects), dict[str, str]()
    for subject in subjects:
        if subject.rules.action != "pause":
            continue
        if all(state.paused_by(i, now) for i in subject.automation_ids):
            continue
        for key in sorted(open_keys):
            known = state.triggers[key]
            if known["scope"] == subject.scope and _command_id(known) not in state.commands:
                found.setdefault(subject.scope, key)
    return list(found.items())


def place_guard(control: Control, key: str) -> PauseReceipt:
    """Place the guard hold of an episode, once however often it is asked for; reason and evidence are filled in."""
    known = control.state().triggers[key]
    reason = (
        f"trigger {known['rule']}: {known['reason']}; fires at {known['threshold']} ({known['source']}); "
        f"query {known['query']}, event {known['seq']}"
    )
    request = PauseRequest(scope=known["scope"], reason=reason, purpose=Purpose.GUARD)
    return control.pause(request, command_id=_command_id(known), wait_seconds=0)


def _command_id(known: Mapping[str, Any]) -> str:
    return f"trigger-{known['scope']}-{known['rule']}-{known['seq']}"

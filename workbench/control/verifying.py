"""Verifying records: a person looked at what automations changed, and says what they found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NoReturn

from workbench.control.commands import Control
from workbench.control.entitling import check_role
from workbench.control.placing import storable
from workbench.control.signing import Who, key_of
from workbench.errors import Refused, UsageFault
from workbench.evidence import LoadedChange
from workbench.store.log import Draft
from workbench.store.record_events import (
    asks_for_keys,
    is_verified,
    is_verified_enough,
    verifiers_of,
)
from workbench.store.signoffs import policy_of
from workbench.store.state import State
from workbench.store.store import Change, Command

MOST_CHANGES = 500
"""Changes of one event, so that it stays readable; what has more of them takes several events of one command."""


@dataclass(frozen=True)
class Verified:
    """What a command recorded: records and changes, and how many changes somebody had verified before.

    Attributes:
        record_names: `type/id` of each record of which something was recorded.
        wanting_count: changes that count only where they can be undone, for policy asks further persons otherwise.
    """

    record_names: tuple[str, ...]
    change_count: int
    known_count: int
    wanting_count: int = 0


def verify_records(
    control: Control,
    changes: Sequence[LoadedChange],
    *,
    reason: str,
    manifest_version: int = 0,
    command_id: str | None = None,
) -> Verified:
    """Record that this person verified these changes: an event for each record, several where it has many changes.

    `manifest_version` is the warehouse's in which they were looked at; what is signed is their content.
    Raises UsageFault without a reason or for an id that has no UTF-8 bytes, and Refused for what was verified
    before and for an unsigned command where policy asks for keys.
    """
    for one in changes:
        _check_writable(one)
    now = control.clock.now()
    said = storable(reason)
    told = {
        "name": "record verify",
        "reason": said,
        "changes": [vars(one) for one in changes],
    }
    before = control.state()
    known = sum(is_verified(before, one) for one in changes)
    done = control.transact(
        Command(control.new_id(command_id), told),
        lambda state, who: _decide(
            state,
            who,
            changes,
            draft=Draft(now, who.text, "record.verify", "", reason=said),
            version=manifest_version,
        ),
    )
    events = [event for event in done.events if event.action == "record.verify"]
    count = sum(len(event.payload["changes"]) for event in events)
    wanting = sum(not is_verified_enough(done.state, one) for one in changes)
    return Verified(tuple(dict.fromkeys(e.target for e in events)), count, known, wanting)


def _check_writable(change: LoadedChange) -> None:
    names = (change.source_id, change.run_id, change.record_type, change.record_id)
    try:
        "".join([*names, change.automation_id]).encode("utf-8")
    except UnicodeEncodeError as exc:
        raise UsageFault(
            f"An id of the change {'/'.join(names)!a} holds half a character, which no log can keep.",
            next_step="mend the id at its source, and load the record again",
        ) from exc


def _decide(
    state: State, who: Who, changes: Sequence[LoadedChange], *, draft: Draft, version: int
) -> Change:
    if not draft.reason:
        raise UsageFault(
            "Say how you verified it and what you found.",
            next_step="`workbench affected mark-verified RECORD --reason TEXT`",
        )
    if asks_for_keys(state):
        key = key_of(who, "A verification that unblocks a restart")
        check_role(state, key, roles=(), doing="verify a record")
    person = who.key.person if who.key else who.text
    new = [
        one
        for one in changes
        if not is_verified_enough(state, one) and person not in verifiers_of(state, one)
    ]
    if not new:
        _refuse_known(state, changes, person)
    return Change(list(_drafts(new, draft, version=version)))


def _refuse_known(state: State, changes: Sequence[LoadedChange], person: str) -> NoReturn:
    if all(is_verified_enough(state, one) for one in changes):
        raise Refused(
            "All of it is verified already; nothing was recorded.",
            next_step="`workbench affected list HOLD` shows by whom, and what is still open",
        )
    wanted = policy_of(state).verifiers_required
    raise Refused(
        f"{person} verified it before, and policy asks {wanted} persons for what cannot be undone.",
        next_step="another person looks at it and types the same command",
    )


def _drafts(changes: Sequence[LoadedChange], draft: Draft, *, version: int) -> Iterator[Draft]:
    def record_of(one: LoadedChange) -> tuple[str, str]:
        return one.record_type, one.record_id

    told = ("source_id", "run_id", "change_seq", "automation_id", "content_sha256")
    for (record_type, record_id), group in groupby(sorted(changes, key=record_of), key=record_of):
        mine = [{name: getattr(one, name) for name in told} for one in group]
        for begin in range(0, len(mine), MOST_CHANGES):
            payload = {
                "record_type": record_type,
                "record_id": record_id,
                "manifest_version": version,
                "changes": mine[begin : begin + MOST_CHANGES],
            }
            yield replace(draft, target=f"{record_type}/{record_id}", payload=payload)

"""Taking a word about records back: what it unblocked is blocked again, so that anybody may."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from workbench.control.commands import Control
from workbench.control.placing import storable
from workbench.control.signing import Who
from workbench.control.verifying import MOST_CHANGES
from workbench.errors import NotFound, UsageFault
from workbench.evidence import LoadedChange
from workbench.store.log import Draft
from workbench.store.record_events import change_key
from workbench.store.state import State
from workbench.store.store import Change, Command


def withdraw_records(
    control: Control,
    record: str,
    *,
    reason: str,
    told_by_source: Sequence[LoadedChange] = (),
    command_id: str | None = None,
) -> int:
    """Take back every word on a record that is named as `type/id`; returns how many changes are open again.

    `told_by_source` are changes that a source says were verified, which no event in the log does.
    Raises UsageFault without a reason, NotFound where nobody verified it.
    """
    now, said = control.clock.now(), storable(reason)
    told = {"name": "record withdraw", "record": storable(record), "reason": said}
    done = control.transact(
        Command(control.new_id(command_id), told),
        lambda state, who: _decide(
            state, record, draft=_draft(who, "record.withdraw", said, now), others=told_by_source
        ),
    )
    events = [event for event in done.events if event.action == "record.withdraw"]
    return sum(len(event.payload["changes"]) for event in events)


def _draft(who: Who, action: str, reason: str, now: datetime) -> Draft:
    return Draft(now, who.text, action, "", reason=reason)


def _decide(state: State, record: str, *, draft: Draft, others: Iterable[LoadedChange]) -> Change:
    _check_reason(draft.reason, record)
    worded = [
        LoadedChange(**{name: word[name] for name in LoadedChange.__dataclass_fields__})
        for words in state.verified.values()
        for word in list(words.values())[:1]
    ]
    mine = [one for one in worded if f"{one.record_type}/{one.record_id}" == record]
    known = {change_key(one): one for one in (*others, *mine)}
    if not known:
        raise NotFound(
            f"Nobody verified a record {record}, so there is nothing to take back.",
            next_step="`workbench affected list HOLD` shows what is verified, and by whom",
        )
    by_record: dict[tuple[str, str], list[LoadedChange]] = {}
    for one in known.values():
        by_record.setdefault((one.record_type, one.record_id), []).append(one)
    names = ("source_id", "run_id", "change_seq", "automation_id")
    drafts = []
    for (record_type, record_id), changes in by_record.items():
        found = [{name: getattr(one, name) for name in names} for one in changes]
        for begin in range(0, len(found), MOST_CHANGES):
            payload = {
                "record_type": record_type,
                "record_id": record_id,
                "changes": found[begin : begin + MOST_CHANGES],
            }
            drafts.append(replace(draft, target=f"{record_type}/{record_id}", payload=payload))
    return Change(drafts)


def withdraw_none(
    control: Control, hold_id: str, *, reason: str, command_id: str | None = None
) -> tuple[str, ...]:
    """Take back every word that nothing was written under a hold; returns the automations that it was about.

    Raises UsageFault without a reason, NotFound where nobody said it.
    """
    now, said = control.clock.now(), storable(reason)
    told = {"name": "record withdraw none", "hold_id": hold_id, "reason": said}

    def decided(state: State, who: Who) -> Change:
        _check_reason(said, hold_id)
        words = [word for said_of in state.none_said.values() for word in said_of.values()]
        ids = sorted({word["automation_id"] for word in words if word["hold_id"] == hold_id})
        if not ids:
            raise NotFound(
                f"Nobody said that nothing was written under {hold_id}.",
                next_step=f"`workbench affected list {hold_id}` shows what is verified, and by whom",
            )
        draft = _draft(who, "record.withdraw_none", said, now)
        payload = {"automation_ids": ids}
        return Change([replace(draft, target=hold_id, correlation_id=hold_id, payload=payload)])

    done = control.transact(Command(control.new_id(command_id), told), decided)
    event = next(event for event in done.events if event.action == "record.withdraw_none")
    return tuple(event.payload["automation_ids"])


def _check_reason(reason: str, subject: str) -> None:
    if not reason:
        raise UsageFault(
            "Say why the word does not stand.",
            next_step=f"`workbench affected withdraw {subject} --reason TEXT`",
        )

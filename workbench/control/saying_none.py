"""Saying that nothing was written: a person's word where no source tells of records, and never a proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workbench.clock import to_text
from workbench.control.commands import Control
from workbench.control.entitling import check_role
from workbench.control.placing import standing_hold, storable
from workbench.control.signing import Who, key_of
from workbench.errors import Refused, UsageFault
from workbench.evidence import NothingLoaded
from workbench.store.log import Draft
from workbench.store.record_events import asks_for_keys
from workbench.store.state import State
from workbench.store.store import Change, Command


@dataclass(frozen=True)
class NoneWord:
    """What somebody says: these automations wrote nothing from `since_at` to `until_at`, under one hold.

    Attributes:
        loaded: what was loaded of each of them when they looked.
        manifest_version: of the warehouse that they looked at.
    """

    hold_id: str
    since_at: datetime
    until_at: datetime
    loaded: tuple[NothingLoaded, ...]
    manifest_version: int

    def payload(self) -> dict[str, Any]:
        """Return the word as plain values for the event."""
        return {
            "hold_id": self.hold_id,
            "since_at": to_text(self.since_at),
            "until_at": to_text(self.until_at),
            "manifest_version": self.manifest_version,
            "automations": [vars(one) for one in self.loaded],
        }


def say_none(
    control: Control, word: NoneWord, *, reason: str, command_id: str | None = None
) -> tuple[str, ...]:
    """Record that this person says that nothing was written; returns the automations that it is about.

    Raises UsageFault without a reason, and Refused for a hold that is over, for time to come and for an unsigned
    command where policy asks for keys.
    """
    now, said = control.clock.now(), storable(reason)
    ids = [one.automation_id for one in word.loaded]
    # Without the time, which moves: the same id again gives the first result.
    told = {"name": "record none", "hold_id": word.hold_id, "automation_ids": ids, "reason": said}
    done = control.transact(
        Command(control.new_id(command_id), told),
        lambda state, who: _decide(state, who, word, reason=said, now=now),
    )
    event = next(event for event in done.events if event.action == "record.say_none")
    return tuple(one["automation_id"] for one in event.payload["automations"])


def _decide(state: State, who: Who, word: NoneWord, *, reason: str, now: datetime) -> Change:
    if not reason:
        raise UsageFault(
            "Say how you know that nothing was written.",
            next_step=f"`workbench affected none {word.hold_id} --reason TEXT`",
        )
    standing_hold(state, word.hold_id)
    if asks_for_keys(state):
        key = key_of(who, "A word that nothing was written")
        check_role(state, key, roles=(), doing="say that nothing was written")
    outside = sorted({one.automation_id for one in word.loaded} - state.covered[word.hold_id])
    if outside or not word.loaded:
        names: Sequence[str] = outside or ["nothing"]
        raise Refused(
            f"{word.hold_id} does not cover {', '.join(names)}.",
            next_step="`workbench hold list`",
        )
    if not word.since_at <= word.until_at <= now:
        raise Refused(
            "What nobody can know yet is not said: the time ends after now, or before it begins.",
            next_step="set this machine's clock right, and give the command again",
        )
    draft = Draft(
        now,
        who.text,
        "record.say_none",
        word.hold_id,
        reason=reason,
        correlation_id=word.hold_id,
        payload=word.payload(),
    )
    return Change([draft])

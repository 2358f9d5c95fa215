"""Whom to tell of an episode, in which order and when; recorded first, so that nobody is told twice."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from workbench.clock import from_text, to_text
from workbench.control.commands import Control
from workbench.control.signing import Who
from workbench.control.triggering import lasting, subjects_of
from workbench.errors import NotFound, Refused
from workbench.records import Event
from workbench.store.log import Draft
from workbench.store.state import State
from workbench.store.store import Change, Command, Committed
from workbench.trigger_rules import TriggerState

MOST_TRIES = 3
TRY_AGAIN_AFTER = timedelta(minutes=1)
"""A sending that surely came to nobody is tried again so often, this long apart; a look comes once a minute."""


OVER_WITHIN = timedelta(days=1)
"""An end that nobody could be told of so long is news to nobody."""


@dataclass(frozen=True)
class Notice:
    """One role to be told of one episode.

    Attributes:
        key: scope and rule of the episode; `episode` is the event that began it.
        tries: which try this is, from 1: another follows only where the one before surely came to nobody.
        is_over: told is that it ended, to who was told that it began.
    """

    key: str
    episode: int
    role: str
    tries: int = 1
    is_over: bool = False

    @property
    def command_id(self) -> str:
        """Return the id under which it is recorded: the same for whoever else comes to tell it."""
        kind = "over" if self.is_over else "notice"
        return f"{kind}-{self.key}-{self.episode}-{self.role}-{self.tries}"

    @property
    def payload(self) -> dict[str, Any]:
        """Return what its events hold."""
        over = {"is_over": True} if self.is_over else {}
        return {"role": self.role, "episode": self.episode, "tries": self.tries, **over}


def notices_due(state: State, *, reachable: Collection[str], now: datetime) -> list[Notice]:
    """Return whom to tell now: of every episode that lasts and that nobody acknowledged, and of each that ended.

    The first role that can be told at once, each next one when the role before had its time to acknowledge; a role
    that cannot be told, or was told in vain, is not waited for. Of an end each role is told that may know of the begin.
    """
    subjects = subjects_of(state)
    waits = {s.scope: timedelta(seconds=s.rules.tell_next_seconds) for s in subjects}
    found: list[Notice] = []
    for key in sorted(lasting(state, subjects)):
        known = state.triggers[key]
        if known["scope"] in waits and "acknowledged_by" not in known:
            roles = [role for role in known["tell"] if role in reachable]
            found += _due(key, known, roles, wait=waits[known["scope"]], now=now)
    return [*found, *_over_due(state, reachable, now)]


def is_end_due(state: State, *, now: datetime) -> bool:
    """Tell whether somebody is to be told of an end, if only they had an address."""
    overs = [known["over"] for known in state.triggers.values() if "over" in known]
    everybody = {role for over in overs for role in over["roles"]}
    return any(_over_due(state, everybody, now))


def _over_due(state: State, reachable: Collection[str], now: datetime) -> Iterator[Notice]:
    for key, known in sorted(state.triggers.items()):
        over = known.get("over")
        if not over or now >= from_text(over.get("ended_at", known["since"])) + OVER_WITHIN:
            continue
        for role in over["roles"]:
            told = known.get("notices", {}).get(role)
            if role in reachable and (told is None or _is_tried_again(told, now)):
                tries = told["tries"] + 1 if told else 1
                yield Notice(key, over["episode"], role, tries, is_over=True)


def _is_tried_again(told: Mapping[str, Any], now: datetime) -> bool:
    """Tell whether a sending surely came to nobody and it is time for another."""
    is_time = now >= from_text(told["told_at"]) + TRY_AGAIN_AFTER
    return told["outcome"] == "failure" and told["tries"] < MOST_TRIES and is_time


def _due(
    key: str, known: Mapping[str, Any], roles: Iterable[str], *, wait: timedelta, now: datetime
) -> Iterator[Notice]:
    for role in roles:
        told = known.get("notices", {}).get(role)
        if told is None:
            yield Notice(key, known["seq"], role)
            return
        if _is_tried_again(told, now):
            yield Notice(key, known["seq"], role, told["tries"] + 1)
        elif told["outcome"] != "failure" and now < from_text(told["told_at"]) + wait:
            return


def roles_to_tell(state: State) -> tuple[str, ...]:
    """Return every role that a look may have to tell."""
    return tuple(sorted({role for subject in subjects_of(state) for role in subject.tell}))


def begin_notice(
    control: Control, notice: Notice, *, reachable: Collection[str]
) -> tuple[Event, ...]:
    """Record that a role is about to be told; nothing where somebody else did, or where it is not due any more."""
    now = control.clock.now()

    def decided(state: State, who: Who) -> Change:
        if notice not in notices_due(state, reachable=reachable, now=now):
            return Change([])
        made = Draft(
            now, who.text, "notice.begin", notice.key, outcome="pending", payload=notice.payload
        )
        return Change([made])

    command = Command(notice.command_id, {"name": "tell", "key": notice.key, **notice.payload})
    done = control.transact(command, decided)
    return _new(done)


def end_notice(control: Control, notice: Notice, *, outcome: str, why: str) -> tuple[Event, ...]:
    """Record how telling a role went: `success`, `failure`, or `unknown` where it may have come."""
    now = control.clock.now()

    def decided(state: State, who: Who) -> Change:
        made = Draft(
            now,
            who.text,
            "notice.end",
            notice.key,
            outcome=outcome,
            reason=why,
            payload=notice.payload,
        )
        return Change([made])

    content = {"name": "told", "key": notice.key, **notice.payload, "outcome": outcome, "why": why}
    done = control.transact(Command(f"{notice.command_id}-end", content), decided)
    return _new(done)


def say_unreachable(control: Control, role: str, *, why: str) -> tuple[Event, ...]:
    """Record that there is no way to tell a role: once, and once more after each time that there was a way."""
    now, content = control.clock.now(), {"name": "untold", "role": role}

    def decided(state: State, who: Who) -> Change:
        return Change([Draft(now, who.text, "notice.lack", role, outcome="failure", reason=why)])

    known = control.state().commands
    if (known_id := _lack_id(known, role)) in known:
        return ()
    done = control.transact(Command(known_id, content), decided)
    return _new(done)


def _lack_id(known: Iterable[str], role: str) -> str:
    """Return the id under which a lack is recorded: told of so many episodes before, the role had an address since."""
    told = re.compile(rf"notice-(.+-[0-9]+)-{re.escape(role)}-[0-9]+")
    episodes = {found[1] for one in known if (found := told.fullmatch(one))}
    return f"notice-lack-{role}-after-{len(episodes)}" if episodes else f"notice-lack-{role}"


def acknowledge(control: Control, name: str, *, reason: str = "") -> tuple[Event, ...]:
    """Take on every episode of a scope, or the one of `scope/rule`: nobody further is told of it.

    Raises NotFound where nothing of that name fires, Refused where all of it was taken on before.
    """
    now = control.clock.now()

    def decided(state: State, who: Who) -> Change:
        keys = _open_keys(state, name)
        return Change(
            [
                Draft(
                    now,
                    who.text,
                    "trigger.acknowledge",
                    key,
                    reason=reason,
                    payload={"episode": state.triggers[key]["seq"]},
                )
                for key in keys
            ]
        )

    content = {"name": "acknowledge", "of": name, "reason": reason, "at": to_text(now)}
    return _new(control.transact(Command(control.new_id(None), content), decided))


def _new(done: Committed) -> tuple[Event, ...]:
    """Return what a command of this page added; endings of narrow restarts may stand beside it."""
    own = ("notice.", "trigger.")
    return () if done.is_repeat else tuple(e for e in done.events if e.action.startswith(own))


def _open_keys(state: State, name: str) -> list[str]:
    firing = {
        key: known
        for key, known in sorted(state.triggers.items())
        if known["state"] == TriggerState.FIRES and name in (key, known["scope"])
    }
    if not firing:
        raise NotFound(
            f"Nothing fires at {name}.", next_step="`workbench triggers --once` says what fires"
        )
    found = [key for key, known in firing.items() if "acknowledged_by" not in known]
    if not found:
        taken = next(iter(firing.values()))
        raise Refused(
            f"{name} was acknowledged before, by {taken['acknowledged_by']}.",
            next_step="nothing; nobody further is told of it",
        )
    return found

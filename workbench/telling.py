"""Telling the roles whose turn it is: the intent is recorded, the message sent, and how that went recorded."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workbench.clock import from_text
from workbench.control import Control
from workbench.control.notices import (
    Notice,
    begin_notice,
    end_notice,
    notices_due,
    say_unreachable,
)
from workbench.control.triggering import lasting, subjects_of
from workbench.errors import BadSettings
from workbench.notify import AddressBook, read_book, send
from workbench.records import Event
from workbench.settings import Settings
from workbench.store.state import State


@dataclass(frozen=True)
class Told:
    """Who was told.

    Attributes:
        events: what was recorded of it, one or two for each role.
        fault: why nobody could be told at all, or an empty text.
    """

    events: tuple[Event, ...] = ()
    fault: str = ""


def tell_due(control: Control, settings: Settings) -> Told:
    """Tell whom it is due to tell; never on a recorded clock. A sending that fails is recorded and fails nothing."""
    state = control.state()
    if not lasting(state, subjects_of(state)):
        return Told()
    if settings.demo_clock_at:
        return Told(fault="the clock is a recorded one")
    try:
        book = read_book(settings.notify_file)
    except BadSettings as exc:
        return Told(fault=exc.message.rstrip("."))
    events = list(_say_unreachable(control, book, settings))
    seen: set[str] = set()
    while due := [n for n in _due(control, book) if n.command_id not in seen]:
        for notice in due:
            seen.add(notice.command_id)
            events += _tell(control, book, notice)
    return Told(tuple(events))


def _due(control: Control, book: AddressBook) -> list[Notice]:
    return notices_due(control.state(), reachable=book.addresses, now=control.clock.now())


def _tell(control: Control, book: AddressBook, notice: Notice) -> list[Event]:
    """Tell one role: recorded first, so that a death between the two tells nobody twice."""
    begun = begin_notice(control, notice, reachable=book.addresses)
    if not begun:
        return []
    title, body = message(control.state(), notice)
    sent = send(book.addresses[notice.role], title=title, body=body)
    outcome = "success" if sent.is_taken else "unknown" if sent.is_open else "failure"
    return [*begun, *end_notice(control, notice, outcome=outcome, why=sent.why)]


def _say_unreachable(control: Control, book: AddressBook, settings: Settings) -> list[Event]:
    """Record each role of an open episode that has no address, once until it had one."""
    state = control.state()
    keys = lasting(state, subjects_of(state))
    roles = sorted({role for key in keys for role in state.triggers[key]["tell"]})
    why = f"no address for it in {settings.notify_file.name} on {settings.host}"
    lacking = [role for role in roles if role not in book.addresses]
    return [event for role in lacking for event in say_unreachable(control, role, why=why)]


def message(state: State, notice: Notice) -> tuple[str, str]:
    """Return title and text of what a role is told, the command that pauses it on a line of its own."""
    known = state.triggers[notice.key]
    lines = [
        f"{known['scope']}: {known['reason']}",
        f"Number: {known['number']} {known['unit']}; fires at {known['threshold']} ({known['source']}).",
        f"Query {known['query']}; since {from_text(known['since']):%Y-%m-%d %H:%M:%S} UTC, event {known['seq']}.",
        f"Owner: {known['tell'][0] if known['tell'] else '-'}. Told: {_order(known, notice.role)}.",
        "",
        "Pause it:",
        known["pause"],
        "",
        "Say that you look after it, so that nobody further is told:",
        shlex.join(["workbench", "triggers", "--acknowledge", notice.key]),
        "",
        f"Store {state.store_id}, {state.environment}.",
    ]
    title = f"FIRES {known['scope']} {known['rule']} ({state.environment})"
    return _plain(title), "\n".join(map(_plain, lines))


def _order(known: Mapping[str, Any], role: str) -> str:
    """Return the roles in the order in which they are told, up to this one."""
    roles = list(known["tell"])
    return ", then ".join(roles[: roles.index(role) + 1])


def _plain(text: str) -> str:
    """Return text on one line with nothing in it that moves a cursor or reverses its order."""
    return "".join(c if c.isprintable() else " " for c in text)

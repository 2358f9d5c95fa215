"""Telling the roles whose turn it is: the intent is recorded, the message sent, and how that went recorded."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from workbench.control import Control
from workbench.control.notices import (
    Notice,
    begin_notice,
    end_notice,
    is_end_due,
    notices_due,
    say_unreachable,
)
from workbench.control.triggering import lasting, subjects_of
from workbench.errors import BadSettings
from workbench.messages import message
from workbench.notify import AddressBook, read_book, send
from workbench.records import Event
from workbench.settings import Settings


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
    if not lasting(state, subjects_of(state)) and not is_end_due(state, now=control.clock.now()):
        return Told()
    if settings.demo_clock_at:
        return Told(fault="the clock is a recorded one")
    try:
        book = read_book(settings.notify_file)
    except BadSettings as exc:
        return Told(fault=exc.message.rstrip("."))
    events = list(_say_unreachable(control, book, settings))
    seen: set[str] = set()
    while bundles := _due(control, book, seen):
        for bundle in bundles:
            seen |= {notice.command_id for notice in bundle}
            events += _tell(control, book, bundle)
    return Told(tuple(events))


def _due(control: Control, book: AddressBook, seen: Collection[str]) -> list[list[Notice]]:
    """Return what is due and was not seen, in one bundle for each role and kind: one message says it all."""
    found: dict[tuple[str, bool], list[Notice]] = {}
    due = notices_due(control.state(), reachable=book.addresses, now=control.clock.now())
    for notice in due:
        if notice.command_id not in seen:
            found.setdefault((notice.role, notice.is_over), []).append(notice)
    return list(found.values())


def _tell(control: Control, book: AddressBook, bundle: Sequence[Notice]) -> list[Event]:
    """Tell one role of a bundle in one message: each is recorded first, so that a death tells nobody twice.

    What another watcher began meanwhile is left to it.
    """
    state = control.state()  # as it was when they were due: another look may end one meanwhile
    begun = {
        notice: events
        for notice in bundle
        if (events := begin_notice(control, notice, reachable=book.addresses))
    }
    if not begun:
        return []
    title, body = message(state, list(begun))
    sent = send(book.addresses[bundle[0].role], title=title, body=body)
    outcome = "success" if sent.is_taken else "unknown" if sent.is_open else "failure"
    told = [event for events in begun.values() for event in events]
    for notice in begun:
        told += end_notice(control, notice, outcome=outcome, why=sent.why)
    return told


def _say_unreachable(control: Control, book: AddressBook, settings: Settings) -> list[Event]:
    """Record each role of an open episode that has no address, once until it had one."""
    state = control.state()
    keys = lasting(state, subjects_of(state))
    roles = sorted({role for key in keys for role in state.triggers[key]["tell"]})
    why = f"no address for it in {settings.notify_file.name} on {settings.host}"
    lacking = [role for role in roles if role not in book.addresses]
    return [event for role in lacking for event in say_unreachable(control, role, why=why)]

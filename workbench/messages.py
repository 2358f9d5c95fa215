"""What a role is told: of one episode or of all that began in one look, and of those that ended."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.clock import from_text
from workbench.control.notices import Notice
from workbench.store.state import State


def message(state: State, notices: Sequence[Notice]) -> tuple[str, str]:
    """Return title and text of one message to one role, of notices that all begin or all end.

    The commands that pause stand on lines of their own. Of several the first lines name them all, so that what a
    service cuts off hides none.
    """
    is_over = notices[0].is_over
    part = _over_lines if is_over else _firing_lines
    lines: list[str] = []
    if len(notices) > 1:
        word = "are over" if is_over else "fire"
        lines += [f"{len(notices)} triggers {word}:", *(f"- {one.key}" for one in notices), ""]
    for one in notices:
        lines += [*part(state.triggers[one.key], one), ""]
    lines.append(f"Store {state.store_id}, {state.environment}.")
    return _plain(_title(state, notices)), "\n".join(map(_plain, lines))


def _title(state: State, notices: Sequence[Notice]) -> str:
    word = "OVER" if notices[0].is_over else "FIRES"
    known = state.triggers[notices[0].key]
    first = f"{known['scope']} {known['rule']}"
    more = f" and {len(notices) - 1} more" if len(notices) > 1 else ""
    return f"{word} {first}{more} ({state.environment})"


def _firing_lines(known: Mapping[str, Any], notice: Notice) -> list[str]:
    return [
        f"{known['scope']}: {known['reason']}",
        f"Number: {known['number']} {known['unit']}; fires at {known['threshold']} ({known['source']}).",
        f"Query {known['query']}; since {_when(known['since'])}, event {known['seq']}.",
        f"Owner: {known['tell'][0] if known['tell'] else '-'}. Told: {_order(known, notice.role)}.",
        "",
        "Pause it:",
        known["pause"],
        "",
        "Say that you look after it, so that nobody further is told:",
        shlex.join(["workbench", "triggers", "--acknowledge", notice.key]),
    ]


def _over_lines(known: Mapping[str, Any], notice: Notice) -> list[str]:
    over = known["over"]
    span = f"from {_when(over['began_at'])} to {_when(over.get('ended_at', known['since']))}"
    return [
        f"{known['scope']}: {over.get('end_reason', known['reason'])}",
        f"It fired {span}, event {over['episode']}: {over['reason']}",
        "What was paused stays paused; that it is quiet releases nothing:",
        shlex.join(["workbench", "status", known["scope"]]),
    ]


def _when(text: str) -> str:
    return f"{from_text(text):%Y-%m-%d %H:%M:%S} UTC"


def _order(known: Mapping[str, Any], role: str) -> str:
    """Return the roles in the order in which they are told, up to this one."""
    roles = list(known["tell"])
    return ", then ".join(roles[: roles.index(role) + 1])


def _plain(text: str) -> str:
    """Return text on one line with nothing in it that moves a cursor or reverses its order."""
    return "".join(c if c.isprintable() else " " for c in text)

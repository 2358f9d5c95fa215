"""How the terminal shows things: aligned tables, safe text, UTC instants, and which store is meant."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from workbench.errors import StorageUnavailable, UsageFault
from workbench.records import HeadNote
from workbench.settings import Settings

if TYPE_CHECKING:
    from workbench.control import Control
    from workbench.control.views import HostView

_BIDI = {
    ord(c): None
    for c in "\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
}


def printable(text: str) -> str:
    """Return text that cannot move the cursor, change colours or reverse its order on a terminal."""
    visible = text.translate(_BIDI)
    return "".join(
        c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in visible
    )


def one_line(text: str) -> str:
    """Return printable text on one line, so that a reason with line breaks cannot forge lines of ours."""
    return printable(text).replace("\n", " ")


REASON_CHARACTERS = 200
"""Of a reason on a screen that shows many things: the whole of it is in the log, `audit show --json`."""


def short_reason(text: str) -> str:
    """Return a reason on one line, cut with dots where it would fill the screen."""
    said = one_line(text)
    return said if len(said) <= REASON_CHARACTERS else f"{said[: REASON_CHARACTERS - 3]}..."


def ask(question: str, *lacking: str) -> None:
    """Ask on the terminal; raises UsageFault where nobody is there to answer, Abort at a no.

    `lacking` are words that the command needs besides when nobody is asked, such as a reason.
    """
    if not sys.stdin.isatty():
        again = typed_again(*lacking, "--yes")
        raise UsageFault("Nobody is at the terminal to confirm.", next_step=again)
    click.confirm(one_line(question), abort=True)


YES_ALL_THE_SAME = click.option(
    "--yes", "-y", is_flag=True, expose_value=False, help="As elsewhere; this command never asks."
)
"""For a command that only adds a person's word: whoever types `--yes` out of habit is not refused for it."""


def typed_again(*more: str, without: Sequence[str] = ()) -> str:
    """Return the command that was typed with more words, to be copied; what follows `--` stays behind it.

    An option that is named again or `without` (`--only SCOPE` where it has a value) is left out first.
    """
    context = click.get_current_context(silent=True)
    typed = context.find_root().obj if context is not None else None
    words = list(typed) if isinstance(typed, list) else ["..."]
    at = words.index("--") if "--" in words else len(words)
    again = [word for word in more if word.startswith("--")]
    own = [f"{word} VALUE" if _has_value(more, word) else word for word in again]
    kept = words[:at]
    for option in [*without, *own]:
        kept = _left_out(kept, option)
    return f"`workbench {shlex.join([*kept, *more, *words[at:]])}`"


def _has_value(more: Sequence[str], option: str) -> bool:
    after = more[more.index(option) + 1 :][:1]
    return bool(after) and not after[0].startswith("--")


def _left_out(words: Sequence[str], option: str) -> list[str]:
    """Return words without an option, and without its value where it is written with one."""
    name, _, value = option.partition(" ")
    kept, is_skipped = [], False
    for word in words:
        if not is_skipped and word != name and not word.startswith(f"{name}="):
            kept.append(word)
        is_skipped = word == name and bool(value) and not is_skipped
    return kept


def scope_words(scope: str) -> str:
    """Write a scope as screens do: everything is safe mode."""
    return "* (safe mode: everything)" if scope == "*" else scope


def when(instant: datetime | None) -> str:
    """Write an instant plainly, or a dash."""
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC" if instant else "-"


def counted(count: int, noun: str, *, plural: str = "") -> str:
    """Write a count with its noun: `1 run`, `1,204 runs`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return an aligned table as text."""
    cells = [[one_line(str(c)) for c in row] for row in rows]
    widths = [
        max(len(headers[i]), *(len(row[i]) for row in cells)) if cells else len(headers[i])
        for i in range(len(headers))
    ]
    lines = ["  ".join(h.ljust(w) for h, w in zip(headers, widths, strict=True)).rstrip()]
    lines.append("  ".join("-" * w for w in widths))
    lines += [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    ]
    return "\n".join(lines)


def as_json(value: Any) -> str:
    """Return JSON for a reading command; instants as ISO text."""
    return json.dumps(value, indent=2, sort_keys=False, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    return str(value)


def store_line(head: HeadNote, settings: Settings) -> str:
    """Return the line that says which store is meant, and DEMO with the recorded time on a recorded clock."""
    where = f"store {head.store_id}  |  environment {head.environment}  |  {head.place}"
    said = one_line(f"{demo_words(settings)}{where}  |  event {head.seq}")
    return f"{said}\n{moved_line(head)}" if head.moved_to else said


def moved_line(head: HeadNote) -> str:
    """Say of a place that the store left that what it shows is old; an empty text where it did not."""
    if not head.moved_to:
        return ""
    then = "what this place shows is how it stood then; let WORKBENCH_STORE name the new one"
    return one_line(f"MOVED to {head.moved_to}: {then}")


def store_document(head: HeadNote) -> dict[str, Any]:
    """Return which store is meant as plain values, with where it went if it did."""
    moved = {"moved_to": head.moved_to} if head.moved_to else {}
    return {
        "store_id": head.store_id,
        "environment": head.environment,
        "place": head.place,
        "seq": head.seq,
        **moved,
    }


def demo_words(settings: Settings) -> str:
    """Return what a print-out begins with on a recorded clock; an empty text on the machine's own."""
    at = settings.demo_clock_at
    return f"DEMO, clock stands at {when(at)}  |  " if at else ""


def not_delivered(fault: str) -> str:
    """Say that something stands in the log and gates have not been told."""
    return f"RECORDED, NOT DELIVERED: {one_line(fault)}"


def hosts_table(hosts: Sequence[HostView]) -> str:
    """Return the hosts whose mirrors report, with what gates there were told and when they were heard last."""
    rows = [
        (
            view.label,
            view.state_in_words,
            f"{view.host.seq} of {view.wanted_seq}",
            view.host.last_heard.removeprefix("last heartbeat "),
            view.host.gate_folder,
        )
        for view in hosts
    ]
    return table(["host", "gates are", "event", "last heartbeat", "gate folder"], rows)


def host_documents(hosts: Sequence[HostView]) -> list[dict[str, Any]]:
    """Return the hosts whose mirrors report, as plain values."""
    return [
        {
            "host": view.label,
            "state": view.state_in_words,
            "seq": view.host.seq,
            "wanted_seq": view.wanted_seq,
            "last_heartbeat_at": view.host.beaten_at,
            "age_seconds": round(view.host.age_seconds, 3),
            "skew_seconds": round(view.host.skew_seconds, 3),
            "gate_folder": view.host.gate_folder,
            "reported_by": view.host.reported_by,
        }
        for view in hosts
    ]


def head_line(head: HeadNote) -> None:
    """Print the head note: each copy of it outside the store is evidence."""
    click.echo(click.style(one_line(head.text), dim=True))


def say_unrecorded(why: str) -> None:
    """Say beside the print-out why what gates have seen is not in the log; nothing where it is."""
    if why:
        click.echo(f"workbench: {one_line(why)}", err=True)


def undelivered(control: Control) -> str:
    """Return why gates may not have been told of a command that is recorded, or an empty text."""
    try:
        return control.status().publication_fault
    except StorageUnavailable as exc:
        return f"whether gates were told cannot be seen. {exc.message}"


def closing_line(control: Control) -> None:
    """Print the head note after a command; a store that cannot be read again takes nothing back of what was said."""
    try:
        head_line(control.head_note())
    except StorageUnavailable as exc:
        click.echo(f"What is said above is recorded. {one_line(exc.message)}", err=True)

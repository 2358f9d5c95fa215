"""`workbench affected`: the ledger of records that automations wrote, and the word that somebody looked at them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.affected_words import say_nothing_written, withdraw
from workbench.cli.present import (
    as_json,
    ask,
    closing_line,
    counted,
    one_line,
    store_line,
    table,
    when,
)
from workbench.control import Control, open_control
from workbench.errors import UsageFault
from workbench.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from workbench.control.verifying import Verified
    from workbench.reports.affected import Ledger
    from workbench.store.state import State
    from workbench.warehouse.changes import Looked

SHOWN_CHARACTERS = 60
NOT_NAMED = "somebody its source does not name"
CLASSES = ("irreversible", "unknown", "compensable", "reversible")


@click.group()
def command() -> None:
    """List the records that automations wrote since the onset, and say what you know of them."""


@command.command("list")
@click.argument("subject", metavar="HOLD-OR-SCOPE")
@click.option("--class", "of_class", type=click.Choice(CLASSES), help="Only this class.")
@click.option(
    "--open", "is_open", is_flag=True, help="Only what nobody verified: the clean-up list."
)
@click.option("--onset", default="", help="When the trouble began; default: found in the data.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@click.option(
    "--csv", "is_csv", is_flag=True, help="CSV whose cells no spreadsheet runs as a formula."
)
def list_affected(
    subject: str, of_class: str | None, is_open: bool, onset: str, is_json: bool, is_csv: bool
) -> None:
    """List what was written under HOLD-OR-SCOPE since the onset: what blocks first, then by class.

    workbench affected list H-1 --open --csv > clean-up.csv
    """
    if is_json and is_csv:
        raise UsageFault("Choose --json or --csv.")
    settings = Settings.from_environment()
    control = open_control(settings)
    # Only now, for they take a second: without a store the refusal comes at once.
    from workbench.cli.sql import as_csv
    from workbench.reports.affected import read_ledger
    from workbench.review.ledger import shown

    ledger = read_ledger(control, settings, subject=subject, onset=onset)
    changes = _chosen(ledger.changes, of_class, is_open)
    if is_json:
        click.echo(as_json(_document(ledger, changes)))
    elif is_csv:
        click.echo(as_csv(shown(changes)), nl=False)
        _say_gaps(ledger)
    else:
        click.echo(store_line(control.head_note(), settings))
        _show(ledger, changes, onset)


def _chosen(changes: pd.DataFrame, of_class: str | None, is_open: bool) -> pd.DataFrame:
    found = changes[changes["verified_at"].isna()] if is_open else changes
    return found[found["reversibility"] == of_class] if of_class else found


def _document(ledger: Ledger, changes: pd.DataFrame) -> dict[str, Any]:
    """Return the ledger for programs: `changes` are those asked for, everything else is of the whole ledger."""
    from workbench.cli.sql import row_documents
    from workbench.review.ledger import clean_up, duplicates

    return {
        "hold_id": ledger.request.hold_id,
        "scope": ledger.request.only or ledger.request.scope,
        "onset_at": ledger.request.onset_at,
        "as_of": ledger.request.as_of,
        "manifest_version": ledger.version,
        "is_whole": ledger.is_whole,
        "answered_by": ledger.answered_by,
        "change_count": len(ledger.changes),
        "blocking_count": int(ledger.changes["blocks"].sum()),
        "clean_up": row_documents(clean_up(ledger.changes)),
        "duplicates": row_documents(duplicates(ledger.changes)),
        "verified_by_too_few": row_documents(ledger.half),
        "changes": row_documents(changes),
    }


def _show(ledger: Ledger, changes: pd.DataFrame, onset: str) -> None:
    from workbench.review.ledger import CLASSES as RANKED
    from workbench.review.ledger import clean_up, shown

    asked = ledger.request
    # Counts and what to do next are of the whole ledger: what is filtered away blocks all the same.
    count, blocking = len(ledger.changes), int(ledger.changes["blocks"].sum())
    click.echo(
        f"{asked.hold_id}  {asked.only or asked.scope}  {counted(count, 'change')} loaded since the onset at "
        f"{when(asked.onset_at)}, {blocking:,} of them block a restart (version {ledger.version} of the warehouse)."
    )
    if len(changes) < count:
        click.echo(f"Shown: {len(changes):,} of {count:,}, as you asked.")
    rows = shown(changes)
    left = clean_up(ledger.changes)
    half = _half_words(ledger.half)
    todo = dict(zip(left["reversibility"], left["what_to_do"], strict=True))
    for name in RANKED:
        mine = rows[rows["reversibility"] == name]
        if mine.empty:
            continue
        click.echo(f"\n{name}: {todo.get(name, 'all of it is verified')}")
        click.echo(table(_HEADERS, [_cells(row, half) for row in mine.to_dict("records")]))
    _say_gaps(ledger)
    if blocking:
        first = shown(ledger.changes).to_dict("records")[0]
        record = quote(f"{first['record_type']}/{first['record_id']}")
        verify = f"workbench affected mark-verified {record} --based-on {ledger.version}"
        click.echo(one_line(f"Next: {verify} --reason TEXT"))
    elif ledger.is_whole:
        click.echo(one_line(f"Next: workbench review {asked.hold_id}{_again(onset)}"))


def _again(onset: str) -> str:
    return f" --onset {quote(onset)}" if onset else ""


_HEADERS = [
    "record",
    "changed",
    "change",
    "when",
    "run",
    "attempt",
    "blocks",
    "verified",
    "written twice",
]


_NAMES = ("record_type", "record_id", "changed_at", "run_id")


def _half_words(half: pd.DataFrame) -> dict[tuple[Any, ...], str]:
    """Return who verified what still needs more persons, by change: `NO, but by ann: 1 more person`."""
    return {
        tuple(row[name] for name in _NAMES): (
            f"NO, but by {row['verified_by']}: {row['persons_lacking']} more "
            f"{'person' if row['persons_lacking'] == 1 else 'persons'}"
        )
        for row in half.to_dict("records")
    }


def _cells(row: Mapping[Any, Any], half: Mapping[tuple[Any, ...], str]) -> list[str]:
    is_open = str(row["verified_at"]) == "NaT"
    by = row["verified_by"] if isinstance(row["verified_by"], str) and row["verified_by"] else ""
    named = tuple(row[name] for name in _NAMES)
    verified = (
        half.get(named, "NO") if is_open else f"{when(row['verified_at'])} by {by or NOT_NAMED}"
    )
    return [
        f"{row['record_type']}/{row['record_id']}",
        when(row["changed_at"]),
        row["change"] or "unknown",
        row["written"],
        row["run_id"],
        str(row["attempt"]),
        "BLOCKS" if row["blocks"] else "-",
        verified,
        row["duplicate"] or "-",
    ]


def _say_gaps(ledger: Ledger) -> None:
    if ledger.is_whole:
        return
    if ledger.answered_by:
        click.echo(one_line(f"Nothing loaded shows it, but {ledger.answered_by}."), err=True)
        return
    hold_id = ledger.request.hold_id
    none = (
        ""
        if len(ledger.changes)
        else f"; if nothing was written, `workbench affected none {hold_id}`"
    )
    click.echo(
        "UNKNOWN whether this is all: no source of records is loaded far enough "
        f"(`workbench load --table affected_record FILE --complete-until INSTANT`{none}).",
        err=True,
    )


command.add_command(say_nothing_written)
command.add_command(withdraw)


@command.command("mark-verified")
@click.argument("records", metavar="RECORD...", nargs=-1, required=True)
@click.option("--reason", "-r", default="", help="How you verified it and what you found.")
@click.option("--run", "run_id", default="", help="Only what this run wrote.")
@click.option("--source", "source_id", default="", help="Only what this source tells of.")
@click.option(
    "--based-on",
    "version",
    type=click.IntRange(min=0),
    help="Version that `affected list` printed; refused where the records changed since.",
)
@click.option("--as", "role", help="Role you act for.")
@click.option("--command-id", default=None, help="Client-made id; the same id never acts twice.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def mark_verified(
    records: tuple[str, ...],
    reason: str,
    run_id: str,
    source_id: str,
    version: int | None,
    role: str | None,
    command_id: str | None,
    yes: bool,
) -> None:
    """Record that you verified each RECORD (`type/id`, as `affected list` prints it) as it is loaded now.

    What an automation writes to it later, or what a later load tells otherwise of it, is unverified again.
    """
    settings = Settings.from_environment()
    control: Control = open_control(settings, role=role)
    from workbench.control.verifying import verify_records
    from workbench.warehouse.changes import check_unmoved, look_up

    look = partial(look_up, settings.home, records, run_id=run_id, source_id=source_id)
    looked = look()
    if version is not None:
        check_unmoved(looked, look, version=version)
    click.echo(store_line(control.head_note(), settings))
    _show_looked(looked, control.state())
    if reason.strip() and not yes:
        ask("Record that you looked at each of these changes and verified it?")
    done = verify_records(
        control,
        looked.changes,
        reason=reason,
        manifest_version=looked.version,
        command_id=command_id,
    )
    _show_done(done)
    closing_line(control)


def _show_done(done: Verified) -> None:
    for name in done.record_names:
        click.echo(one_line(f"Recorded that you verified {name}."))
    known = f"; {done.known_count} had been verified before" if done.known_count else ""
    click.echo(f"{counted(done.change_count, 'change')} verified{known}.")
    if done.wanting_count:
        click.echo(
            f"{done.wanting_count} of them still need another person where they cannot be undone "
            "(`verifiers_required` of the policy), by the same command."
        )


def _show_looked(looked: Looked, state: State) -> None:
    """Print what the word will be about: a person signs nothing that they were not shown."""
    from workbench.store.record_events import is_verified_enough

    pairs = zip(looked.changes, looked.rows, strict=True)
    rows = [row for change, row in pairs if not is_verified_enough(state, change)]
    click.echo(
        f"{counted(len(rows), 'change')} to verify, of version {looked.version} of the warehouse."
    )
    if rows:
        click.echo(table(_LOOKED, [_looked_cells(row) for row in rows]))


_LOOKED = ["record", "changed", "change", "class", "run", "before", "after"]


def _looked_cells(row: Mapping[str, Any]) -> list[str]:
    seen = ", customers see it" if row["customer_facing"] else ""
    return [
        f"{row['record_type']}/{row['record_id']}",
        when(row["changed_at"]),
        row["change"] or "unknown",
        f"{row['reversibility']}{seen}",
        row["run_id"],
        *(_shortened(row[name] or "-", SHOWN_CHARACTERS) for name in ("before", "after")),
    ]


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."

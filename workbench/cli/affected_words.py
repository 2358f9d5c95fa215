"""What persons say of records beside that they verified them: that nothing was written, that a word is taken back."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

import click

from workbench.cli.present import (
    YES_ALL_THE_SAME,
    ask,
    closing_line,
    one_line,
    store_line,
    table,
    when,
)
from workbench.control import open_control
from workbench.errors import NotFound, Refused, WarehouseError
from workbench.settings import Settings

if TYPE_CHECKING:
    from workbench.evidence import LoadedChange
    from workbench.reports.affected import NoneLook


@click.command("none")
@click.argument("hold_id", metavar="HOLD")
@click.option("--reason", "-r", default="", help="How you know that nothing was written.")
@click.option("--only", default="", metavar="SCOPE", help="Only these automations of the hold.")
@click.option("--as", "role", help="Role you act for.")
@click.option("--command-id", default=None, help="Client-made id; the same id never acts twice.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def say_nothing_written(
    hold_id: str, reason: str, only: str, role: str | None, command_id: str | None, yes: bool
) -> None:
    """Say that what HOLD covers wrote nothing, from the onset until now, where no source of records tells.

    It is your word, shown with your name, and no proof. It lapses with the first record that is loaded of that
    time, and with the next run.
    """
    settings = Settings.from_environment()
    control = open_control(settings, role=role)
    # Only now, for they take a second: without a store the refusal comes at once.
    from workbench.control.saying_none import NoneWord, say_none
    from workbench.reports.affected import look_for_none
    from workbench.store.none_events import lacking_persons

    look = look_for_none(control, settings, hold_id=hold_id, only=only)
    _refuse_contradicted(look)
    asked = look.request
    click.echo(store_line(control.head_note(), settings))
    _show(look)
    if reason.strip() and not yes:
        ask("Record that you say that none of these wrote anything in that time?")
    word = NoneWord(hold_id, asked.onset_at, asked.as_of, look.loaded, look.version)
    done = say_none(control, word, reason=reason, command_id=command_id)
    click.echo(one_line(f"Recorded that you say that nothing was written by {', '.join(done)}."))
    if lacking := lacking_persons(control.state(), hold_id):
        more = "another person" if lacking == 1 else f"{lacking} other persons"
        click.echo(
            f"It does not count before {more} said so too, by the same command (`verifiers_required` of the policy)."
        )
    click.echo(f"It is no proof. Next: workbench review {hold_id}")
    closing_line(control)


@click.command("withdraw")
@YES_ALL_THE_SAME
@click.argument("subject", metavar="RECORD-OR-HOLD")
@click.option("--reason", "-r", default="", help="Why the word does not stand.")
@click.option("--as", "role", help="Role you act for.")
@click.option("--command-id", default=None, help="Client-made id; the same id never acts twice.")
def withdraw(subject: str, reason: str, role: str | None, command_id: str | None) -> None:
    """Take back every verification of RECORD (`type/id`), or what `affected none` said under HOLD.

    What it unblocked blocks again, and no decision from before resumes it. Anybody may, with a key or without one,
    for it opens nothing.
    """
    settings = Settings.from_environment()
    control = open_control(settings, role=role)
    from workbench.control.withdrawing import withdraw_none, withdraw_records

    click.echo(store_line(control.head_note(), settings))
    if re.fullmatch(r"H-\d+", subject):
        ids = withdraw_none(control, subject, reason=reason, command_id=command_id)
        said = f"Taken back that nothing was written by {', '.join(ids)} under {subject}."
    else:
        told = _verified_at_source(settings, subject)
        count = withdraw_records(
            control, subject, reason=reason, told_by_source=told, command_id=command_id
        )
        said = f"Taken back that {subject} was verified: {count:,} of its changes are open again."
    click.echo(one_line(said))
    click.echo(
        "Reports, decisions and sign-offs from before carry no resume: `workbench review HOLD`, then decide again. "
        "What was resumed already stays resumed."
    )
    closing_line(control)


def _verified_at_source(settings: Settings, record: str) -> list[LoadedChange]:
    """Return the loaded changes of a record that its source calls verified; none where the warehouse has none."""
    from workbench.warehouse.changes import look_up

    with contextlib.suppress(NotFound, Refused, WarehouseError):
        looked = look_up(settings.home, [record])
        pairs = zip(looked.changes, looked.rows, strict=True)
        return [change for change, row in pairs if row["verified_at"] is not None]
    return []


def _refuse_contradicted(look: NoneLook) -> None:
    """Refuse a word that what is loaded speaks against, and one that is not needed."""
    hold_id = look.request.hold_id
    if look.faults:
        name, why = next(iter(look.faults.items()))
        more = f" (and {len(look.faults) - 1} more)" if len(look.faults) > 1 else ""
        raise Refused(
            f"Nobody can say that {name} wrote nothing: {'; '.join(why)}{more}.",
            next_step=f"`workbench affected list {hold_id}`, or name the others: `--only automation=ID`",
        )
    if not look.is_needed:
        raise Refused(
            "The sources of records are loaded far enough and show no change, which is better than a word.",
            next_step=f"`workbench review {hold_id}`",
        )


def _show(look: NoneLook) -> None:
    """Print what the word will be about: a person signs nothing that they were not shown."""
    asked = look.request
    click.echo(
        f"{asked.hold_id}  {asked.only or asked.scope}  from the onset at {when(asked.onset_at)} until "
        f"{when(asked.as_of)}; no change is loaded (version {look.version} of the warehouse)."
    )
    rows = [(one.automation_id, f"{one.run_count:,}") for one in look.loaded]
    click.echo(table(["automation", "runs at work in that time"], rows))
    if look.unheard:
        click.echo(
            one_line(
                f"It does not count until runs are loaded, for one may have come after: {look.unheard}."
            )
        )

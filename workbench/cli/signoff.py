"""`workbench signoff`: ask for another person's approval of a resume, give it, list them."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli.present import (
    YES_ALL_THE_SAME,
    as_json,
    ask,
    closing_line,
    head_line,
    one_line,
    store_line,
    table,
    when,
)
from workbench.cli.resume import CATCH_UP, request_from
from workbench.control import Control, open_control
from workbench.control.approving import give_signoff, request_signoff
from workbench.control.pending import decision_in_words, plan_in_words, report_said
from workbench.control.signoff import signoff_state
from workbench.errors import NotFound
from workbench.records import SignOff
from workbench.settings import Settings


@click.group()
def command() -> None:
    """Two-person approval of a resume: request, give, list."""


@command.command("request")
@click.argument("hold_id")
@click.option("--only", default=None, help="Scope of a narrow restart.")
@click.option("--runs", type=int, default=None, help="Number of runs that it lets through.")
@click.option("--until", default=None, help="Instant at which the narrow restart ends.")
@click.option("--reads-only", is_flag=True, help="Let reads through alone.")
@click.option("--host", "hosts", multiple=True, help="Host whose gates let the runs through.")
@click.option("--full", is_flag=True, help="Release the hold.")
@click.option("--catch-up", type=CATCH_UP, default=None, help="Starts that fell into the pause.")
@click.option("--rate-per-minute", type=int, default=None, help="Runs let go in a minute.")
@click.option("--decision", "decision_id", default="", help="Decision that allows it.")
@YES_ALL_THE_SAME
def request(hold_id: str, **options: object) -> None:
    """Ask for a sign-off of the resume of HOLD_ID, written as the resume itself is."""
    settings = Settings.from_environment()
    control = open_control(settings)
    click.echo(store_line(control.head_note(), settings))
    wanted = request_from(control, hold_id, options={"break_glass": "", **options})
    made = request_signoff(control, wanted)
    click.echo(
        f"{made.signoff_id} asks: {plan_in_words(made)}. It can be used until {when(made.expires_at)}."
    )
    click.echo(f"Next, by another person: `workbench signoff give {made.signoff_id}`")
    decision = control.state().decisions[made.decision_id]
    page = _page_of(control, settings, decision.report_id)
    if page is not None:
        click.echo(
            f"Send them {decision.report_id}, for your WORKBENCH_HOME is yours alone: {one_line(str(page))}, "
            "one file that opens offline."
        )
    closing_line(control)


def _page_of(control: Control, settings: Settings, report_id: str) -> Path | None:
    """Return the page of a report where it lies in this person's own folder."""
    from workbench.reports.shelf import Shelf

    shelf = Shelf(settings.home, control.state().store_id)
    return next(iter(sorted(shelf.place_of(report_id).glob("*.html"))), None)


def _show_ground(control: Control, settings: Settings, signoff: SignOff) -> None:
    """Print what a sign-off rests on, and how who signs comes to read it: a report is private to who made it."""
    state = control.state()
    decision = state.decisions[signoff.decision_id]
    report = state.reports.get(decision.report_id)
    said = report_said(decision) if report else decision.report_id
    click.echo(one_line(f"It rests on {decision_in_words(decision)}"))
    page = _page_of(control, settings, decision.report_id)
    if page is not None:
        click.echo(f"{said}: {one_line(str(page))}")
        return
    who = one_line(report.recorded_by) if report else "somebody else"
    click.echo(
        f"{said}; it lies in the WORKBENCH_HOME of {who}, which you cannot read. Ask for "
        "its HTML file and compare the head that it names (`workbench audit verify --head NOTE`), or load the "
        f"same into your own and look yourself: `workbench review {signoff.hold_id}`."
    )


@command.command("give")
@click.argument("signoff_id")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def give(signoff_id: str, yes: bool) -> None:
    """Sign off SIGNOFF_ID, which another person asked for."""
    settings = Settings.from_environment()
    control = open_control(settings)
    click.echo(store_line(control.head_note(), settings))
    found = control.state().signoffs.get(signoff_id)
    if found is None:
        raise NotFound(
            f"There is no sign-off {signoff_id}.", next_step="see `workbench signoff list`"
        )
    click.echo(f"{one_line(found.requested_by)} asks: {plan_in_words(found)}.")
    _show_ground(control, settings, found)
    if not yes:
        ask("Sign off exactly this?")
    given = give_signoff(control, signoff_id)
    click.echo(f"{signoff_id} is signed off by {len(given.signer_keys)} key(s). Next: the resume.")
    closing_line(control)


@command.command("list")
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def list_signoffs(is_json: bool) -> None:
    """List the sign-offs, and why one does not count."""
    settings = Settings.from_environment()
    control = open_control(settings)
    state, now = control.state(), control.clock.now()
    found = [(s, signoff_state(state, s, now=now)) for s in state.signoffs.values()]
    if is_json:
        click.echo(as_json([{**vars(s), "why_not": why or None} for s, why in found]))
        return
    click.echo(store_line(control.head_note(), settings))
    rows = [(s.signoff_id, plan_in_words(s), s.requested_by, why or "ready") for s, why in found]
    headers = ["sign-off", "what it opens", "asked by", "state"]
    click.echo(table(headers, rows) if rows else "No sign-off was asked for.")
    head_line(control.head_note())

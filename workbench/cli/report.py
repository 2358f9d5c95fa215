"""`workbench report`: make reports for schedulers, and list those that were made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.present import as_json, head_line, one_line, store_line, table, when
from workbench.control import open_control
from workbench.errors import NotFound, ReportIncomplete
from workbench.records import ReportRef
from workbench.settings import Settings

if TYPE_CHECKING:
    from workbench.reports.make import MadeReport
    from workbench.reports.shelf import Shelf


@click.group()
def command() -> None:
    """Make reports for schedulers, and list those that were made."""


@command.command("run")
@click.argument("name", type=click.Choice(["restart-decision", "post-incident-review"]))
@click.option("--scope", required=True, help="What the report is about, e.g. kind=agent.")
@click.option("--since", required=True, help="Where the time before the trouble begins, ISO 8601.")
@click.option("--as-of", default=None, help="Nothing at or after it is looked at; default: now.")
@click.option("--onset", default="", help="When the trouble began; default: found in the data.")
@click.option(
    "--cell-seconds", type=click.IntRange(1), default=120, help="Longest time of one cell."
)
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def run(
    name: str,
    scope: str,
    since: str,
    as_of: str | None,
    onset: str,
    cell_seconds: int,
    is_json: bool,
) -> None:
    """Make the report NAME about the newest hold on a scope; exit 12 when it is INCOMPLETE."""
    settings = Settings.from_environment()
    control = open_control(settings)
    # Only now, for they take seconds: without a store the refusal comes at once.
    from workbench.reports.derive import ReviewWish, hold_for_scope, parameters_for_hold
    from workbench.reports.make import make_report
    from workbench.reports.runner import RunLimits

    if not is_json:
        click.echo(store_line(control.head_note(), settings))
    state = control.state()
    hold = hold_for_scope(state, scope, since=since, is_over_too=name == "post-incident-review")
    wish = ReviewWish(hold.hold_id, only=scope, since=since, onset=onset)
    given = parameters_for_hold(state, wish, as_of=control.clock.now())
    given["as_of"] = as_of or given["as_of"]
    made = make_report(control, settings, name=name, given=given, limits=RunLimits(cell_seconds))
    is_over = control.state().holds[hold.hold_id].released_seq is not None
    show_made(made, is_json=is_json, is_over=is_over)
    if not is_json:
        head_line(control.head_note())


@command.command("monthly")
@click.option(
    "--month",
    default="",
    help="Calendar month in UTC, e.g. 2026-11; default: the last one that is over.",
)
@click.option(
    "--cell-seconds", type=click.IntRange(1), default=300, help="Longest time of one cell."
)
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def monthly(month: str, cell_seconds: int, is_json: bool) -> None:
    """Make the monthly review, as a scheduler does overnight; exit 12 when it is INCOMPLETE."""
    settings = Settings.from_environment()
    control = open_control(settings)
    # Only now, for they take seconds: without a store the refusal comes at once.
    from workbench.reports.monthly import last_month
    from workbench.reports.monthly_making import make_month
    from workbench.reports.runner import RunLimits

    asked = month or last_month(control.clock.now())
    if not is_json:
        click.echo(store_line(control.head_note(), settings))
        click.echo(f"Looking back over {asked} ...", err=True)
    made = make_month(control, settings, month=asked, limits=RunLimits(cell_seconds))
    if is_json:
        click.echo(as_json({"page": str(made.page), "incomplete_because": made.incomplete_because,
                            "review": dict(made.document)}))  # fmt: skip
    else:
        for line in _lines_of_month(made.document):
            click.echo(line)
        click.echo(str(made.page))
    if made.incomplete_because:
        raise ReportIncomplete(
            f"The monthly review of {asked} is INCOMPLETE: {made.incomplete_because}",
            next_step=f"open {made.page} to see how far it came",
        )
    if not is_json:
        head_line(control.head_note())


def _lines_of_month(document: Mapping[str, Any]) -> list[str]:
    """Return the sentence and the measures of each category as lines; nothing of an incomplete one."""
    if not document:
        return []
    found = [one_line(str(document["sentence"]))]
    for category, measures in document["categories"].items():
        found.append(click.style(one_line(category), bold=True))
        rows = [(m["measure"], m["figure"], m["interval_95"], m["remark"]) for m in measures]
        found.append(
            table(
                ("measure", "figure", "95 % interval", "remark"),
                [[one_line(c) for c in r] for r in rows],
            )
        )
    return [*found, one_line(str(document["action_items"]))]


def show_made(made: MadeReport, *, is_json: bool, is_over: bool = False) -> None:
    """Print what a report concluded and where it lies; raises ReportIncomplete for an incomplete one."""
    if is_json:
        click.echo(
            as_json(
                {
                    "report_id": made.report_id,
                    "report": made.name,
                    "is_complete": made.is_complete,
                    "incomplete_because": made.incomplete_because,
                    "folder": str(made.folder),
                    "html": str(made.html),
                    "verdict": dict(made.document),
                }
            )
        )
    else:
        for line in lines_of(made, is_over=is_over):
            click.echo(line)
    if made.incomplete_because:
        raise ReportIncomplete(
            f"{made.report_id} is INCOMPLETE: {made.incomplete_because}",
            next_step=f"open {made.html} to see how far it came",
        )


def lines_of(made: MadeReport, *, is_over: bool = False) -> list[str]:
    """Return the lines that sum a complete report up: verdict, contrast, first blocker, next command, file.

    Where the hold is over nothing is left to decide, and nobody is sent to a command that is refused.
    """
    document = made.document
    if not document:
        return [str(made.html)]
    words = str(document.get("verdict", "")).replace("_", " ").upper()
    found = [
        f"{made.report_id}  {click.style(words, bold=True)}  {one_line(str(document.get('reason', '')))}"
    ]
    says = document.get("headline", {})
    if says.get("sentence"):
        found.append(f"  {one_line(says['sentence'])}")
    if says.get("restart_says"):
        found.append(f"  narrow restart: {one_line(says['restart_says'])}")
    blocker = str(document.get("first_blocker", ""))
    if blocker and blocker not in str(document.get("reason", "")):
        found.append(f"  first blocker: {one_line(blocker)}")
    if is_over and made.name == "restart-decision":
        return [*found, "  the hold is released: there is nothing left to decide", str(made.html)]
    return [*found, *_next_lines(made), str(made.html)]


def _next_lines(made: MadeReport) -> list[str]:
    """Return what to type next; a report opens nothing, and without a decision a resume would be refused."""
    command = one_line(str(made.document.get("next_command") or ""))
    decide = f"workbench decide {made.report_id}"
    if command.startswith("workbench resume"):
        return [f"  next, a person's decision: {decide}", f"  and on that decision: {command}"]
    found = [f"  next: {command}"] if command else []
    return found + [f"  when a person has decided: {decide}"] * (made.name == "restart-decision")


@command.command("list")
@click.option("--hold", "hold_id", default="", help="Only reports about this hold.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def list_reports(hold_id: str, is_json: bool) -> None:
    """List the reports that the store knows, newest first."""
    from workbench.reports.shelf import Shelf

    settings = Settings.from_environment()
    control = open_control(settings)
    state = control.state()
    if hold_id and hold_id not in state.holds:
        raise NotFound(f"There is no hold {hold_id}.", next_step="try `workbench hold list --all`")
    shelf = Shelf(settings.home, state.store_id)
    known = reversed(state.reports.values())
    rows = [_row(ref, shelf) for ref in known if not hold_id or ref.hold_id == hold_id]
    if is_json:
        click.echo(as_json(rows))
        return
    click.echo(store_line(control.head_note(), settings))
    heads = ("report", "kind", "hold", "verdict", "as of", "recorded by", "file")
    click.echo(
        table(
            heads,
            [
                (r["report_id"], r["report"], r["hold_id"] or "-", r["verdict"], when(r["as_of"]),
                 r["recorded_by"], r["html"] or "not on this machine")
                for r in rows
            ],
        )
    )  # fmt: skip
    head_line(control.head_note())


def _row(ref: ReportRef, shelf: Shelf) -> dict[str, Any]:
    page = next(iter(sorted(shelf.place_of(ref.report_id).glob("*.html"))), None)
    return {
        "report_id": ref.report_id,
        "report": ref.name,
        "hold_id": ref.hold_id,
        "verdict": ref.verdict.value if ref.is_complete else "INCOMPLETE",
        "as_of": ref.as_of,
        "recorded_at": ref.recorded_at,
        "recorded_by": ref.recorded_by,
        "html": str(page) if page else "",
    }

"""`workbench back-test`: restart rules over past incidents and holds: relapses avoided against hours lost."""

from __future__ import annotations

import click

from workbench.cli.present import as_json, one_line
from workbench.settings import Settings


@click.command()
@click.option(
    "--recording", default="", help="Replay the holds of a shipped recording, e.g. agents-relapse."
)
@click.option("--since", default="", help="Leave out incidents before it, ISO 8601.")
@click.option("--as-of", default="", help="Nothing at or after it is looked at; default: now.")
@click.option(
    "--runs-per-hour",
    type=click.IntRange(1),
    default=10,
    help="Runs of an automation an hour: how long 59 clean runs take; default: 10.",
)
@click.option(
    "--holds",
    "hold_count",
    type=click.IntRange(0, 100),
    default=10,
    help="The newest holds that are replayed; default: 10.",
)
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def command(
    recording: str, since: str, as_of: str, runs_per_hour: int, hold_count: int, is_json: bool
) -> None:
    """Compare `resume when the alert stops` with waiting and with the gate, over the past.

    Reads the incident histories that were loaded (status pages, own incidents, own alerts) and the holds that were
    placed, and makes a page. Decides nothing, records nothing.
    """
    settings = Settings.from_environment()
    # Only now, for it takes seconds.
    from workbench.reports.back_test import make_back_test

    given = {
        "recording": recording,
        "since": since,
        "as_of": as_of,
        "runs_per_hour": runs_per_hour,
        "hold_count": hold_count,
    }
    if not is_json:
        click.echo("Testing back; a hold that is replayed takes up to a minute ...", err=True)
    made = make_back_test(settings, given)
    if is_json:
        click.echo(as_json({**made.document, "html": str(made.html)}))
        return
    for part in [*made.document["histories"], made.document["replay"]]:
        click.echo(click.style(one_line(part["title"]), bold=True))
        for line in part["says"].splitlines():
            click.echo(f"  {one_line(line)}")
    click.echo(str(made.html))

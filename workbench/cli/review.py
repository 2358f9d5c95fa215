"""`workbench review`: evidence about a hold, the verdict, the first blocker, the next command."""

from __future__ import annotations

import click

from workbench.cli.present import head_line, say_unrecorded, short_reason, store_line, when
from workbench.cli.report import show_made
from workbench.control import open_control
from workbench.settings import Settings


@click.command()
@click.argument("hold_id")
@click.option(
    "--only", default=None, help="A narrower scope inside the hold, e.g. automation=invoice-triage."
)
@click.option(
    "--since", default=None, help="Where the data window begins; default: derived from the hold."
)
@click.option(
    "--onset", default=None, help="When the trouble began; default: derived from the data."
)
@click.option("--post-incident", is_flag=True, help="Make the post-incident review instead.")
@click.option(
    "--cell-seconds", type=click.IntRange(1), default=120, help="Longest time of one cell."
)
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def command(
    hold_id: str,
    only: str | None,
    since: str | None,
    onset: str | None,
    post_incident: bool,
    cell_seconds: int,
    is_json: bool,
) -> None:
    """Review HOLD_ID, e.g. `workbench review H-7`; records the report, decides nothing."""
    settings = Settings.from_environment()
    control = open_control(settings)
    # Only now, for they take seconds: without a store the refusal comes at once.
    from workbench.reports.derive import ReviewWish, parameters_for_hold
    from workbench.reports.make import make_report
    from workbench.reports.runner import RunLimits

    wish = ReviewWish(hold_id, only=only or "", since=since or "", onset=onset or "")
    name = "post-incident-review" if post_incident else "restart-decision"
    say_unrecorded(control.look())
    state = control.state()
    given = parameters_for_hold(state, wish, as_of=control.clock.now())
    hold = state.holds[hold_id]
    if not is_json:
        click.echo(store_line(control.head_note(), settings))
        click.echo(
            f"{hold.hold_id}  {hold.mode}  {hold.scope}  placed {when(hold.placed_at)} by {hold.placed_by}: "
            f"{short_reason(hold.reason)}"
        )
        click.echo(f"Reviewing {given['only'] or hold.scope} as of {given['as_of']} ...", err=True)
    made = make_report(control, settings, name=name, given=given, limits=RunLimits(cell_seconds))
    is_over = control.state().holds[hold_id].released_seq is not None
    show_made(made, is_json=is_json, is_over=is_over)
    if not is_json:
        head_line(control.head_note())

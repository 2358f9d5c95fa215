"""`workbench reviewed`: say that you looked at a break-glass resume, or at a run before a first run."""

from __future__ import annotations

import re

import click

from workbench.cli.present import YES_ALL_THE_SAME, closing_line, one_line, store_line
from workbench.control import Control, open_control
from workbench.control.reviewing import review_break_glass, review_run
from workbench.settings import Settings


@click.command()
@click.argument("target")
@click.option("--reason", "-r", default="", help="What you found; always needed.")
@click.option("--source", "source_id", default="", help="Source of the run, where several know it.")
@click.option("--as", "role", help="Role you act for.")
@YES_ALL_THE_SAME
def command(target: str, reason: str, source_id: str, role: str | None) -> None:
    """Record your review of TARGET: a break-glass resume (P-1, or H-1 for a release), or the id of a loaded run."""
    settings = Settings.from_environment()
    control = open_control(settings, role=role)
    click.echo(store_line(control.head_note(), settings))
    if re.fullmatch(r"[HP]-\d+", target) and not source_id:
        left = review_break_glass(control, target, reason=reason)
        still = f"{left} more must" if left else "its flag is gone"
        click.echo(f"Recorded your review of {target}; {still}.")
    else:
        _review_run(control, settings, target, source_id=source_id, reason=reason)
    closing_line(control)


def _review_run(
    control: Control, settings: Settings, run_id: str, *, source_id: str, reason: str
) -> None:
    # Only now, for it takes a second: a break-glass review needs no warehouse.
    from workbench.warehouse.serving import find_run

    run = find_run(settings.home, run_id, source_id=source_id)
    lacking = review_run(control, run, reason=reason)
    click.echo(
        one_line(f"Recorded your review of {run.run_id}, {run.run_mode} of {run.automation_id}.")
    )
    if lacking:
        click.echo(f"{run.automation_id} still lacks {'; '.join(lacking)}.")
        return
    click.echo(f"{run.automation_id} is ready for its first run.")
    for view in control.holds():
        if view.hold.is_first_run and run.automation_id in view.automations:
            click.echo(f"Next, by a person: `workbench hold release {view.hold.hold_id}`")

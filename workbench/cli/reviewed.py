"""`workbench reviewed`: say that you looked at a break-glass resume; two people end its flag."""

from __future__ import annotations

import click

from workbench.cli.present import closing_line, store_line
from workbench.control import open_control
from workbench.control.reviewing import review_break_glass
from workbench.settings import Settings


@click.command()
@click.argument("target")
@click.option("--reason", "-r", default="", help="What you found; always needed.")
def command(target: str, reason: str) -> None:
    """Record your review of TARGET, a break-glass resume: P-1, or H-1 for a release."""
    settings = Settings.from_environment()
    control = open_control(settings)
    click.echo(store_line(control.head_note(), settings))
    left = review_break_glass(control, target, reason=reason)
    still = f"{left} more must" if left else "its flag is gone"
    click.echo(f"Recorded your review of {target}; {still}.")
    closing_line(control)

"""`workbench registry`: apply or check the file of automations and owners."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli.present import (
    ask,
    closing_line,
    head_line,
    not_delivered,
    one_line,
    store_line,
    table,
    undelivered,
)
from workbench.control import open_control
from workbench.registry import read_registry
from workbench.settings import Settings


@click.group()
def command() -> None:
    """Apply the file of automations and owners."""


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Check a registry file without a store."""
    found = read_registry(file)
    click.echo(
        f"{one_line(str(file))}: {len(found.automations)} automations, {len(found.categories)} categories, "
        f"{len(found.owners)} owners; valid."
    )


@command.command("apply")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--as", "role", help="Role you act for.")
def apply(file: Path, yes: bool, role: str | None) -> None:
    """Show what differs from the log, then record it."""
    settings = Settings.from_environment()
    registry = read_registry(file)
    control = open_control(settings, role=role)
    found = control.registry_differences(registry)
    click.echo(store_line(control.head_note(), settings))
    if not found:
        click.echo("Nothing differs; nothing was recorded.")
        head_line(control.head_note())
        return
    click.echo(
        table(["action", "target", "details"], [(d.action, d.target, d.details) for d in found])
    )
    if not yes:
        ask(f"Record these {len(found)} changes?")
    count = control.apply_registry(registry)
    click.echo(f"Recorded {count} changes. What was paused stays paused.")
    if fault := undelivered(control):
        click.echo(not_delivered(fault))
    closing_line(control)

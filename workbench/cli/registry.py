"""`workbench registry`: apply or check the file of automations and owners."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.cli.present import (
    ask,
    closing_line,
    counted,
    head_line,
    not_delivered,
    one_line,
    store_line,
    table,
    undelivered,
)
from workbench.control import open_control
from workbench.control.first_run import Guard, guards_of
from workbench.registry import Registry, notes_on, read_registry
from workbench.settings import Settings


def _show_guards(guards: list[Guard], already_running: str) -> None:
    """Print what would be held because it is new in production and not ready, before anybody is asked."""
    if not guards:
        return
    for guard in guards:
        done = "taken over without a hold" if already_running else "held"
        click.echo(one_line(f"{guard.automation_id} is new in production, {done}: {guard.reason}"))
    if not already_running:
        click.echo('What runs there already: add `--already-running "REASON"`, which is flagged.')


def _show_strangers(registry: Registry, environment: str) -> None:
    """Say which automations name another environment than the store: its policy counts for none but its own."""
    others = sorted(
        a.automation_id for a in registry.automations.values() if a.environment != environment
    )
    if others:
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        click.echo(
            one_line(
                f"note: {', '.join(others[:5])}{more} name another environment than this store, {environment}: "
                f"only the policy of {environment} counts here. Is it the right store, and rightly spelt?"
            )
        )


def _show_notes(registry: Registry) -> None:
    """Print what the file may say and seldom means; it stops nothing."""
    for note in notes_on(registry):
        click.echo(one_line(f"note: {note}."))


@click.group()
def command() -> None:
    """Apply the file of automations and owners."""


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
def check(file: Path) -> None:
    """Check a registry file without a store."""
    found = read_registry(file)
    _show_notes(found)
    click.echo(
        f"{one_line(str(file))}: {len(found.automations)} automations, {len(found.categories)} categories, "
        f"{len(found.owners)} owners; valid."
    )


@command.command("apply")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--already-running",
    default="",
    metavar="REASON",
    help="What is new in production runs there already: take it over without first-run holds, flagged.",
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--as", "role", help="Role you act for.")
def apply(file: Path, already_running: str, yes: bool, role: str | None) -> None:
    """Show what differs from the log and which first-run holds it places, then record it."""
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
    _show_notes(registry)
    guards = guards_of(control, registry)
    _show_guards(guards, already_running)
    _show_strangers(registry, control.head_note().environment)
    if not yes:
        held = f" and hold {len(guards)}" if guards and not already_running else ""
        these = "this change" if len(found) == 1 else f"these {len(found)} changes"
        ask(f"Record {these}{held}?")
    control.apply_registry(registry, already_running=already_running)
    click.echo(f"Recorded {counted(len(found), 'change')}. What was paused stays paused.")
    if fault := undelivered(control):
        click.echo(not_delivered(fault))
    closing_line(control)

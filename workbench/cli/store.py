"""`workbench store`: make the one shared store, bring it up to date, move it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from workbench.cli.present import head_line, not_delivered, one_line, store_line
from workbench.control.actor import actor_text
from workbench.errors import UsageFault
from workbench.scope import SLUG
from workbench.settings import Settings, store_url
from workbench.store import init_store, open_store, restore_store
from workbench.store.copies import read_lines
from workbench.store.migrations import SCHEMA_VERSION
from workbench.store.moving import move_store
from workbench.store.store import backend_of

COPIES = "copies"
"""Folder in `WORKBENCH_HOME` for the log of a database as it was before a migration."""


@click.group()
def command() -> None:
    """Make the one shared store, bring it up to date, move it, or make it again from a copy."""


@command.command("init")
@click.option(
    "--environment",
    "-e",
    required=True,
    help="Environment the store is for, e.g. production or staging.",
)
def init(environment: str) -> None:
    """Make the store where WORKBENCH_STORE points; refused where one is already."""
    if not SLUG.fullmatch(environment):
        raise UsageFault(
            f"{environment!r} is not a valid environment; write it like production or staging."
        )
    settings = Settings.from_environment()
    store = init_store(
        settings, settings.clock(), environment=environment, actor=actor_text(None, {})
    )
    head = store.head_note()
    click.echo(f"Made {store_line(head, settings)}")
    click.echo(
        "Next: `workbench registry apply FILE` to say which automations there are and who owns them."
    )
    head_line(head)


@command.command("restore")
@click.argument("copy", type=click.Path(path_type=Path, dir_okay=False))
def restore(copy: Path) -> None:
    """Make the store again where WORKBENCH_STORE points, from COPY: a log that was kept or exported.

    Refused where a store is. The chain is recomputed over every line, and gates that know a newer state of
    this store stay with that: an older copy opens nothing.
    """
    settings = Settings.from_environment()
    store = restore_store(settings, settings.clock(), lines=read_lines(copy))
    head = store.head_note()
    click.echo(f"Made again {store_line(head, settings)}")
    if fault := store.publication_fault(store.state()):
        click.echo(not_delivered(fault))
    click.echo("Next: `workbench audit verify`, and start the mirrors again.")
    head_line(head)


@command.command("migrate")
@click.option("--to", "target", help="Folder or postgresql:// address to move the store to.")
def migrate(target: str | None) -> None:
    """Bring an older store up to date where it is, or move the whole log to another place.

    The log is copied byte for byte and verified; then nothing is recorded in the old place any more.
    """
    settings = Settings.from_environment()
    if target is None:
        _upgrade(settings)
        return
    url = store_url(target)
    folder = settings.store if url else Path(target).expanduser().absolute()
    clock = settings.clock()
    store = open_store(settings, clock)
    moved = move_store(store, replace(settings, store=folder, store_url=url), clock=clock)
    how = "had been moved there before" if moved.is_repeat else "is there now, byte for byte"
    click.echo(f"{store_line(moved.head, settings)}")
    click.echo(f"The log of {moved.event_count} events {how}, and verifies.")
    click.echo(f"Next: let WORKBENCH_STORE name {one_line(moved.head.place)} for everybody.")
    head_line(moved.head)


def _upgrade(settings: Settings) -> None:
    done = backend_of(settings).upgrade(settings.home / COPIES)
    if done.found == SCHEMA_VERSION:
        click.echo(f"{one_line(settings.place)} has schema {SCHEMA_VERSION} already.")
        return
    click.echo(f"{one_line(settings.place)} went from schema {done.found} to {SCHEMA_VERSION}.")
    if done.copy:
        click.echo(f"As it was before it lies in {one_line(done.copy)}.")
    click.echo("Next: `workbench audit verify`.")

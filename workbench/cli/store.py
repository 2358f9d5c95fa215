"""`workbench store`: make the one shared store."""

from __future__ import annotations

import click

from workbench.cli.present import head_line, store_line
from workbench.control.actor import actor_text
from workbench.errors import UsageFault
from workbench.scope import SLUG
from workbench.settings import Settings
from workbench.store import init_store


@click.group()
def command() -> None:
    """Make the one shared store."""


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

"""The pause when the store cannot be used: what the terminal shows, asks, and hands to the spool."""

from __future__ import annotations

import click

from workbench.cli.present import as_json, ask, one_line, scope_words
from workbench.control.placing import PauseRequest
from workbench.control.spooling import Asker, Emergency, spooled, told_by_gates
from workbench.errors import Spooled, StorageUnavailable, WorkbenchError
from workbench.settings import Settings


def pause_without_store(
    settings: Settings,
    request: PauseRequest,
    *,
    command_id: str,
    asker: Asker,
    cause: StorageUnavailable,
) -> WorkbenchError:
    """Spool a pause whose store cannot be opened; returns what to raise."""
    folders = (settings.gate, *settings.spool_folders)
    return spooled(Emergency(request, command_id, folders, asker), cause)


def show_what_is_known(settings: Settings, scope_text: str, *, cause: StorageUnavailable) -> None:
    """Print what a pause would cover by what gates were told last, and ask; raises NoMatch for nothing."""
    told = told_by_gates(settings.gate, scope_text, cause=cause)
    click.echo(f"{one_line(cause.message)}", err=True)
    covered = ", ".join(told.automation_ids) or "nothing that is registered"
    click.echo(
        f"store {told.store_id} cannot be used; what gates of {settings.gate} were told last:"
    )
    click.echo(f"  {scope_words(str(told.scope))} covers {covered}")
    ask("Pause these by the spool?")


def spooled_document(error: Spooled) -> str:
    """Return what a spooled pause prints for programs."""
    return as_json({"spooled": True, "recorded": False, **error.diagnostics()})

"""`workbench find`: the smallest scopes for a few words."""

from __future__ import annotations

import click

from workbench.cli.present import as_json, head_line, store_line, table
from workbench.control import open_control
from workbench.errors import NotFound
from workbench.settings import Settings


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def command(words: tuple[str, ...], is_json: bool) -> None:
    """Propose the smallest scopes for WORDS, best first, e.g. `workbench find stripe refunds`."""
    text = " ".join(words)
    settings = Settings.from_environment()
    control = open_control(settings)
    found = control.find(text)
    if is_json:
        rows = [
            {"scope": str(p.scope), "automation_ids": p.automation_ids, "why": p.why} for p in found
        ]
        click.echo(as_json(rows))
    if not found:
        raise NotFound(
            f"Nothing registered matches {text!r}.", next_step="see all with `workbench status`"
        )
    if is_json:
        return
    head = control.head_note()
    click.echo(store_line(head, settings))
    rows_text = [(p.scope, p.count, ", ".join(p.automation_ids[:4]), p.why) for p in found]
    click.echo(table(["scope", "automations", "which", "why"], rows_text))
    click.echo(f"\nPause the first: workbench pause '{found[0].scope}' --reason TEXT")
    head_line(head)

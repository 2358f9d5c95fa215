"""`workbench find`: the smallest scopes for a few words."""

from __future__ import annotations

import click

from workbench.cli.present import as_json, head_line, store_line, table
from workbench.control import open_control
from workbench.errors import NotFound
from workbench.scope import unanswered
from workbench.settings import Settings

SHOWN_IDS = 4


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
    rows_text = [(p.scope, p.count, _named(p.automation_ids), p.why) for p in found]
    click.echo(table(["scope", "automations", "which", "why"], rows_text))
    unknown, left_out = unanswered(text, found)
    if unknown:
        click.echo(f"Nothing registered matches {', '.join(unknown)}: look at what is covered.")
    if left_out:
        click.echo(f"The first leaves out {', '.join(left_out)}, which others match.")
    click.echo(f"\nPause the first: workbench pause '{found[0].scope}' --reason TEXT")
    head_line(head)


def _named(automation_ids: tuple[str, ...]) -> str:
    """Name the first automations and say how many more there are, so that a long list does not look short."""
    more = len(automation_ids) - SHOWN_IDS
    return ", ".join(automation_ids[:SHOWN_IDS]) + (f" and {more} more" if more > 0 else "")

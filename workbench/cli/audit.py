"""`workbench audit`: verify and show the audit log."""

from __future__ import annotations

import click

from workbench.cli.present import as_json, head_line, printable, store_line, table, when
from workbench.errors import AuditBroken
from workbench.settings import Settings
from workbench.store import open_store
from workbench.store.audit import verify_store


@click.group()
def command() -> None:
    """Verify and show the audit log."""


@command.command("verify")
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def verify(is_json: bool) -> None:
    """Recompute the chain from the first event and compare it with the stored one. Exit code 14: broken."""
    settings = Settings.from_environment()
    result = verify_store(open_store(settings, settings.clock()))
    if is_json:
        body = {
            "is_ok": result.is_ok,
            "event_count": result.event_count,
            "broken_at": result.broken_at,
            "finding": result.finding,
            "stale_caches": list(result.stale_caches),
        }
        click.echo(as_json(body))
    if not result.is_ok:
        raise AuditBroken(f"The audit log is {printable(result.finding)}.")
    if not is_json:
        click.echo(result.finding)
        if result.head is not None:
            head_line(result.head)


@command.command("show")
@click.option("--after", "after_seq", type=int, default=0, help="Show events after this one.")
@click.option("--hold", "hold_id", default="", help="Show only events about this hold.")
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output, one event a line.")
def show(after_seq: int, hold_id: str, is_json: bool) -> None:
    """Show the events of the log in order."""
    settings = Settings.from_environment()
    store = open_store(settings, settings.clock())
    events = store.events(after_seq=after_seq)
    if hold_id:
        events = [
            e for e in events if hold_id in (e.target, e.correlation_id, e.payload.get("hold_id"))
        ]
    if is_json:
        for event in events:
            click.echo(event.body)
        return
    head = store.head_note()
    click.echo(store_line(head, settings))
    rows = [
        (e.seq, when(e.occurred_at), e.actor, e.action, e.target, e.outcome, e.reason[:80])
        for e in events
    ]
    click.echo(table(["event", "when", "actor", "action", "target", "outcome", "reason"], rows))
    head_line(head)

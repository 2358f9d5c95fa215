"""`workbench audit`: verify and show the audit log."""

from __future__ import annotations

import click

from workbench.cli.present import as_json, demo_words, head_line, one_line, store_line, table, when
from workbench.errors import AuditBroken, NotFound
from workbench.records import Event
from workbench.settings import Settings
from workbench.store import open_store
from workbench.store.audit import AuditResult, verify_store


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
        raise AuditBroken(_why_broken(result))
    if not is_json:
        click.echo(f"{demo_words(settings)}{one_line(result.finding)}")
        if result.head is not None:
            head_line(result.head)


def _why_broken(result: AuditResult) -> str:
    if result.broken_at is not None:
        return f"The audit log is {one_line(result.finding)}."
    names = one_line(", ".join(result.stale_caches[:3]))
    return (
        f"{len(result.stale_caches)} rows kept beside the log were altered ({names}); "
        f"the log itself holds to event {result.event_count} and wins."
    )


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
        events = _about(hold_id, store.events(), after_seq)
    if is_json:
        for event in events:
            click.echo(event.body)
        return
    head = store.head_note()
    click.echo(store_line(head, settings))
    rows = [
        (e.seq, when(e.occurred_at), e.actor, e.action, e.target, e.outcome, _short(e.reason))
        for e in events
    ]
    click.echo(table(["event", "when", "actor", "action", "target", "outcome", "reason"], rows))
    head_line(head)


def _about(hold_id: str, events: list[Event], after_seq: int) -> list[Event]:
    """Return the events about a hold, the ends of its narrow restarts included; raises NotFound."""
    ids = {hold_id} | {e.target for e in events if e.payload.get("hold_id") == hold_id}
    found = [e for e in events if e.target in ids or e.correlation_id == hold_id]
    if not found:
        raise NotFound(
            f"The log has no event about {hold_id}.", next_step="try `workbench hold list --all`"
        )
    return [e for e in found if e.seq > after_seq]


def _short(reason: str) -> str:
    return reason if len(reason) <= 80 else f"{reason[:77]}..."

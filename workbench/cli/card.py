"""`workbench card`: the page an operator opens about a scope."""

from __future__ import annotations

import click

from workbench.cli.present import (
    as_json,
    head_line,
    one_line,
    say_unrecorded,
    store_document,
    store_line,
    when,
)
from workbench.control import open_control
from workbench.control.views import Card, CardEntry
from workbench.records import CHECKLIST, Automation
from workbench.settings import Settings


@click.command()
@click.argument("scope")
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def command(scope: str, is_json: bool) -> None:
    """Print who can stop SCOPE and how, what then stops, what needs clean-up, and who restarts it."""
    settings = Settings.from_environment()
    control = open_control(settings)
    say_unrecorded(control.look())
    card = control.card(scope)
    if is_json:
        click.echo(as_json(_document(card)))
        return
    click.echo(store_line(card.head, settings))
    click.echo(f"\nTo stop it:    workbench pause '{card.scope}' --reason TEXT")
    for line in _restart_lines(card):
        click.echo(line)
    for note in card.preview.notes:
        click.echo(f"  {one_line(note)}")
    if not card.entries:
        click.echo("No automation is registered here.")
    for entry in card.entries:
        click.echo("\n" + _text(entry, is_stopped=entry.automation not in card.preview.not_stopped))
    head_line(card.head)


def _restart_lines(card: Card) -> list[str]:
    """Return how to restart the scope, with the hold's own id where exactly one stands on it."""
    holds = list(dict.fromkeys(hold_id for entry in card.entries for hold_id in entry.hold_ids))
    guards = {e.guard_id: e.way_out for e in card.entries if e.guard_id}
    first = [line for hold_id in guards for line in _first_run_lines(hold_id, guards[hold_id])]
    others = [hold_id for hold_id in holds if hold_id not in guards]
    if first and not others:
        return first
    hold = others[0] if len(others) == 1 else "H-N"
    # A narrow restart counts runs at the gate, so that it needs somebody who asks there.
    how = f"--only '{card.scope}' --runs N" if card.preview.asking else "--full"
    lines = [
        f"To restart it: workbench review {hold}, then workbench decide R-N, then",
        f"               workbench resume {hold} {how}",
    ]
    if len(others) > 1:
        lines.append(f"               for each hold that stands on it: {', '.join(others)}")
    return [*lines, *first]


def _first_run_lines(hold_id: str, way_out: str) -> list[str]:
    """Return what a first-run hold still asks, a step a line, then its release."""
    steps = [f"{step}," for step in way_out.replace("`", "").split("; ") if step]
    lead, rest = "To let it run first: ", [*steps, f"workbench hold release {hold_id}"]
    return [f"{lead if not n else ' ' * 15}{one_line(step)}" for n, step in enumerate(rest)]


def _what_stops(automation: Automation, *, is_stopped: bool) -> str:
    if automation.asks_gate:
        return "asks the gate: a hold stops it"
    if is_stopped:
        return f"its engine, {automation.engine}: a hold is delivered there and read back"
    return "does NOT ask the gate: a hold does not stop it today"


def _text(entry: CardEntry, *, is_stopped: bool) -> str:
    a = entry.automation
    asks = _what_stops(a, is_stopped=is_stopped)
    flying = f"{entry.in_flight_count}; last asked the gate {when(entry.last_asked_at)}"
    if not a.asks_gate:
        flying = "not known here, for it asks no gate"
    deputy = f"deputy {entry.deputy}" if entry.deputy else ""
    who = ", ".join(part for part in (a.owner, deputy, entry.contact) if part)
    by = f", by {', '.join(entry.hold_ids)}" if entry.hold_ids else ""
    by += f", {entry.at_work}" if entry.at_work else ""
    every = a.expected_interval_seconds
    lines = [
        f"{a.automation_id}  ({a.kind}, {a.category}, {a.environment}): {entry.state}{by}",
        f"  who can stop it      {who}",
        f"  who restarts it      {a.restart_owner or 'UNCLEAR: no restart owner'}",
        f"  what stops it        {asks}",
        f"  in flight now        {flying}",
        f"  starts               {f'every {every:,} s' if every else 'at no known interval'}",
        f"  last drill           {entry.last_drill or 'none on record'}",
        f"  first run            {entry.first_run or 'no hold of it stands'}",
        f"  clean-up             {'; '.join(a.cleanup) or 'none recorded'}",
    ]
    lines += [
        f"  {name.replace('_', ' '):<20} {a.checklist.get(name) or 'not defined'}"
        for name in CHECKLIST
    ]
    return "\n".join(map(one_line, lines))


def _document(card: Card) -> dict[str, object]:
    return {
        "scope": str(card.scope),
        "store": store_document(card.head),
        "notes": list(card.preview.notes),
        "automations": [
            {
                "automation_id": e.automation.automation_id,
                "kind": e.automation.kind,
                "category": e.automation.category,
                "environment": e.automation.environment,
                "state": e.state,
                "at_work": e.at_work,
                "holds": list(e.hold_ids),
                "owner": e.automation.owner,
                "deputy": e.deputy,
                "contact": e.contact,
                "restart_owner": e.automation.restart_owner,
                "asks_gate": e.automation.asks_gate,
                "expected_interval_seconds": e.automation.expected_interval_seconds,
                "cleanup": list(e.automation.cleanup),
                "checklist": dict(e.automation.checklist),
                "last_asked_at": e.last_asked_at,
                "in_flight_count": e.in_flight_count,
                "last_drill": e.last_drill,
                "first_run": e.first_run or None,
            }
            for e in card.entries
        ],
    }

"""`workbench status`: which automations are paused, and by what."""

from __future__ import annotations

from typing import Any

import click

from workbench.cli.present import (
    as_json,
    head_line,
    host_documents,
    hosts_table,
    one_line,
    say_unrecorded,
    scope_words,
    short_reason,
    store_document,
    store_line,
    table,
    when,
)
from workbench.control import open_control
from workbench.control.spooling import waiting_words
from workbench.control.views import AutomationStatus, HoldView, ProbationView, Status
from workbench.errors import StorageUnavailable
from workbench.scope import Scope, no_match
from workbench.settings import Settings


@click.command()
@click.argument("scope", default="*")
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def command(scope: str, is_json: bool) -> None:
    """Show every automation in SCOPE (default: all) with its state, and the standing holds."""
    settings = Settings.from_environment()
    found = _status(settings)
    wanted = Scope.parse(scope, [row.automation for row in found.automations])
    rows = [row for row in found.automations if wanted.covers(row.automation)]
    if not rows and not _is_held(wanted, found):
        known = [row.automation for row in found.automations]
        raise no_match(wanted, known)
    if is_json:
        click.echo(as_json(_document(found, rows)))
        return
    click.echo(store_line(found.head, settings))
    cells = [
        (
            r.automation.automation_id,
            r.automation.kind,
            r.automation.category,
            r.automation.owner,
            r.state_in_words,
            ", ".join(r.hold_ids) or "-",
        )
        for r in rows
    ]
    click.echo(table(["automation", "kind", "category", "owner", "state", "holds"], cells))
    if not rows:
        click.echo("No automation is registered here.")
    _show_holds(found, wanted, rows)
    if found.hosts:
        click.echo(hosts_table(found.hosts))
    for flag in _flags(found):
        click.echo(one_line(f"flagged: {flag}"))
    head_line(found.head)


def _status(settings: Settings) -> Status:
    """Return what the store says; where it cannot be used the refusal tells what the spools hold meanwhile."""
    try:
        control = open_control(settings)
        say_unrecorded(control.look())
        return control.status()
    except StorageUnavailable as exc:
        waiting = waiting_words((settings.gate, *settings.spool_folders))
        if not waiting:
            raise
        raise StorageUnavailable(f"{exc.message} {waiting}", next_step=exc.then) from exc


def _show_holds(found: Status, wanted: Scope, rows: list[AutomationStatus]) -> None:
    """Print the holds on what is shown with their reasons, and name the others."""
    ids = {row.automation.automation_id for row in rows}
    for view in found.holds:
        if not _is_about(view, wanted, ids):
            click.echo(f"elsewhere: {view.hold.hold_id} on {scope_words(view.hold.scope)}")
            continue
        about = f"{view.hold.hold_id}  {scope_words(view.hold.scope)}  {view.state_in_words}"
        click.echo(one_line(f"{about}: {short_reason(view.reason_in_words)}"))
        for live in view.live_probations:
            click.echo(one_line(f"  {_restart_words(live)}"))
        for over in view.over_probations:
            said = f"{over.probation.probation_id} narrow restart is over: {over.why_over}"
            click.echo(one_line(f"  {said}; next: `workbench review {view.hold.hold_id}`"))


def _is_about(view: HoldView, wanted: Scope, ids: set[str]) -> bool:
    """Tell whether a hold is on something that is shown; the others are named without their story."""
    return wanted.is_everything or any(i in ids or wanted.names(i) for i in view.automations)


def _restart_words(view: ProbationView) -> str:
    """Say what a narrow restart lets through, how much of it is used, and when it ends."""
    probation = view.probation
    until = f", until {when(probation.until)}" if probation.until else ""
    names = ", ".join(view.automation_ids)
    return f"{probation.probation_id} narrow restart: {names}, {view.used_words}{until}"


def _restart_document(view: ProbationView) -> dict[str, Any]:
    probation = view.probation
    return {
        "probation_id": probation.probation_id,
        "automation_ids": list(view.automation_ids),
        "runs_taken": view.runs_taken,
        "max_runs": probation.max_runs,
        "until": probation.until,
        "cut_off_run_ids": list(view.cut_off),
        "hosts": [
            {"host": use.host, "runs_taken": use.taken_count, "runs": use.runs, "known": use.heard}
            for use in view.uses
        ],
    }


def _is_held(scope: Scope, found: Status) -> bool:
    """Tell whether the scope is everything, or the id of something held that is not registered."""
    held = {automation_id for view in found.holds for automation_id in view.automations}
    return scope.is_everything or any(scope.names(automation_id) for automation_id in held)


def _flags(found: Status) -> tuple[str, ...]:
    return (*found.flags, *([found.publication_fault] if found.publication_fault else []))


def _document(found: Status, rows: list[Any]) -> dict[str, Any]:
    head = found.head
    return {
        "store": store_document(head),
        "automations": [
            {
                "automation_id": r.automation.automation_id,
                "kind": r.automation.kind,
                "category": r.automation.category,
                "environment": r.automation.environment,
                "owner": r.automation.owner,
                "state": r.state,
                "holds": list(r.hold_ids),
                "at_work": r.at_work,
            }
            for r in rows
        ],
        "holds": [_hold_document(view) for view in found.holds],
        "hosts": host_documents(found.hosts),
        "flags": list(_flags(found)),
        "head": {"seq": head.seq, "hash": head.hash},
    }


def _hold_document(view: HoldView) -> dict[str, Any]:
    hold = view.hold
    return {
        "hold_id": hold.hold_id,
        "scope": hold.scope,
        "state": str(view.state),
        "mode": str(hold.mode),
        "reason": hold.reason,
        "probations": [_restart_document(p) for p in view.live_probations],
        "over_probations": [
            {**_restart_document(p), "why_over": p.why_over} for p in view.over_probations
        ],
        **({"lacks": list(view.lacks)} if hold.is_first_run else {}),
    }

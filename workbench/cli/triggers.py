"""`workbench triggers`: look whether something fires, once or again and again."""

from __future__ import annotations

import functools
import signal
import threading
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.present import as_json, closing_line, head_line, one_line, store_line
from workbench.control import Control, open_control
from workbench.errors import UsageFault
from workbench.settings import Settings
from workbench.trigger_rules import TriggerFinding, TriggerState

if TYPE_CHECKING:
    from workbench.noticing import Noticed
    from workbench.records import Event

FIRES_EXIT_CODE = 22


@click.command()
@click.option("--once", "is_once", is_flag=True, help="Look once and end (a timer or cron).")
@click.option("--watch", "is_watching", is_flag=True, help="Look again and again until stopped.")
@click.option(
    "--period",
    type=click.FloatRange(1, 86400),
    default=60.0,
    show_default=True,
    help="Seconds between two looks of --watch.",
)
@click.option(
    "--acknowledge",
    "taken_on",
    metavar="SCOPE[/RULE]",
    help="Say that you look after what fires there: nobody further is told of it.",
)
@click.option("-r", "--reason", default="", help="A word about it, with --acknowledge.")
@click.option("--as", "role", help="Role you act for.")
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output, with --once.")
def command(
    *,
    is_once: bool,
    is_watching: bool,
    period: float,
    taken_on: str | None,
    reason: str,
    role: str | None,
    is_json: bool,
) -> int:
    """Look at every automation and category for what `[triggers]` of the registry names.

    What begins, ends or cannot be told is recorded once. The owner is told of what fires, then the deputy, then the
    category's owner, by the addresses of `notify.toml`, until somebody acknowledges it.
    Exit code with --once: 0 nothing fires, 22 something does.
    """
    asked = is_once + is_watching + (taken_on is not None)
    if asked != 1 or (is_json and not is_once) or (reason and taken_on is None):
        raise UsageFault(
            "Say --once, with --json or without, or --watch, or --acknowledge, with --reason or without.",
            next_step="`workbench triggers --once`",
        )
    settings = Settings.from_environment()
    control = open_control(settings, role=role)
    if taken_on is not None:
        return _acknowledge(control, taken_on, reason)
    if is_watching:
        return _watch(control, settings, period)
    return _once(control, settings, is_json=is_json)


def _once(control: Control, settings: Settings, *, is_json: bool) -> int:
    from workbench.cli.trigger_lines import firing_lines, hold_lines, told_lines
    from workbench.noticing import look_once

    if not is_json:
        click.echo(store_line(control.head_note(), settings))
    noticed = look_once(control, settings)
    if is_json:
        click.echo(as_json(_document(control, noticed)))
    else:
        state = control.state()
        for one in noticed.firing:
            click.echo("\n".join(firing_lines(state, one)))
        _say_rest(noticed.findings, {e.target for e in noticed.events})
        for line in (*hold_lines(noticed.hold_ids, noticed.kept_back), *told_lines(noticed.told)):
            click.echo(line)
        closing_line(control)
    return FIRES_EXIT_CODE if noticed.firing else 0


def _watch(control: Control, settings: Settings, period: float) -> int:
    """Look until a signal and print what is new; a store or warehouse that is away for a while ends nothing."""
    from workbench.cli.watching import Watch

    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    click.echo(store_line(control.head_note(), settings))
    complain = functools.partial(click.echo, err=True)
    Watch(settings, period, click.echo, complain).go_on(over, control)
    head_line(control.head_note())
    return 0


def _acknowledge(control: Control, name: str, reason: str) -> int:
    from workbench.control.notices import acknowledge

    for event in acknowledge(control, name, reason=reason):
        click.echo(one_line(f"Acknowledged {event.target}; nobody further is told of it."))
    closing_line(control)
    return 0


def _say_rest(findings: tuple[TriggerFinding, ...], new: set[str]) -> None:
    """Say what cannot be told when it is new, and only how many there are when it was said before."""
    doubts = [f for f in findings if f.state is TriggerState.CANNOT_TELL]
    for one in doubts:
        if one.key in new:
            click.echo(one_line(f"CANNOT TELL  {one.scope}  {one.rule}: {one.sentence}"))
    if before := [f for f in doubts if f.key not in new]:
        click.echo(f"{len(before)} cannot be told, as was said before; see `workbench audit show`.")
    if not any(f.state is TriggerState.FIRES for f in findings):
        click.echo("Nothing fires." if not doubts else "Nothing that can be told fires.")


def _told_document(event: Event) -> dict[str, Any]:
    over = {"is_over": True} if event.payload.get("is_over") else {}
    said = {"outcome": event.outcome, "why": event.reason}
    return {"role": event.payload["role"], "of": event.target, **said, **over}


def _document(control: Control, noticed: Noticed) -> dict[str, object]:
    state, head = control.state(), control.head_note()
    return {
        "store": {"store_id": head.store_id, "environment": head.environment, "seq": head.seq},
        "findings": [
            {
                "scope": f.scope,
                "rule": f.rule,
                "state": str(f.state),
                "sentence": f.sentence,
                "number": f.number,
                "unit": f.unit,
                "threshold": f.threshold,
                "source": f.source,
                "query": f.query,
                "since": state.triggers.get(f.key, {}).get("since"),
                "tell": state.triggers.get(f.key, {}).get("tell", []),
                "pause": state.triggers.get(f.key, {}).get("pause", ""),
            }
            for f in noticed.findings
            if f.state is not TriggerState.QUIET
        ],
        "placed": list(noticed.hold_ids),
        "told": [_told_document(e) for e in noticed.told.events if e.action == "notice.end"],
        "nobody_is_told": noticed.told.fault,
    }

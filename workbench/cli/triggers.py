"""`workbench triggers`: look whether something fires, once or again and again."""

from __future__ import annotations

import signal
import threading

import click

from workbench.cli.present import as_json, closing_line, head_line, one_line, store_line
from workbench.clock import from_text
from workbench.control import Control, open_control
from workbench.errors import StorageUnavailable, UsageFault
from workbench.settings import Settings
from workbench.store.state import State
from workbench.trigger_rules import TriggerFinding, TriggerState

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
@click.option("--as", "role", help="Role you act for.")
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output, with --once.")
def command(
    *, is_once: bool, is_watching: bool, period: float, role: str | None, is_json: bool
) -> int:
    """Look at every automation and category for what `[triggers]` of the registry names.

    What begins, ends or cannot be told is recorded once. Nobody is notified: run it where somebody reads it.
    Exit code with --once: 0 nothing fires, 22 something does.
    """
    if is_once == is_watching or (is_json and is_watching):
        raise UsageFault(
            "Say --once, with --json or without, or --watch.",
            next_step="`workbench triggers --once`",
        )
    settings = Settings.from_environment()
    control = open_control(settings, role=role)
    if is_watching:
        return _watch(control, settings, period)
    from workbench.noticing import look_once

    if not is_json:
        click.echo(store_line(control.head_note(), settings))
    noticed = look_once(control, settings)
    if is_json:
        click.echo(as_json(_document(control, noticed.findings, noticed.hold_ids)))
    else:
        state = control.state()
        for one in noticed.firing:
            click.echo("\n".join(_firing_lines(state, one)))
        _say_rest(noticed.findings, {e.target for e in noticed.events})
        _say_holds(noticed.hold_ids, noticed.kept_back)
        closing_line(control)
    return FIRES_EXIT_CODE if noticed.firing else 0


def _watch(control: Control, settings: Settings, period: float) -> int:
    """Look until a signal and print what is new; a store or warehouse that is away for a while ends nothing."""
    from workbench.noticing import look_once

    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    click.echo(store_line(control.head_note(), settings))
    said = ""
    while True:
        try:
            noticed = look_once(control, settings)
            new, said = {e.target for e in noticed.events}, ""
            state = control.state()
            for one in noticed.findings:
                if one.key in new:
                    click.echo("\n".join(_new_lines(state, one)))
            _say_holds(noticed.hold_ids, noticed.kept_back if new else "")
        except StorageUnavailable as exc:
            if exc.message != said:
                click.echo(one_line(f"CANNOT LOOK: {exc.message}"), err=True)
            said = exc.message
        if over.wait(period):
            break
    head_line(control.head_note())
    return 0


def _new_lines(state: State, one: TriggerFinding) -> list[str]:
    if one.state is TriggerState.FIRES:
        return _firing_lines(state, one)
    word = "over" if one.state is TriggerState.QUIET else "CANNOT TELL"
    return [one_line(f"{word}  {one.scope}  {one.rule}: {one.sentence}")]


def _firing_lines(state: State, one: TriggerFinding) -> list[str]:
    """Return what fires: since when, number and threshold, whom to tell, and the command that pauses it."""
    known = state.triggers[one.key]
    holds = sorted({h.hold_id for i in _ids(state, one.scope) for h in state.holds_on(i)})
    held = f"held by {', '.join(holds)}" if holds else "not held"
    since = f"{from_text(known['since']):%Y-%m-%d %H:%M:%S} UTC"
    lines = [
        f"FIRES  {one.scope}  {one.rule}  since {since}, event {known['seq']}, {held}",
        f"    {one.sentence}; fires at {one.threshold} ({one.source}); query {one.query}",
        f"    tell: {', then '.join(known['tell'])}",
        f"    {known['pause']}",
    ]
    return [one_line(line) for line in lines]


def _ids(state: State, scope: str) -> list[str]:
    key, _, value = scope.partition("=")
    if key == "automation":
        return [value]
    return [i for i, a in state.automations.items() if a.category == value and not a.is_retired]


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


def _say_holds(hold_ids: tuple[str, ...], kept_back: str) -> None:
    if hold_ids:
        click.echo(f"Placed {', '.join(hold_ids)}; see `workbench hold list`.")
    if kept_back:
        click.echo(f"NOT PAUSED, though the registry asks for it: {kept_back}.")


def _document(
    control: Control, findings: tuple[TriggerFinding, ...], hold_ids: tuple[str, ...]
) -> dict[str, object]:
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
            for f in findings
            if f.state is not TriggerState.QUIET
        ],
        "placed": list(hold_ids),
    }

"""`workbench drill`: prove in staging what a pause does in an engine, and keep the certificate."""

from __future__ import annotations

import signal
from dataclasses import asdict
from typing import Any

import click

from workbench.cli.present import (
    as_json,
    ask,
    closing_line,
    one_line,
    store_line,
    table,
    typed_again,
)
from workbench.control.commands import Control
from workbench.control.drilling import DrillRequest, run_drill
from workbench.delivery.drilling import Drilled, Pace, TooShort
from workbench.delivery.fleet import Fleet
from workbench.drills import DrillOutcome
from workbench.engines.addresses import read_addresses
from workbench.engines.switching import Effect, OnPause
from workbench.errors import EngineError, Refused, ReportIncomplete
from workbench.opening import open_control
from workbench.records import Kind, Mode
from workbench.settings import Settings


@click.command()
@click.argument("engine_id", metavar="ENGINE")
@click.option(
    "--mode", type=click.Choice([str(m) for m in Mode]), default=str(Mode.FREEZE), show_default=True
)
@click.option(
    "--kind",
    type=click.Choice([str(k) for k in Kind]),
    default=str(Kind.WORKFLOW),
    show_default=True,
    help="Kind of automation that it certifies.",
)
@click.option(
    "--watch",
    type=click.FloatRange(1, 3600),
    default=30.0,
    show_default=True,
    help="Seconds to watch the pause.",
)
@click.option(
    "--after",
    type=click.FloatRange(1, 3600),
    default=60.0,
    show_default=True,
    help="Seconds to watch the resume.",
)
@click.option(
    "--page/--no-page",
    "is_page",
    default=True,
    show_default=True,
    help="Make the notebook's page of it.",
)
@click.option("--as", "role", help="Role you act for.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def command(engine_id: str, **options: Any) -> int:
    """Start probe work of each class in ENGINE, pause it, watch, resume, clean up, and keep what happened.

    Never in production. PASSED: the pause was read back and held every class of work. PASSED AS DECLARED: it did
    what the engine declares, and the classes that are named start or go on all the same. FAILED: it did worse
    than declared, or work started after it. Exit code 0: either pass; 16: failed.
    """
    settings = Settings.from_environment()
    control = open_control(settings, role=options["role"])
    fleet = Fleet(read_addresses(settings.engines_file), control.store, control.clock)
    if not options["is_json"]:
        click.echo(store_line(control.head_note(), settings))
        if not options["yes"]:
            ask(f"Start probe work in {engine_id} and pause it ({options['mode']})?")
    pace = Pace(watch_seconds=options["watch"], after_seconds=options["after"])
    request = DrillRequest(engine_id, Mode(options["mode"]), Kind(options["kind"]), pace)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)  # so that what was started is cleaned up
    try:
        with fleet:
            drilled = run_drill(control, fleet, request=request, say=_say)
    except TooShort as exc:
        again = typed_again("--watch", f"{exc.least_seconds:g}")
        raise Refused(exc.message, next_step=f"{again} or longer") from exc
    if options["is_json"]:
        click.echo(
            as_json({**asdict(drilled), "outcome": drilled.outcome, "in_words": drilled.in_words})
        )
    else:
        click.echo(drilled_text(drilled))
    is_whole = not options["is_page"] or _show_page(
        control, settings, request, is_quiet=options["is_json"]
    )
    if not options["is_json"]:
        closing_line(control)
    if drilled.outcome is DrillOutcome.FAILED:
        return EngineError.exit_code
    return 0 if is_whole else ReportIncomplete.exit_code


def _say(what: str) -> None:
    """Tell who waits how far the drill is; beside the print-out, which stays a document."""
    click.echo(f"{what} ...", err=True)


def _stop(number: int, _: object) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


def _show_page(
    control: Control, settings: Settings, request: DrillRequest, *, is_quiet: bool
) -> bool:
    """Make the page of the drill that was just recorded, and say where it is; tells whether it is whole."""
    # Only now, for it takes seconds: the drill is recorded first.
    from workbench.reports.drill import make_drill_page

    state = control.state()
    _say("making its page")
    try:
        page = make_drill_page(
            settings,
            engine_id=request.engine_id,
            mode=str(request.mode),
            head=state.head,
            checkpoint=control.checkpoint(state),
        )
    except ReportIncomplete as exc:
        click.echo(f"{exc.message} Next: {exc.then}", err=True)
        return False
    if not is_quiet:
        click.echo(f"  page                 {page}")
    return True


def drilled_text(drilled: Drilled) -> str:
    """Return the print-out of a drill: the verdict first, then each class of work, differences marked."""
    odd = {one.work_class: one.declared for one in drilled.differences}
    rows: list[tuple[str, ...]] = [
        (
            e.work_class,
            e.on_pause,
            e.on_resume,
            _mark(e, odd.get(e.work_class)),
        )
        for e in drilled.effects
    ]
    rows += [(name, "not tried", "not tried", one_line(why)) for name, why in drilled.cannot]
    how = drilled.in_words
    lines = [
        f"\nDrill of {drilled.engine_id} ({drilled.engine} {drilled.version}), {drilled.mode}: {how}",
        f"  read back            {_after(drilled, 'confirmed_at', 'NEVER: no certificate of a pause')}",
        f"  quiet                {_after(drilled, 'quiet_at', 'not while it was watched')}",
        f"  last start           {_after(drilled, 'last_start_at', 'none')}",
        f"  started after it     {', '.join(drilled.leaks) or 'none'}",
        table(["work", "on pause", "on resume", ""], rows),
    ]
    lines += [f"  DOUBT: {one_line(sentence)}" for sentence in drilled.findings]
    lines += [f"  clean up by hand: {one_line(sentence)}" for sentence in drilled.left]
    return "\n".join(lines)


def _mark(seen: Effect, declared: Effect | None) -> str:
    """Say how what was seen of a class stands to what is declared."""
    if declared is not None:
        return f"DECLARED {declared.on_pause}, {declared.on_resume}"
    return "not seen" if seen.on_pause is OnPause.UNKNOWN else "as declared"


def _after(drilled: Drilled, name: str, otherwise: str) -> str:
    instant = getattr(drilled, name)
    if instant is None:
        return otherwise
    seconds = (instant - drilled.command_at).total_seconds()
    side = "after" if seconds >= 0 else "before"
    return f"{abs(seconds):.1f} s {side} the command"

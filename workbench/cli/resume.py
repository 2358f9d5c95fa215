"""`workbench resume`: a narrow restart under a hold, or its release."""

from __future__ import annotations

import contextlib
from datetime import datetime

import click

from workbench.cli.present import (
    ask,
    closing_line,
    not_delivered,
    one_line,
    store_line,
    typed_again,
    undelivered,
    when,
)
from workbench.clock import from_text
from workbench.control import Control
from workbench.control.resuming import ResumeRequest
from workbench.control.sharing import parse_hosts
from workbench.errors import NotConfirmed, StorageUnavailable, UsageFault
from workbench.opening import open_control
from workbench.records import HeadNote, VerdictKind
from workbench.restarts import Probation
from workbench.settings import Settings

CATCH_UP = click.Choice(["skip", "one", "all"])
_CHOSEN: dict[object, str] = {None: "", "skip": "skip", "one": "latest", "all": "all"}
LIMITS = ("--runs N", "--until INSTANT", "--host HOST", "--reads-only")
"""Options of a narrow restart alone, those with a value written with one."""


@click.command()
@click.argument("hold_id")
@click.option(
    "--only", default=None, help="Scope of a narrow restart, e.g. automation=invoice-triage."
)
@click.option(
    "--runs", type=int, default=None, help="Number of runs that the narrow restart lets through."
)
@click.option("--until", default=None, help="Instant at which the narrow restart ends.")
@click.option(
    "--host",
    "hosts",
    multiple=True,
    help="Host whose gates let the runs through, or each with its runs: `--host a=10 --host b=10`. "
    "Default: the one where the automations were seen.",
)
@click.option(
    "--reads-only", is_flag=True, help="Let reads through alone; what is about to write stays held."
)
@click.option("--full", is_flag=True, help="Release the hold.")
@click.option("--catch-up", type=CATCH_UP, default=None, help="Starts that fell into the pause.")
@click.option(
    "--rate-per-minute", type=int, default=None, help="Runs that an engine is let go in a minute."
)
@click.option(
    "--decision",
    "decision_id",
    default="",
    help="Decision that allows it, e.g. D-3 (default: the newest on this hold).",
)
@click.option(
    "--break-glass",
    "break_glass",
    default="",
    help="Reason for going without a decision; recorded and flagged.",
)
@click.option("--as", "role", help="Role you act for.")
@click.option("--command-id", default=None, help="Client-made id; the same id never acts twice.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def command(hold_id: str, **options: object) -> int:
    """Restart under HOLD_ID: `--only SCOPE --runs N` (narrow, the hold stays) or `--full` (release)."""
    settings = Settings.from_environment()
    role = options["role"]
    control = open_control(settings, role=str(role) if role else None)
    request = request_from(control, hold_id, options=options)
    before = control.head_note()
    click.echo(store_line(before, settings))
    for line in control.forecast(request):
        click.echo(f"  would start: {one_line(line)}")
    if not options["yes"]:
        what = (
            f"let {request.runs} {'reading ' * (request.effects == 'read')}runs of {request.only} through"
            if request.only
            else f"release {hold_id}"
        )
        ask(f"This will {what}. Go on?")
    command_id = str(options["command_id"]) if options["command_id"] else None
    if request.only is not None:
        probation = control.resume_narrow(request, command_id=command_id)
        click.echo(
            f"{probation.probation_id}: {', '.join(probation.automation_ids)} may "
            f"{'read in' if probation.effects == 'read' else 'run'} {probation.max_runs} "
            f"{'runs' if probation.effects == 'read' else 'times'}{_places(probation)}; "
            f"{hold_id} stays and stops them then."
        )
        for line in _beside(control, probation):
            click.echo(line)
    else:
        hold = control.resume_full(request, command_id=command_id)
        click.echo(
            f"{hold.hold_id} released at {when(hold.released_at)}; "
            "other holds on the same automations stay."
        )
    return _close(control, request, before)


def _beside(control: Control, made: Probation) -> list[str]:
    """Say which narrow restarts of the hold ended for this one, and what it names and does not let through."""
    deaf = control.left_out(made)
    left = [f"Still held, for they do not ask the gate: {', '.join(deaf)}."] if deaf else []
    why = f"superseded by {made.probation_id}"
    return [
        f"{earlier.probation_id} is over: {made.probation_id} takes its place, and the runs that it had left are void."
        for earlier in control.state().probations.values()
        if earlier.ended_why == why
    ] + left


def _places(probation: Probation) -> str:
    """Say which hosts let the runs through, where that was decided."""
    named = ", ".join(f"{share.host} ({share.runs})" for share in probation.shares)
    return one_line(f" on {named}") if named else ""


def _close(control: Control, request: ResumeRequest, before: HeadNote) -> int:
    """Print what stands after a resume; exit code 10 where gates could not be told of it."""
    with contextlib.suppress(StorageUnavailable):
        if control.head_note().seq == before.seq:
            click.echo("The same command id as before: nothing was added.")
    if request.break_glass_reason:
        click.echo("Break-glass: recorded, and flagged in `workbench status`.")
    fault = undelivered(control)
    if fault:
        click.echo(not_delivered(f"{fault}; nothing runs again until it has."))
    waiting = control.bring_back()
    for line in waiting:
        click.echo(one_line(f"not brought back yet: {line}"))
    closing_line(control)
    return NotConfirmed.exit_code if fault or waiting else 0


def request_from(control: Control, hold_id: str, *, options: dict[str, object]) -> ResumeRequest:
    """Return the request that the options of a command line mean; raises UsageFault."""
    only, is_full = options["only"], bool(options["full"])
    if (only is None) == (not is_full):
        raise UsageFault(
            "A resume is either a narrow restart (`--only`) or a release (`--full`).",
            next_step=f"{_narrow(only)}, or {_full()}",
        )
    until, hosts = _instant(options["until"]), _hosts(options.get("hosts"))
    reads_only, rate = bool(options.get("reads_only")), options.get("rate_per_minute")
    runs = _runs(options["runs"], hosts)
    if is_full and (runs is not None or until or reads_only or hosts):
        raise UsageFault(
            "`--runs`, `--until`, `--host` and `--reads-only` limit a narrow restart; "
            "`--full` has no limit.",
            next_step=f"{_full()}, or {_narrow(only)}",
        )
    if not is_full and (runs is None or runs < 1):
        raise UsageFault(
            "A narrow restart needs a number of runs above 0.",
            next_step=typed_again("--runs", "N"),
        )
    break_glass = str(options["break_glass"])
    newest = "" if break_glass else _newest(control, hold_id, is_full=is_full)
    return ResumeRequest(
        hold_id=hold_id,
        only=str(only) if only is not None else None,
        runs=runs,
        until=until,
        decision_id=str(options["decision_id"]) or newest,
        break_glass_reason=break_glass,
        effects="read" if reads_only else "write",
        catch_up=_CHOSEN[options.get("catch_up")],
        rate_per_minute=rate if isinstance(rate, int) else None,
        hosts=hosts,
    )


def _newest(control: Control, hold_id: str, *, is_full: bool) -> str:
    """Return the newest decision about a hold, or an empty text.

    A first-run hold is released for its being ready: only a decision that allows it is another ground.
    """
    state = control.state()
    own = [d for d in state.decisions.values() if d.hold_id == hold_id]
    hold = state.holds.get(hold_id)
    is_no_ground = bool(own) and own[-1].decision is not VerdictKind.RESTART_FULL
    if hold is not None and hold.is_first_run and is_full and is_no_ground:
        return ""
    return own[-1].decision_id if own else ""


def _runs(given: object, hosts: str) -> int | None:
    """Return how many runs were asked for, which hosts with a number each may say alone."""
    if given is None and "=" in hosts:
        return sum(count for _, count in parse_hosts(hosts, 0))
    return given if isinstance(given, int) else None


def _full() -> str:
    """Return the command as a release."""
    return typed_again("--full", without=("--only SCOPE", *LIMITS))


def _narrow(only: object) -> str:
    """Return the command as a narrow restart."""
    own = () if only is not None else ("--only", "SCOPE")
    return typed_again(*own, "--runs", "N", without=("--full",))


def _hosts(given: object) -> str:
    """Return what was said of hosts, once or several times, as one text."""
    return ",".join(str(part) for part in given) if isinstance(given, tuple | list) else ""


def _instant(given: object) -> datetime | None:
    """Return the end that was said; an empty one is a slip of a script's, and not a restart without an end."""
    if given is None:
        return None
    try:
        return from_text(str(given))
    except ValueError as exc:
        raise UsageFault(f"--until: {exc}; nothing was done.") from exc

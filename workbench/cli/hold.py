"""`workbench hold`: list, release and take over holds."""

from __future__ import annotations

import difflib
import re

import click

from workbench.cli.present import (
    as_json,
    closing_line,
    head_line,
    moved_line,
    one_line,
    say_unrecorded,
    scope_words,
    short_reason,
    store_line,
    table,
    when,
)
from workbench.clock import from_text
from workbench.control import open_control
from workbench.control.taking_over import take_over
from workbench.control.views import HoldView
from workbench.errors import UsageFault
from workbench.settings import Settings


class HoldGroup(click.Group):
    """The noun; who uses it as a verb, as in `workbench hold kind=agent`, is told of `workbench pause`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; anything else is refused with the one that is meant."""
        word = args[0] if args else "list"
        if word not in self.commands and not word.startswith("-"):
            of_a_hold = re.fullmatch(r"H-\d+", word)
            near = difflib.get_close_matches(word.lower(), self.commands, 1)
            meant = f"hold {near[0]}" if near else "hold list" if of_a_hold else "pause SCOPE"
            ctx.fail(f"`workbench hold` has no command {word!r}; did you mean `workbench {meant}`?")
        return super().resolve_command(ctx, args)


@click.group(cls=HoldGroup)
def command() -> None:
    """List, release and take over holds."""


_HEADERS = (
    *("hold", "state", "scope", "mode", "automations", "placed", "by"),
    *("narrow restart", "reason"),
)


@command.command("list")
@click.option("--all", "is_all", is_flag=True, help="Show released holds too.")
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def list_holds(is_all: bool, is_json: bool) -> None:
    """List the standing holds, newest first, with their narrow restarts."""
    settings = Settings.from_environment()
    control = open_control(settings)
    say_unrecorded(control.look())
    views = control.holds(include_released=is_all)
    if is_json:
        say_unrecorded(moved_line(control.head_note()))
        click.echo(as_json([_document(view) for view in views]))
        return
    click.echo(store_line(control.head_note(), settings))
    rows = [
        (
            v.hold.hold_id,
            v.state_in_words,
            scope_words(v.hold.scope),
            v.hold.mode,
            len(v.automations),
            when(v.hold.placed_at),
            v.hold.placed_by,
            _narrow(v),
            short_reason(v.reason_in_words),
        )
        for v in views
    ]
    click.echo(table(_HEADERS, rows) if rows else "No hold stands.")
    head_line(control.head_note())


@command.command("take-over")
@click.argument("hold_id")
@click.option("--reason", "-r", default="", help="Why you take it over; always needed.")
@click.option("--review-by", default=None, help="Instant by which it is to be reviewed again.")
@click.option("--as", "role", help="Role you act for.")
def take_over_hold(hold_id: str, reason: str, review_by: str | None, role: str | None) -> None:
    """Answer for HOLD_ID, which is overdue; it goes on pausing what it paused."""
    try:
        due = None if review_by is None else from_text(review_by)
    except ValueError as exc:
        raise UsageFault(f"--review-by: {exc}; nothing was done.") from exc
    settings = Settings.from_environment()
    control = open_control(settings, role=role)
    click.echo(store_line(control.head_note(), settings))
    hold = take_over(control, hold_id, reason=reason, review_by=due)
    until = (
        f"to be reviewed by {when(hold.review_by)}"
        if hold.review_by
        else "without a time of review"
    )
    click.echo(
        f"{hold.hold_id} is answered for by {one_line(hold.keeper)} now, {until}. It still pauses."
    )
    closing_line(control)


def _narrow(view: HoldView) -> str:
    if not view.probations:
        return "-"
    last = view.probations[-1]
    used = f"{last.probation.probation_id} {last.runs_taken}/{last.probation.max_runs} runs"
    return used if last.is_live else f"{used}, over: {last.why_over}"


def _document(view: HoldView) -> dict[str, object]:
    hold = view.hold
    return {
        "hold_id": hold.hold_id,
        "state": str(view.state),
        "scope": hold.scope,
        "mode": str(hold.mode),
        "purpose": str(hold.purpose),
        "reason": hold.reason,
        "placed_at": hold.placed_at,
        "placed_by": hold.placed_by,
        "review_by": hold.review_by,
        "released_at": hold.released_at,
        "released_by": hold.released_by or None,
        "automation_ids": list(view.automations),
        "probations": [
            {
                "probation_id": p.probation.probation_id,
                "scope": p.probation.scope,
                "runs_taken": p.runs_taken,
                "max_runs": p.probation.max_runs,
                "why_over": p.why_over or None,
            }
            for p in view.probations
        ],
    }


@command.command("release")
@click.argument("hold_id")
@click.option("--decision", "decision_id", default="", help="Decision that allows it, e.g. D-3.")
@click.option("--break-glass", "break_glass", default="", help="Reason for going without one.")
@click.option(
    "--catch-up",
    type=click.Choice(["skip", "one", "all"]),
    default=None,
    help="Starts that fell into the pause.",
)
@click.option(
    "--rate-per-minute", type=int, default=None, help="Runs that an engine is let go in a minute."
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.pass_context
def release(ctx: click.Context, /, **options: object) -> int:
    """Release HOLD_ID: the same as `workbench resume HOLD_ID --full`."""
    from workbench.cli.resume import command as resume

    unused = {"only": None, "runs": None, "until": None, "role": None, "command_id": None}
    code: int = ctx.invoke(resume, full=True, hosts=(), **unused, **options)
    return code

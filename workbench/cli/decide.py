"""`workbench decide`: a named person accepts or overrides the verdict of a report."""

from __future__ import annotations

import click

from workbench.cli.present import ask, closing_line, one_line, store_line
from workbench.control import open_control
from workbench.control.deciding import DecideRequest, check_decidable
from workbench.control.grounds import against_the_report
from workbench.errors import Refused
from workbench.records import Decision, VerdictKind
from workbench.settings import Settings
from workbench.store.signoffs import needed_count

LOAD_FIRST = "load what happened since (`workbench sync`, `workbench load --complete-until`)"
"""A restart rests on evidence that is newer than its decision."""

PAST = ("the pause was slow", "the pause leaked")
"""How a report's reason begins what no work can mend: it is about what happened at the pause."""


@click.command()
@click.argument("report_id")
@click.option(
    "--override",
    type=click.Choice([str(v) for v in VerdictKind]),
    default=None,
    help="Decide otherwise than the report.",
)
@click.option("--reason", "-r", default="", help="Why; needed for an override.")
@click.option("--as", "role", help="Role you act for.")
@click.option("--command-id", default=None, help="Client-made id; the same id never acts twice.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
def command(
    report_id: str,
    override: str | None,
    reason: str,
    role: str | None,
    command_id: str | None,
    yes: bool,
) -> None:
    """Decide about REPORT_ID, e.g. `workbench decide R-4`; a kernel or scheduler never decides."""
    settings = Settings.from_environment()
    if settings.is_unattended:
        raise Refused(
            "An unattended run writes reports, not decisions.",
            next_step="decide at a terminal or in the panel",
        )
    control = open_control(settings, role=role)
    request = DecideRequest(report_id, VerdictKind(override) if override else None, reason)
    if not yes and not command_id:  # one that is given again may have been carried out
        check_decidable(control.state(), request)
    click.echo(store_line(control.head_note(), settings))
    if not yes:
        ask(f"Record your decision about {report_id}?")
    made = control.decide(request, command_id=command_id)
    how = "accepts" if not made.is_override else f"overrides ({made.verdict})"
    click.echo(f"{made.decision_id} {how} {report_id}: {made.decision}. {one_line(made.reason)}")
    if made.decision in (VerdictKind.RESTART_NARROW, VerdictKind.RESTART_FULL):
        for line in _goes_on(made, is_signed=needed_count(control.state(), made) > 0):
            click.echo(line)
    else:
        against = against_the_report(control.state(), made, wanted=VerdictKind.RESTART_NARROW)
        for line in _stays(made, against):
            click.echo(line)
    closing_line(control)


def _goes_on(made: Decision, *, is_signed: bool) -> list[str]:
    """Return what leads on from a decision that lets something run, the sign-off first where policy asks for one."""
    form = "--full" if made.decision is VerdictKind.RESTART_FULL else "--only SCOPE --runs N"
    what = f"{made.hold_id} {form} --decision {made.decision_id}"
    asked = [
        f"      `workbench signoff request {what}`,",
        "      which another person gives (`workbench signoff give S-N`), then",
    ]
    return [
        f"Next: {LOAD_FIRST}, then",
        *(asked if is_signed else []),
        f"      `workbench resume {what}`",
    ]


def _stays(made: Decision, against: str) -> list[str]:
    """Return what leads on from a decision that lets nothing run; what a pause did is past and cannot be mended."""
    if any(said in made.reason.lower() for said in PAST):
        return [
            f"{made.hold_id} stays. How the pause went is past: every review of {made.hold_id} will say so. Look at "
            "what it names;",
            "      only a decision against the report, with a reason, leads on:",
            f"      {against}",
        ]
    return [
        f"{made.hold_id} stays. Next: mend what the report names, then",
        f"      `workbench review {made.hold_id}`; or against the report",
        f"      {against}",
    ]

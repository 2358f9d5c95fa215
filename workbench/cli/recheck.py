"""`workbench recheck`: would what was loaded since have changed the verdict that somebody decided on?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from workbench.cli.present import as_json, one_line, store_line, when
from workbench.control import open_control
from workbench.settings import Settings

if TYPE_CHECKING:
    from workbench.reports.recheck import Recheck

EXIT_CODES = {"UNCHANGED": 0, "CHANGED": 23, "UNKNOWN": 24}


@click.command()
@click.argument("decision_id")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def command(decision_id: str, is_json: bool) -> int:
    """Compute the report behind DECISION_ID, e.g. `workbench recheck D-3`, again from its sealed inputs and late data.

    Exit 0: unchanged; 23: late data would have changed the verdict; 24: unknown, for the sealed inputs
    cannot be had as they were, or a source is still not loaded up to the report's instant. Nothing is recorded.
    """
    settings = Settings.from_environment()
    control = open_control(settings)
    # Only now, for they take seconds: without a store the refusal comes at once.
    from workbench.reports.recheck import recheck_decision

    found = recheck_decision(control, settings, decision_id=decision_id)
    if is_json:
        click.echo(as_json(_document(found)))
    else:
        click.echo(store_line(control.head_note(), settings))
        for line in _lines(found):
            click.echo(one_line(line))
    return EXIT_CODES[found.answer]


def _lines(found: Recheck) -> list[str]:
    decision, report = found.decision, found.report
    lines = [
        f"{decision.decision_id} {decision.decision} on {report.report_id}: {report.verdict}, as of "
        f"{when(report.as_of)}, warehouse version {report.manifest_version}, event {report.log_seq}.",
    ]
    if not found.late_verdict:
        return [*lines, f"UNKNOWN, which is not unchanged: {found.because}"]
    late = ", ".join(f"{count:,} of {name}" for name, count in found.late_rows.items())
    lines.append("From the sealed inputs the verdict comes out as it was recorded.")
    lines.append(f"Rows that came late or tell otherwise now: {late or 'none'}.")
    lines += [
        f"  {name}: {was} then, {now} now" for name, (was, now) in found.changed_checks.items()
    ]
    if found.answer == "CHANGED":
        lines.append(f"CHANGED: the verdict would have been {found.late_verdict}. {found.because}")
        lines.append(f"Next: workbench review {decision.hold_id}")
    elif found.answer == "UNKNOWN":
        lines.append(f"With what is loaded now the verdict would still be {found.late_verdict}.")
        lines.append(f"UNKNOWN, which is not unchanged: {found.because}")
    else:
        lines.append(f"UNCHANGED: the verdict would still have been {found.late_verdict}.")
    if found.not_yet and found.answer == "CHANGED":
        lines.append(f"More may come: not loaded up to then are {', '.join(found.not_yet)}.")
    lines += [f"Load it and recheck: {command}" for command in found.next_steps]
    return lines


def _document(found: Recheck) -> dict[str, Any]:
    return {
        "decision_id": found.decision.decision_id,
        "report_id": found.report.report_id,
        "as_of": found.report.as_of,
        "answer": str(found.answer),
        "because": found.because,
        "verdict": str(found.report.verdict),
        "late_verdict": found.late_verdict or None,
        "decision": str(found.decision.decision),
        "changed_checks": {k: {"then": a, "now": b} for k, (a, b) in found.changed_checks.items()},
        "late_rows": dict(found.late_rows),
        "not_yet_loaded": list(found.not_yet),
        "next_steps": list(found.next_steps),
    }

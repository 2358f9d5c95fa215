"""`workbench gate`: ask the gate about one automation, for automations written in shell."""

from __future__ import annotations

import click

from workbench.cli.present import as_json, one_line
from workbench.gate import Gate, GateState

_EXIT = {GateState.CLEAR: 0, GateState.PAUSED: 20, GateState.UNKNOWN: 21}


@click.command()
@click.argument("automation_id")
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def command(automation_id: str, is_json: bool) -> int:
    """Ask whether AUTOMATION_ID may act. Exit code 0 CLEAR, 20 PAUSED, 21 UNKNOWN."""
    answer = Gate().check(automation_id)
    if is_json:
        body = {
            "automation_id": automation_id,
            "state": str(answer.state),
            "holds": list(answer.holds),
            "as_of_seq": answer.as_of_seq,
            "age_seconds": answer.age_seconds,
            "reason": answer.reason,
        }
        click.echo(as_json(body))
    else:
        by = f" by {one_line(', '.join(answer.holds))}" if answer.holds else ""
        why = f": {one_line(answer.reason)}" if answer.reason else ""
        click.echo(f"{answer.state}{by}{why}")
    return _EXIT[answer.state]

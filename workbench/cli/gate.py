"""`workbench gate`: ask the gate about one automation, for automations written in shell."""

from __future__ import annotations

import shutil

import click

from workbench.cli.present import as_json, one_line
from workbench.errors import UsageFault
from workbench.gate import Gate, GateAnswer, GateState, Paused, Unknown

_EXIT = {GateState.CLEAR: 0, GateState.PAUSED: 20, GateState.UNKNOWN: 21}
_CANNOT_RUN = 127
_OLDEST_SECONDS = 31_536_000
"""A year: whoever writes more made a slip, and no CLEAR is as old as that."""


@click.command()
@click.argument("automation_id")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND ARGS...]")
@click.option(
    "--run",
    "run_id",
    help="Id of the run that asks: takes its ticket of a narrow restart, once however often it asks.",
)
@click.option(
    "--max-age-seconds",
    type=float,
    help="CLEAR becomes UNKNOWN when the store was last known alive longer ago; PAUSED stays PAUSED.",
)
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def command(
    automation_id: str,
    *,
    words: tuple[str, ...],
    run_id: str | None,
    max_age_seconds: float | None,
    is_json: bool,
) -> int:
    """Ask whether AUTOMATION_ID may act. Exit code 0 CLEAR, 20 PAUSED, 21 UNKNOWN.

    Under a narrow restart only runs are let through: name yours with --run, before each step if you like.
    With a COMMAND it runs as that run, or not at all; its own exit code is passed on. A hold that comes
    meanwhile stops it where it asks again: the same line without a COMMAND. It ends with this command,
    even one that is killed.
    """
    _check_age(max_age_seconds)
    _check_run(automation_id, words, run_id=run_id, is_json=is_json)
    if words and shutil.which(words[0]) is None:
        return _cannot_run(words, "there is no such program")
    gate = Gate(max_age_seconds=max_age_seconds)
    if run_id is None:
        return _tell(automation_id, gate.check(automation_id), is_json=is_json)
    try:
        with gate.run(automation_id, run_id) as answer:
            if words:
                return _run(gate, automation_id, words)
    except (Paused, Unknown) as exc:
        if words:
            click.echo(
                f"workbench: {one_line(words[0])} was not run: {one_line(str(exc))}", err=True
            )
            return _EXIT[exc.answer.state]
        answer = exc.answer
    return _tell(automation_id, answer, is_json=is_json)


def _check_age(max_age_seconds: float | None) -> None:
    if max_age_seconds is not None and not 0 <= max_age_seconds <= _OLDEST_SECONDS:  # nor nan
        said = f"An age is 0 seconds or more, and at most {_OLDEST_SECONDS}; without the option it has no limit."
        raise UsageFault(said, next_step="`--max-age-seconds 10`")


def _check_run(
    automation_id: str, words: tuple[str, ...], *, run_id: str | None, is_json: bool
) -> None:
    """Raise UsageFault where runs could not be told apart, or the output would be of two."""
    if run_id is not None and not run_id.strip():
        # A variable that was not set: all runs would share one ticket, and none would be the last.
        raise UsageFault(
            "The run id is empty, so its runs could not be counted.",
            next_step=f"`workbench gate {one_line(automation_id)} --run RUN_ID`, another id for each run",
        )
    if words and run_id is None:
        raise UsageFault(
            "A command runs as a run of the automation, which needs an id; add `--run RUN_ID`.",
            next_step=f"`workbench gate {one_line(automation_id)} --run RUN_ID -- {one_line(words[0])} ...`",
        )
    if words and is_json:
        raise UsageFault("With a COMMAND the output is the command's own; leave `--json` out.")


def _run(gate: Gate, automation_id: str, words: tuple[str, ...]) -> int:
    from workbench.cli.gate_command import run_to_its_end

    try:
        return run_to_its_end(words, note=lambda pid: gate.carried_out_by(automation_id, pid))
    except OSError as exc:
        return _cannot_run(words, exc.strerror or str(exc))


def _cannot_run(words: tuple[str, ...], why: str) -> int:
    click.echo(f"workbench: {one_line(words[0])} cannot be run: {one_line(why)}.", err=True)
    click.echo("    next: name a program that is there, by its name or its whole path", err=True)
    return _CANNOT_RUN


def _tell(automation_id: str, answer: GateAnswer, *, is_json: bool) -> int:
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
        if answer.state is GateState.CLEAR:
            by = ""
        why = f": {one_line(answer.reason)}" if answer.reason else ""
        click.echo(f"{answer.state}{by}{why}")
    return _EXIT[answer.state]

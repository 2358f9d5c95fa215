"""`workbench gate`: ask the gate about one automation, for automations written in shell."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from workbench.cli.present import as_json, one_line
from workbench.errors import UsageFault
from workbench.gate import Gate, GateAnswer, GateState, Paused, Unknown

_EXIT = {GateState.CLEAR: 0, GateState.PAUSED: 20, GateState.UNKNOWN: 21}
_CANNOT_RUN = 127
_SIGNALLED = 128
_PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@click.command()
@click.argument("automation_id")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND ARGS...]")
@click.option(
    "--run",
    "run_id",
    help="Id of the run that asks: takes its ticket of a narrow restart, once however often it asks.",
)
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def command(automation_id: str, words: tuple[str, ...], run_id: str | None, is_json: bool) -> int:
    """Ask whether AUTOMATION_ID may act. Exit code 0 CLEAR, 20 PAUSED, 21 UNKNOWN.

    Under a narrow restart only runs are let through: name yours with --run, before each step if you like.
    With a COMMAND it runs as that run, or not at all; its own exit code is passed on. A hold that comes
    meanwhile stops it where it asks again: the same line without a COMMAND.
    """
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
    if words and shutil.which(words[0]) is None:
        return _cannot_run(words, "there is no such program")
    gate = Gate()
    if run_id is None:
        return _tell(automation_id, gate.check(automation_id), is_json=is_json)
    try:
        with gate.run(automation_id, run_id) as answer:
            if words:
                return _run(words)
    except (Paused, Unknown) as exc:
        if words:
            click.echo(
                f"workbench: {one_line(words[0])} was not run: {one_line(str(exc))}", err=True
            )
            return _EXIT[exc.answer.state]
        answer = exc.answer
    return _tell(automation_id, answer, is_json=is_json)


def _run(words: tuple[str, ...]) -> int:
    """Run the command to its end, whoever wants to end us before: a run that goes on is in flight."""
    with _signals() as came:
        try:
            child = subprocess.Popen(words)
        except OSError as exc:
            return _cannot_run(words, exc.strerror or str(exc))
        came.child = child
        for number in came.early:
            child.send_signal(number)
        code = child.wait()
    return code if code >= 0 else _SIGNALLED - code


def _cannot_run(words: tuple[str, ...], why: str) -> int:
    click.echo(f"workbench: {one_line(words[0])} cannot be run: {one_line(why)}", err=True)
    return _CANNOT_RUN


class _Came:
    """Signals that were meant for us: passed on to the command, or kept until there is one."""

    def __init__(self) -> None:
        self.child: subprocess.Popen[bytes] | None = None
        self.early: list[int] = []

    def pass_on(self, number: int, frame: FrameType | None) -> None:
        if self.child is None:
            self.early.append(number)
        elif number != signal.SIGINT:  # the keyboard's reaches the command by itself
            self.child.send_signal(number)


@contextmanager
def _signals() -> Iterator[_Came]:
    came = _Came()
    before = {number: signal.signal(number, came.pass_on) for number in _PASSED_ON}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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

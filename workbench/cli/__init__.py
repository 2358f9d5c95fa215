"""The command line: verbs of every day at the top, the rest under their noun, each loaded when used."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from workbench.errors import StorageUnavailable, UsageFault, WorkbenchError

VERBS: dict[str, tuple[str, str]] = {
    "demo": (
        "workbench.cli.demo:command",
        "See pause, proof, review and narrow restart in two minutes.",
    ),
    "load": ("workbench.cli.load:command", "Load run history and audit logs from files."),
    "sync": ("workbench.cli.sync:command", "Read run history from an engine."),
    "sql": ("workbench.cli.sql:command", "Ask the warehouse one SELECT."),
    "find": ("workbench.cli.find:command", "Find the smallest scope for a few words."),
    "status": ("workbench.cli.status:command", "Show which automations are paused, and by what."),
    "card": ("workbench.cli.card:command", "Print the page about stopping and restarting a scope."),
    "pause": ("workbench.cli.pause:command", "Pause a scope: place a hold."),
    "resume": ("workbench.cli.resume:command", "Restart narrowly under a hold, or release it."),
    "gate": ("workbench.cli.gate:command", "Ask the gate about one automation."),
    "report": ("workbench.cli.report:command", "Make reports for schedulers."),
    "review": ("workbench.cli.review:command", "Review a hold: evidence, verdict, next command."),
    "decide": ("workbench.cli.decide:command", "Accept or override the verdict of a report."),
    "recheck": (
        "workbench.cli.recheck:command",
        "Say whether late data would have changed a verdict.",
    ),
    "back-test": (
        "workbench.cli.back_test:command",
        "Compare restart rules over past incidents and holds.",
    ),
    "audit": ("workbench.cli.audit:command", "Verify and show the audit log."),
    "serve": ("workbench.cli.serve:command", "Deliver holds to engines, and keep them so."),
    "triggers": (
        "workbench.cli.triggers:command",
        "Look for failures, spend, stale context, changed records.",
    ),
    "doctor": (
        "workbench.cli.doctor:command",
        "Say what is wrong with this set-up and what to do.",
    ),
    "lab": ("workbench.cli.lab:command", "Open JupyterLab on the control panel."),
    "hold": ("workbench.cli.hold:command", "List and release holds."),
    "store": ("workbench.cli.store:command", "Make, upgrade or move the one shared store."),
    "drill": ("workbench.cli.drill:command", "Prove in staging what a pause does in an engine."),
    "engine": ("workbench.cli.engine:command", "List and probe the engines to switch."),
    "mirror": (
        "workbench.cli.mirror:command",
        "Bring the store's state to the gates of this host.",
    ),
    "key": ("workbench.cli.key:command", "Make, enrol, list and revoke signing keys."),
    "reviewed": (
        "workbench.cli.reviewed:command",
        "Review a break-glass resume, or a run before a first run.",
    ),
    "affected": (
        "workbench.cli.affected:command",
        "List the records that automations wrote, and mark them verified.",
    ),
    "policy": ("workbench.cli.policy:command", "Check, apply and show who may do what."),
    "signoff": ("workbench.cli.signoff:command", "Ask for and give two-person approval."),
    "registry": ("workbench.cli.registry:command", "Apply the file of automations and owners."),
}
"""Name of a command -> where it is and what its line in the help says; nothing is imported for the help."""


GROUPS: dict[str, tuple[str, ...]] = {
    "At 3 a.m.": ("find", "pause", "status", "card", "hold", "gate", "resume"),
    "Evidence and decisions": (
        *("review", "affected", "decide", "recheck", "report", "back-test"),
        *("load", "sync", "sql", "audit"),
    ),
    "People and policy": ("key", "policy", "signoff", "reviewed"),
    "Set-up and services": (
        *("demo", "store", "registry", "doctor", "lab", "serve", "mirror", "triggers"),
        *("engine", "drill"),
    ),
}
"""What the help shows together, in the order in which it is needed."""


MEANT: dict[str, str] = {
    "unpause": "resume",
    "unhold": "resume",
    "release": "resume H-N --full",
    "restart": "resume",
    "start": "resume",
    "stop": "pause",
    "kill": "pause",
    "freeze": "pause",
    "halt": "pause",
    "holds": "hold list",
    "list": "hold list",
    "init": "store init",
    "verify": "audit verify",
}
"""What people type in a hurry -> the command that they mean."""


_LINE_CHARACTERS = 1_000
"""Of one line of a refusal; the longest path that is usual fits."""


class LazyGroup(click.Group):
    """Imports a command only when it is called, so that a pause starts quickly from a cold shell."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the groups."""
        return [name for names in GROUPS.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command; None where there is no such name."""
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown name is refused with the nearest one that there is."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0].lower(), VERBS, 1)
            meant = MEANT.get(args[0].lower()) or (near[0] if near else "")
            hint = f"did you mean `workbench {meant}`?" if meant else "see `workbench --help`."
            ctx.fail(f"There is no command {args[0]!r}; {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands."""
        with formatter.section("Commands"):
            for title, names in GROUPS.items():
                with formatter.section(title):
                    formatter.write_dl([(f"{name:<9}", VERBS[name][1]) for name in names])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="workbench")
def root() -> None:
    """Pause automation in seconds, prove that it stopped, decide on evidence whether to restart it."""


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its code; a failure is one sentence and what to do next."""
    _write_whatever_comes()
    code = _run(arguments)
    _let_go()
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    try:
        words = _readable(sys.argv[1:] if arguments is None else arguments)
        code = root.main(args=words, prog_name="workbench", standalone_mode=False, obj=list(words))
    except WorkbenchError as exc:
        _say(exc.message, exc.then)
        return exc.exit_code
    except click.ClickException as exc:
        _show(exc)
        return exc.exit_code
    except OSError as exc:
        _say(*_what_cannot_be_used(exc))
        return StorageUnavailable.exit_code
    except MemoryError:
        _say(
            "There was not enough memory; a command is recorded whole or not at all.",
            "free memory, and see with `workbench status` what was recorded; nothing else is",
        )
        return StorageUnavailable.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("Stopped at the keyboard; nothing further was done.", "")
        return 130
    except Exception as exc:  # noqa: BLE001  # whatever it is, the operator reads a sentence first
        _confess(exc)
        return WorkbenchError.exit_code
    return _code(code)


def _readable(words: Sequence[str]) -> list[str]:
    """Return the words of a command; raises UsageFault for one that is not text in UTF-8.

    A shell or a file system of another encoding hands over bytes that are no text: neither the log nor the warehouse
    can hold them. A pause is not stopped by them. What stands behind `--` is another program's and stays as it is.
    """
    end = words.index("--") if "--" in words else len(words)
    if words and words[0] == "pause":
        return [_marked(word) for word in words]
    for word in words[:end]:
        if _marked(word) != word:
            raise UsageFault(
                f"{_marked(word)!r:.200} is not text in UTF-8, and nothing else can be recorded; nothing was done.",
                next_step="type it in a terminal that is set to UTF-8; a file, rename it first",
            )
    return list(words)


def _marked(word: str) -> str:
    return word.encode("utf-8", "replace").decode()


def _code(returned: Any) -> int:
    return returned if isinstance(returned, int) else 0


def _what_cannot_be_used(exc: OSError) -> tuple[str, str]:
    """Return what failed, and the next step; a print-out that nobody takes says nothing of the command itself."""
    why = exc.strerror or str(exc)
    if any(
        frame.f_code is click.echo.__code__ for frame, _ in traceback.walk_tb(exc.__traceback__)
    ):
        again = "before you give the command again look at `workbench status`: it may be recorded"
        return f"What this command says cannot be written: {why}.", again
    return f"{exc.filename or 'A file'} cannot be used: {why}.", "run `workbench doctor`"


def _say(message: str, next_step: str) -> None:
    from workbench.cli.present import one_line, printable

    # Further lines of a message are marked, so that quoted text cannot pose as a line of ours.
    said = _cut(printable(message)).replace("\n", "\n    | ")
    with contextlib.suppress(OSError):  # the exit code says it where nobody can be told
        click.echo(f"workbench: {said}", err=True)
        if next_step:
            click.echo(_cut(f"    next: {one_line(next_step)}"), err=True)


def _show(exc: click.ClickException) -> None:
    """Print what click has to say about the words of a command, those words made inert."""
    from workbench.cli.present import printable

    out = io.StringIO()
    exc.show(out)
    with contextlib.suppress(OSError):
        click.echo(_cut(printable(out.getvalue())), err=True, nl=False)


def _cut(text: str) -> str:
    """Return text whose lines fit a screen: what somebody wrote is quoted in many a message, however long it is."""
    half = _LINE_CHARACTERS // 2
    return "\n".join(
        line if len(line) <= _LINE_CHARACTERS else f"{line[:half]} ... {line[-half:]}"
        for line in text.split("\n")
    )


def _confess(exc: Exception) -> None:
    """Say that a defect stopped the command, what to do first, and then all that is known of it."""
    from workbench.cli.present import one_line, printable

    what = one_line(f"{type(exc).__name__}: {exc}")[:200]
    _say(
        f"This is a defect of the workbench, not of what you typed ({what}); the details are below.",
        "see with `workbench status` what was recorded, and report the lines below",
    )
    click.echo(printable("".join(traceback.format_exception(exc))), err=True, nl=False)


def _write_whatever_comes() -> None:
    """Let no letter that the terminal's encoding lacks end a command half printed."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _let_go() -> None:
    """Let no stream that cannot be written change the exit code, or add lines of Python's own, while this ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        except (AttributeError, ValueError):
            continue  # closed before this began

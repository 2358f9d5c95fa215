"""The command line as a whole: its table of commands, its refusals, and what a defect looks like."""

from __future__ import annotations

import ast
import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from tests.cli.ground import HOSTILE, OBEYED, a_hold, a_store, events, inert, refused, run, usage
from workbench import errors
from workbench.cli import GROUPS, VERBS, find, main, root, status
from workbench.settings import Settings

CODES = {
    errors.WorkbenchError: 1,
    errors.UsageFault: 2,
    errors.ScopeError: 2,
    errors.Refused: 3,
    errors.Conflict: 3,
    errors.SourceError: 3,
    errors.NotFound: 4,
    errors.NoMatch: 4,
    errors.NotConfirmed: 10,
    errors.Spooled: 11,
    errors.ReportIncomplete: 12,
    errors.TooManyRejects: 13,
    errors.AuditBroken: 14,
    errors.StorageUnavailable: 15,
    errors.NothingPaused: 15,
    errors.StoreMissing: 15,
    errors.WarehouseError: 15,
    errors.QueryError: 15,
    errors.EngineError: 16,
    errors.BadSettings: 17,
}


def fail_with(monkeypatch: pytest.MonkeyPatch, fault: BaseException) -> None:
    """Let `workbench status` meet a fault."""

    def open_control(*_: Any, **__: Any) -> None:
        raise fault

    monkeypatch.setattr(status, "open_control", open_control)


def child(*words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, where nobody is at the terminal."""
    line = [sys.executable, "-m", "workbench", *words]
    return subprocess.run(
        line, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, **more
    )


@pytest.mark.parametrize("name", VERBS)
def test_each_name_of_the_table_is_a_command(name: str) -> None:
    """Whatever the table of commands names can be imported, is a click command, and says what it is."""
    found = root.get_command(click.Context(root), name)
    assert isinstance(found, click.Command)
    assert (found.help or "").strip()


@pytest.mark.parametrize("name", VERBS)
def test_each_command_explains_itself(name: str) -> None:
    """`--help` and `-h` of every command print its form, need no store, and exit 0."""
    long, short = run(name, "--help"), run(name, "-h")
    assert (long.code, short.code) == (0, 0)
    assert f"Usage: workbench {name}" in long.out
    assert long.out == short.out


def test_the_help_lists_every_command_and_what_it_does() -> None:
    """The table in the help is whole: each name with its sentence, in the table's order."""
    found = run("--help")
    assert found.code == 0
    lines = found.out.partition("Commands:\n")[2].splitlines()
    names = [
        line.split()[0] for line in lines if line.startswith("    ") and line[4:5] not in (" ", "")
    ]
    assert names == [name for group in GROUPS.values() for name in group]
    assert sorted(names) == sorted(VERBS), "each command stands in one group"
    titles = [line.strip(": ") for line in lines if line.startswith("  ") and line[2] != " "]
    assert titles == [*GROUPS]
    assert all(text.split()[0] in found.out for _, text in VERBS.values())


def test_the_help_imports_no_command() -> None:
    """Asking for help in a fresh process loads none of the commands, so that it is quick."""
    code = (
        "import sys\nfrom workbench.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([n for n in sys.modules if n.startswith('workbench.cli.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ast.literal_eval(done.stdout.splitlines()[-1]) == []


def test_a_bare_call_prints_the_help_and_is_a_usage_fault() -> None:
    """`workbench` alone shows what there is and is not mistaken for success."""
    found = run()
    assert found.code == 2
    assert "Commands:" in found.said


def test_the_version_is_printed() -> None:
    """`--version` names program and version and exits 0."""
    found = run("--version")
    assert (found.code, found.out.split()[0]) == (0, "workbench,")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("stauts", "status"),
        ("puase", "pause"),
        ("PAUSE", "pause"),
        ("holds", "hold list"),
        ("unpause", "resume"),
        ("unhold", "resume"),
        ("restart", "resume"),
        ("Stop", "pause"),
    ],
)
def test_a_mistyped_command_is_answered_with_the_nearest_one(typed: str, meant: str) -> None:
    """An unknown command is refused with exit code 2, and the nearest name is proposed."""
    usage(run(typed, "*"), f"There is no command '{typed}'", f"did you mean `workbench {meant}`?")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("kind=agent", "--reason", "wrong amounts"), "pause SCOPE"),
        (("*",), "pause SCOPE"),
        (("invoice-triage",), "pause SCOPE"),
        (("H-1",), "hold list"),
        (("relase", "H-1"), "hold release"),
    ],
)
def test_hold_as_a_verb_is_answered_with_pause(words: tuple[str, ...], meant: str) -> None:
    """`workbench hold SCOPE` pauses nothing and says which command does; a hold's id points to the list."""
    a_store()
    usage(run("hold", *words), f"no command '{words[0]}'", f"did you mean `workbench {meant}`?")
    assert events("hold.place") == []


def test_a_command_like_nothing_points_to_the_help() -> None:
    """Where nothing is near, the help is named."""
    usage(run("xylophone"), "There is no command 'xylophone'; see `workbench --help`.")


@pytest.mark.parametrize(
    "words",
    [
        ("status", "--loud"),
        ("--loud",),
        ("pause",),
        ("pause", "*", "--mode", "stop"),
        ("pause", "*", "--purpose", "fun"),
        ("resume",),
        ("hold", "drop", "H-1"),
        ("store", "drop"),
        ("gate",),
        ("find",),
        ("card",),
        ("decide",),
        ("review",),
        ("audit", "verify", "all"),
        ("audit", "show", "--after", "soon"),
        ("report", "run", "weather", "--scope", "*", "--since", "x"),
        ("report", "run", "restart-decision", "--scope", "*"),
        ("review", "H-1", "--cell-seconds", "0"),
        ("lab", "--port", "0"),
        ("lab", "--port", "http"),
        ("load",),
        ("load", "x.csv", "--table", "run", "--allow-rejects", "2"),
        ("sql",),
        ("sql", "select 1", "--json", "--csv"),
        ("registry", "check"),
        ("store", "init"),
        ("decide", "R-1", "--override", "restart"),
    ],
)
def test_words_that_do_not_fit_are_a_usage_fault(words: tuple[str, ...]) -> None:
    """What cannot be understood is refused with exit code 2 and the form of the command; nothing is made."""
    found = run(*words)
    usage(found, "Usage: workbench")
    assert not Settings.from_environment().store.exists()


@pytest.mark.parametrize(
    "words", [(HOSTILE,), ("status", f"--{HOSTILE}"), ("pause", "*", "--mode", HOSTILE)]
)
def test_hostile_words_come_back_inert(words: tuple[str, ...]) -> None:
    """Words that click quotes in its complaint cannot play with the terminal."""
    found = run(*words)
    assert found.code == 2
    assert not [c for c in OBEYED if c in found.said]


@pytest.mark.parametrize(("kind", "code"), CODES.items())
def test_each_error_ends_with_its_own_code(
    kind: type[errors.WorkbenchError], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every error of the tree prints its sentence and its next step and exits with its documented code."""
    fail_with(monkeypatch, kind("It went wrong.", next_step="do this"))
    found = run("status")
    refused(found, code, "workbench: It went wrong.\n    next: do this\n")
    assert found.out == ""


def test_no_error_is_without_a_code_here() -> None:
    """The list of errors above is whole, so that a new one is given its code on purpose."""
    known = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.WorkbenchError)
    }
    assert known == set(CODES)


@pytest.mark.parametrize(
    "fault", [KeyError("hold"), RuntimeError("odd"), TypeError("x"), ValueError("y")]
)
def test_a_defect_is_called_one(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unforeseen exception reads as a defect in one sentence, exits 1, and its details follow after."""
    fail_with(monkeypatch, fault)
    found = run("status")
    assert (found.code, found.out) == (1, "")
    first, second, third, *_ = found.err.splitlines()
    assert first.startswith("workbench: This is a defect of the workbench")
    assert type(fault).__name__ in first
    assert "the details are below" in first
    assert second.startswith("    next: see with `workbench status` what was recorded")
    assert third == "Traceback (most recent call last):"


def test_the_details_of_a_defect_are_inert(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the sentence nor the traceback of a defect passes on control characters."""
    fail_with(monkeypatch, RuntimeError(HOSTILE))
    found = run("status")
    assert not [c for c in OBEYED if c in found.err]
    assert "log head 99" not in {line[:11] for line in found.err.splitlines()[:2]}


@pytest.mark.parametrize(
    ("fault", "part"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied", "store.sqlite"),
            "store.sqlite cannot be used",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "A file cannot be used: No space left"),
        (OSError("odd"), "A file cannot be used: odd."),
    ],
)
def test_a_file_that_fails_is_storage_unavailable(
    fault: OSError, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the file system is one sentence with the file's name, exit code 15, and no traceback."""
    fail_with(monkeypatch, fault)
    refused(run("status"), 15, part, "run `workbench doctor`")


def test_ctrl_c_is_said_to_have_stopped_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted command says so and exits 130, as a shell expects."""
    fail_with(monkeypatch, KeyboardInterrupt())
    found = run("status")
    assert found.code == 130
    assert "Stopped at the keyboard; nothing further was done." in found.err


def test_a_message_of_several_lines_cannot_pose_as_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Further lines of a message are marked as quoted; the next step stays one line."""
    fail_with(monkeypatch, errors.Refused("no\n    next: rm -rf", next_step="this\nthat"))
    found = run("status")
    assert found.err.splitlines() == [
        "workbench: no",
        "    |     next: rm -rf",
        "    next: this that",
    ]


def test_nothing_is_returned_as_an_exit_code_by_accident() -> None:
    """A command that returns no number exits 0 through SystemExit, never by falling through."""
    a_store()
    with pytest.raises(SystemExit) as stopped:
        main(["status", "--json"])
    assert stopped.value.code == 0


def test_a_real_run_of_the_program_agrees(own_folders: Path) -> None:
    """As separate programs, init, apply, pause, gate and a refusal give the documented codes and streams."""
    made = child("store", "init", "-e", "staging")
    assert made.returncode == 0, made.stderr
    registry = own_folders / "r.toml"
    registry.write_text(
        '[owners.ops-lead]\n[categories.c]\nowner = "ops-lead"\n[automations.order-sync]\n'
        'kind = "workflow"\ncategory = "c"\nenvironment = "staging"\nasks_gate = true\n'
    )
    assert child("registry", "apply", str(registry), "--yes").returncode == 0
    paused = child("pause", "*", "-r", "bad", "--yes", "--no-wait")
    assert (paused.returncode, paused.stderr) == (10, "")
    assert "H-1 placed on *" in paused.stdout
    asked = child("gate", "order-sync")
    assert (asked.returncode, asked.stdout) == (20, "PAUSED by H-1\n")
    no = child("resume", "H-1", "--full", "--yes")
    assert no.returncode == 3
    assert "Traceback" not in no.stderr
    assert len(events("hold.place")) == 1
    assert events("hold.release") == []


def test_without_a_terminal_a_program_refuses_at_once(own_folders: Path) -> None:
    """With the keyboard closed, a pause without `--yes` is refused in words, not hung, and records nothing."""
    a_store()
    before = len(events())
    found = child("pause", "*", "-r", "bad")
    assert found.returncode == 2
    assert "Nobody is at the terminal to confirm." in found.stderr
    assert len(events()) == before


def test_letters_that_the_terminal_lacks_do_not_end_a_command(own_folders: Path) -> None:
    """On a terminal with few letters, the others are printed escaped and the exit code is kept."""
    a_store()
    a_hold(reason="Größe 東京 falsch")
    found = child(
        "hold", "list", encoding="latin-1", env={**os.environ, "PYTHONIOENCODING": "latin-1"}
    )
    assert found.returncode == 0
    assert "Größe \\u6771\\u4eac falsch" in found.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_full_disk_under_the_print_out_stops_no_pause(more: tuple[str, ...]) -> None:
    """Where nothing can be printed the hold is placed all the same, and the error stream names it."""
    a_store()
    line = [sys.executable, "-m", "workbench", "pause", "*", "-r", "x", "--yes", "--no-wait", *more]
    with open("/dev/full", "w") as full:
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert len(events("hold.place")) == 1
    assert done.returncode == 10
    assert "H-1 is recorded; its receipt cannot be printed: No space left on device." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_went_away_stops_no_pause() -> None:
    """A pause whose output is piped to a program that ended is placed all the same."""
    a_store()
    reading, writing = os.pipe()
    os.close(reading)
    line = [sys.executable, "-m", "workbench", "pause", "*", "-r", "x", "--yes", "--no-wait"]
    done = subprocess.run(line, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writing)
    assert len(events("hold.place")) == 1
    assert done.returncode == 10
    assert "H-1 is recorded" in done.stderr


def test_words_that_are_not_utf8_stop_no_pause(own_folders: Path) -> None:
    """A reason typed in another encoding is recorded with its letters replaced; the pause stands."""
    a_store()
    line = [
        sys.executable,
        "-m",
        "workbench",
        "pause",
        "*",
        "--yes",
        "--no-wait",
        "-r",
        b"Gr\xf6\xdfe",
    ]
    done = subprocess.run(line, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode == 10, done.stderr
    (placed,) = events("hold.place")
    assert placed.reason.startswith("Gr")
    assert placed.reason.encode()


def test_find_and_status_share_the_inertness_of_their_words() -> None:
    """An unknown word is quoted inertly in the refusal."""
    a_store()
    assert find.command.name == "command"
    found = run("find", HOSTILE)
    refused(found, 4, "Nothing registered matches")
    inert(found)


@pytest.mark.parametrize(
    ("words", "step"),
    [
        (("pause", "kind=agent", "-r", "it's wrong"), "`workbench pause kind=agent -r 'it'\"'\"'s wrong' --yes`"),
        (("resume", "H-1", "--full", "--break-glass", "why"), "`workbench resume H-1 --full --break-glass why --yes`"),
        (("resume", "H-1"), "`workbench resume H-1 --only SCOPE --runs N`, or `workbench resume H-1 --full`"),
        (("resume", "H-1", "--only", "*"), "`workbench resume H-1 --only '*' --runs N`"),
        (("signoff", "request", "H-1", "--only", "*"), "`workbench signoff request H-1 --only '*' --runs N`"),
        (("pause", "kind=agent", "-r", " ", "-y"), "`workbench pause kind=agent --reason TEXT`"),
        (("resume", "H-1", "--only", "*", "--runs", "0"), "`workbench resume H-1 --only '*' --runs N`"),
        (("resume", "H-1", "--only=*", "--runs=0", "-y"), "`workbench resume H-1 '--only=*' -y --runs N`"),
        (("resume", "H-1", "--only", "*", "--full", "--runs", "2"), "`workbench resume H-1 --only '*' --runs N`, or `workbench resume H-1 --full`"),
        (("resume", "H-1", "--full", "--reads-only"), "`workbench resume H-1 --full`, or `workbench resume H-1 --reads-only --only SCOPE --runs N`"),
        (("hold", "take-over", "H-1"), "`workbench hold take-over H-1 --reason TEXT`"),
    ],
)  # fmt: skip
def test_the_next_step_is_the_command_to_type(words: tuple[str, ...], step: str) -> None:
    """What is refused for want of a word names the whole command with it, quoted for a shell."""
    a_store()
    a_hold()
    found = run(*words)
    assert found.code in (2, 3), found.said
    assert found.err.splitlines()[-1] == f"    next: {step}"

"""The entry point: whenever the keyboard ends a command, it ends without a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.__main__ import main

INTERRUPTED = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"
TELLING = (
    "import os, signal\nprint(signal.getsignal(signal.SIGINT).name, flush=True)\nos._exit(0)\n"
)


def started(tmp_path: Path, click: str, *, is_ignored: bool = False) -> tuple[int, str, str]:
    """Run `python -m workbench status`, with a module for `click` that does this when it is imported."""
    (tmp_path / "click.py").write_text(click)
    paths = [str(tmp_path), str(Path(__file__).parents[2])]
    done = subprocess.run(
        [sys.executable, "-m", "workbench", "status"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_IGN if is_ignored else signal.SIG_DFL
        ),
    )
    return done.returncode, done.stdout, done.stderr


def test_the_keyboard_ends_a_command_that_is_being_imported(tmp_path: Path) -> None:
    """Ctrl-C in the first moments ends the process by its signal, and not a word of Python is printed."""
    assert started(tmp_path, INTERRUPTED) == (-signal.SIGINT, "", "")


def test_a_job_in_the_background_goes_on(tmp_path: Path) -> None:
    """Where the signal is ignored from the start, as a shell does for its background jobs, it stays ignored."""
    assert started(tmp_path, TELLING, is_ignored=True)[:2] == (0, "SIG_IGN\n")
    assert started(tmp_path, TELLING)[1] == "SIG_DFL\n"


def test_the_signal_is_the_command_s_own_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the command runs, Ctrl-C is Python's again, so that what was begun is cleaned up."""
    seen: list[object] = []
    monkeypatch.setattr("workbench.cli.main", lambda: seen.append(signal.getsignal(signal.SIGINT)))
    before = signal.getsignal(signal.SIGINT)
    main()
    assert seen == [before]

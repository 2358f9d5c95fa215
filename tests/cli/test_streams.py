"""What a command says where nobody takes it: the exit code stays, and no line of Python's is added."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.ground import a_hold, a_store, events

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this system")


def ended(*words: str, out: Path = FULL, err: Path | None = None) -> tuple[int, str]:
    """Run a command in a process of its own, its print-out to a file; return exit code and what it complained of."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    with out.open("w") as taken, (err or Path(os.devnull)).open("w") as complaints:
        done = subprocess.run(
            [sys.executable, "-m", "workbench", *words],
            stdin=subprocess.DEVNULL,
            stdout=taken,
            stderr=complaints if err else subprocess.PIPE,
            text=True,
            timeout=60,
            env=environment,
        )
    return done.returncode, done.stderr or ""


@needs_full
def test_a_print_out_that_cannot_be_written_is_said_to_be_so() -> None:
    """A full disk under the print-out is told apart from a broken store, in one sentence with the next step."""
    a_store()
    code, said = ended("status")
    assert code == 15
    first, then = said.splitlines()
    assert first == "workbench: What this command says cannot be written: No space left on device."
    assert "`workbench status`" in then


@needs_full
def test_a_pause_keeps_its_exit_code_whoever_takes_its_receipt() -> None:
    """A pause that is recorded exits as recorded, with its streams full or closed, and says nothing twice."""
    a_store()
    words = ("pause", "kind=workflow", "-r", "wrong amounts", "-y", "--no-wait")
    code, said = ended(*words)
    assert (code, len(said.splitlines())) == (10, 2)
    assert "H-1 is recorded; its receipt cannot be printed" in said
    assert ended(*words, err=FULL)[0] == 10
    assert len(events("hold.place")) == 2


@needs_full
def test_a_refusal_keeps_its_exit_code_where_it_cannot_be_said() -> None:
    """Where both streams are full the exit code alone says what happened, and it is the refusal's own."""
    a_store()
    a_hold()
    assert ended("decide", "R-9", "-y", out=Path(os.devnull), err=FULL)[0] == 4

"""Folders that may not be looked into: a pause is recorded or spooled all the same, and the doctor says which."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.ground import a_hold, a_store, events, run
from workbench.settings import Settings
from workbench.store.keeping import close_kept

PAUSE = ("pause", "kind=workflow", "-r", "wrong amounts", "-y", "--no-wait")
BOUND = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner")
"""The administrator as anybody else: without it file modes do not bind them."""


@contextmanager
def closed(folder: Path) -> Iterator[None]:
    """Let nobody look into a folder for a while."""
    close_kept()
    folder.chmod(0)
    try:
        yield
    finally:
        folder.chmod(0o700)


def ended(*words: str) -> tuple[int, str]:
    """Run a command in a process that file modes bind; return its exit code and all that it said."""
    is_root = os.geteuid() == 0
    if is_root and shutil.which(BOUND[0]) is None:
        pytest.skip("file modes do not bind root, and there is no setpriv")
    done = subprocess.run(
        [*(BOUND if is_root else ()), sys.executable, "-m", "workbench", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stdout
    return done.returncode, done.stdout


@pytest.fixture
def settings() -> Settings:
    """Make a store with a hold, its gate folder and a home."""
    a_store()
    a_hold()
    found = Settings.from_environment()
    found.home.mkdir(parents=True, exist_ok=True)
    return found


def test_a_gate_folder_that_is_closed_stops_no_pause(settings: Settings) -> None:
    """The pause stands in the log, is not confirmed and says that gates were not told; status and doctor go on."""
    with closed(settings.gate):
        code, said = ended(*PAUSE)
        assert code == 10 and "RECORDED, NOT DELIVERED" in said, said
        assert ended("status")[0] == 0
        code, said = ended("doctor")
        assert (code, "make the gate folder writable" in said) == (15, True), said
    assert len(events("hold.place")) == 2


def test_a_home_that_is_closed_stops_no_pause(settings: Settings) -> None:
    """Somebody else's home holds neither a key nor engines that can be used; the pause is recorded without."""
    with closed(settings.home):
        code, said = ended(*PAUSE)
        assert code == 10 and "H-2 placed" in said, said
        for words in (("doctor",), ("audit", "verify")):
            code, said = ended(*words)
            assert (code, "anchors cannot be looked at" in said) == (15, True), said
        code, said = ended("sql", "select 1")
        assert (code, "cannot be read: Permission denied" in said) == (15, True), said
    assert len(events("hold.place")) == 2


def test_a_store_that_is_closed_is_no_missing_one(settings: Settings) -> None:
    """A pause goes to the spool, and who asks hears of the right that lacks: nobody is told to make a new store."""
    with closed(settings.store):
        code, said = ended(*PAUSE)
        assert code == 11 and "cannot be looked at: Permission denied" in said, said
        code, said = ended("doctor")
        assert (code, "store init" in said, "Permission denied" in said) == (15, False, True), said
    assert run("status").code == 0
    assert len(events("hold.place")) == 2  # what was spooled is recorded now


def test_without_store_and_spool_nothing_is_paused_and_it_is_said(tmp_path: Path) -> None:
    """Where no store is, a pause says in capitals what that means, with what to do by hand."""
    found = run(*PAUSE)
    assert found.code == 15
    assert found.err.startswith("workbench: NOTHING is paused: There is no store in ")
    assert "stop by hand what must not run, then point WORKBENCH_STORE at it" in found.err

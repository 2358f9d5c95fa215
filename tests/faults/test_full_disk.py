"""Exports and loads on a disk that fills up half-way: nothing half written is ever taken for whole (F04)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.ground import run
from tests.faults.test_real_faults import needs_mounts, small_disk
from tests.store.ground import a_control, break_glass, pause, settings_in
from tests.store.test_anchors import verify_export
from tests.warehouse.conftest import run_row, write_lines
from workbench.control import Control
from workbench.errors import StorageUnavailable
from workbench.store.exporting import export_log
from workbench.store.keeping import close_kept
from workbench.warehouse import Warehouse

__all__ = ["small_disk"]

pytestmark = needs_mounts

PAGES = [0, 1, 2, 5, 9, 17, 40]
"""Pages of four kilobytes that are left: none, some for a part of what is written, and enough at the end."""


def fill_but(folder: Path, pages: int) -> Path:
    """Fill a disk up to a number of pages."""
    filler = folder / "filler"
    free = os.statvfs(folder)
    with filler.open("wb") as file:
        file.write(b"x" * (free.f_bavail * free.f_bsize - pages * 4096))
    return filler


@pytest.fixture(scope="module")
def long_log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Control]:
    """Return a store with checkpoints whose export takes about twenty pages."""
    control = a_control(tmp_path_factory.mktemp("long"))
    for number in range(30):
        hold = pause(control, reason=f"{number} {'wrong amounts ' * 30}").hold
        if number % 3:
            control.resume_full(break_glass(hold.hold_id))
    yield control


@pytest.mark.parametrize("pages", PAGES)
def test_an_export_on_a_full_disk_is_whole_or_none(
    small_disk: Path, long_log: Control, pages: int
) -> None:
    """Wherever the disk ends, either the export verifies to the last event, or no file of it is left."""
    out = small_disk / "out"
    filler = fill_but(small_disk, pages)
    folders = long_log.store.anchor_folders
    try:
        made = export_log(long_log.store, out, anchors=folders)
        count = made.event_count
    except StorageUnavailable as exc:
        assert "No space left" in exc.message
        assert not out.exists()
        count = 0
    assert (pages > 0 or not count) and (pages < PAGES[-1] or count)
    filler.unlink()
    if not count:
        count = export_log(long_log.store, out, anchors=folders).event_count
    code, said = verify_export(out)
    assert (code, said.startswith(f"ok to {count}, anchored to the end")) == (0, True), said


@pytest.mark.parametrize("pages", PAGES)
def test_a_load_on_a_full_disk_is_whole_or_none(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    """Wherever the disk ends, the warehouse has all rows of the file or those from before, and the next load all."""
    home = small_disk / "home"
    monkeypatch.setenv("WORKBENCH_HOME", str(home))
    first = write_lines(tmp_path / "first.jsonl", [run_row(f"a{n}") for n in range(20)])
    rows = [run_row(f"b{n}", error_message=os.urandom(80).hex()) for n in range(600)]
    second = write_lines(tmp_path / "second.jsonl", rows)
    assert run("load", "--table", "run", str(first)).code == 0
    filler = fill_but(small_disk, pages)
    done = run("load", "--table", "run", str(second))
    assert done.code in (0, 15), done.said
    assert (pages > 0 or done.code) and (pages < PAGES[-1] or not done.code)
    assert "Traceback" not in done.err
    assert count_of(home) == (620 if done.code == 0 else 20)
    filler.unlink()
    again = run("load", "--table", "run", str(second))
    assert (again.code, count_of(home)) == (0, 620), again.said
    assert ("already loaded" in again.out) is (done.code == 0)


def count_of(home: Path) -> int:
    """Return how many runs the newest version of a warehouse has."""
    with Warehouse.open(home).snapshot() as snapshot:
        return int(snapshot.sql("select count(*) as n from run")["n"].iloc[0])


def test_on_a_full_disk_status_and_doctor_say_so(small_disk: Path) -> None:
    """F04: a command that cannot even read says that the disk is full and what the spool holds, and no circle."""
    control = a_control(small_disk)
    pause(control)
    variables = {**os.environ, **settings_in(small_disk).as_environment()}
    close_kept()
    filler = fill_but(small_disk, 0)
    words = [sys.executable, "-m", "workbench"]
    asked = ("pause", "automation=order-sync", "-r", "wrong amounts", "-y")
    done = [
        subprocess.run([*words, *more], env=variables, capture_output=True, text=True, check=False)
        for more in (asked, ("status",), ("doctor",))
    ]
    filler.unlink()
    paused, status, doctor = done
    assert paused.returncode == 11, paused.stderr
    assert "the disk is full" in status.stderr, status
    assert "The spool holds, and gates obey, a pause of order-sync" in status.stderr
    assert "make room on the disk" in doctor.stdout, doctor

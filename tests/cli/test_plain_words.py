"""What a newcomer meets: each answer names what is so, where, and what to type, and none contradicts itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.cli.ground import a_hold, a_store, alter, refused, run
from workbench.cli.doctor import Finding
from workbench.errors import StorageUnavailable
from workbench.settings import Settings


def row_of(about: str) -> str:
    """Return the doctor's line about something."""
    lines = run("doctor").out.splitlines()
    return next(line for line in lines if line.startswith(about))


def test_the_doctor_counts_the_checkpoints_of_a_log_that_was_altered() -> None:
    """A log that is broken is no log without checkpoints: they are counted, and the reader told to keep them."""
    a_store()
    a_hold()
    alter("update event set body = replace(body, 'ops-lead', 'ops-hero') where seq = 3")
    said = row_of("anchors")
    assert "2 checkpoints in" in said and "keep them" in said, said
    assert "none yet" not in said


def test_no_line_of_the_doctor_is_well_and_a_warning() -> None:
    """A warning stands under `is` in place of `well`, and the same words are not said twice."""
    a_store()
    said = row_of("anchors")
    assert said.split()[:3] == ["anchors", "WARNING", "none"], said
    assert "well  WARNING" not in run("doctor").out
    assert Finding("x", False, "WARNING, y").cells[1] == "WRONG"


def test_the_doctor_sends_nobody_to_the_doctor() -> None:
    """A store that cannot be used, with an error that knows no step of its own, gets one that is not a circle."""
    a_store()
    store = Settings.from_environment().store / "store.sqlite"
    store.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    found = run("doctor")
    assert (found.code, StorageUnavailable.next_step in found.out) == (15, False), found.out
    assert "see that the disk has room" in found.out


def test_a_folder_of_checkpoints_that_is_not_there_is_no_log_without_anchors(
    tmp_path: Path,
) -> None:
    """`audit verify --anchors` with a slip in the path is an error that names it, not `ok, unanchored`."""
    a_store()
    a_hold()
    absent = tmp_path / "nope"
    refused(
        run("audit", "verify", "--anchors", str(absent)), 2, f"{absent}: there is no such folder"
    )
    assert run("audit", "verify", "--anchors", str(tmp_path)).code == 0


def test_the_exported_verifier_says_what_it_did_not_look_at(tmp_path: Path) -> None:
    """Without a trusted key it says how to name one, and a spoilt file of checkpoints is named as unreadable."""
    a_store()
    a_hold()
    out = tmp_path / "out"
    run("audit", "export", str(out))
    (notes,) = out.glob("*.checkpoints")
    notes.write_text("x")
    words = [sys.executable, "-I", str(out / "verify.py")]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "signatures not looked at: --trust-key HEX" in said and "to 0" not in said.split(";")[1]
    assert f"unreadable, holds no whole checkpoint: {notes.name}" in said

"""What a newcomer meets: each answer names what is so, where, and what to type, and none contradicts itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import apsw
import pytest

from tests.cli.ground import (
    REGISTRY,
    a_hold,
    a_registry_file,
    a_report,
    a_store,
    alter,
    refused,
    run,
)
from tests.control.test_certifying import a_staging_store
from workbench.cli import present, report
from workbench.cli.doctor import Finding
from workbench.errors import StorageUnavailable
from workbench.settings import KEY_FILE, Settings
from workbench.store.connection import unavailable


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


def test_the_gate_says_which_narrow_restart_lets_a_run_through() -> None:
    """Who reads a log of gate answers finds the restart's own id and its hold, not a choice of two."""
    a_store()
    a_hold()
    words = ("resume", "H-1", "--only", "automation=ticket-reply", "--runs", "2")
    assert run(*words, "--break-glass", "shell test", "--yes").code == 0
    said = run("gate", "ticket-reply", "--run", "a").out
    assert said == "CLEAR: let through: narrow restart P-1 under H-1\n"


def test_a_report_that_is_not_there_is_said_before_anybody_is_asked() -> None:
    """`decide` looks for the report first, so nobody answers a question that ends in a refusal."""
    a_store()
    refused(run("decide", "R-1"), 4, "There is no report R-1; newest: none", "workbench review H-N")
    refused(run("decide", ""), 4, "There is no report without a name")
    a_hold()
    a_report("H-1", is_complete=False)
    refused(run("decide", "R-1", typed="y\n"), 3, "R-1 is INCOMPLETE")


def test_the_review_of_a_hold_that_is_over_asks_for_no_decision() -> None:
    """A command that would be refused is not proposed: the hold is released, and that is what is said."""
    document = {"verdict": "keep_paused", "reason": "few runs", "next_command": "workbench resume"}
    made = SimpleNamespace(
        report_id="R-1", name="restart-decision", html="page.html", document=document
    )
    said = "\n".join(report.lines_of(made, is_over=True))
    assert "the hold is released" in said
    assert "workbench decide" not in said and "workbench resume" not in said


def test_a_drill_that_is_too_short_is_given_again_as_it_was() -> None:
    """The command to copy keeps the kind and all else that was typed, and only the watch is longer."""
    a_store()
    words = ("drill", "gate", "--kind", "agent", "--watch", "3", "--yes", "--no-page", "--json")
    again = "`workbench drill gate --kind agent --yes --no-page --json --watch 16` or longer"
    refused(run(*words), 3, "sees nothing", again)


def test_a_certificate_that_lacks_names_the_drills_for_the_kinds_that_are_here(
    tmp_path: Path,
) -> None:
    """`engine certify` of an engine that never passed a drill there says which drill is wanted, kind by kind."""
    a_store()
    place = str(a_staging_store(tmp_path).store.backend.folder)
    found = run("engine", "certify", "gate", "--from", place, "-y")
    refused(found, 4, "`workbench drill gate --kind agent`")
    refused(run("engine", "certify", "other", "--from", place, "-y"), 4, "drill other --kind KIND")


def test_a_reason_of_ten_kilobytes_fills_no_screen() -> None:
    """Status, the list of holds and the pause's review show the beginning and dots; the log has all of it."""
    a_store()
    long = "wrong amounts " * 700
    a_hold(reason=long)
    for words in (("status",), ("hold", "list")):
        said = run(*words).out
        assert "wrong amounts" in said and "..." in said
        assert len(said) < 4000, words
    assert long.strip() in run("audit", "show", "--json").out


def test_a_new_key_is_sent_to_somebody_who_can_enrol_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first key is enrolled by who made it; with one in the store the next step names who can do it."""
    a_store()
    first = run("key", "new").out
    assert "Next: `workbench key enrol " in first
    words = ("--person", "ann", "--role", "ops-lead", "-y")
    registry = REGISTRY.replace('members = ["duty officer"]', 'members = ["ann"]')
    assert run("registry", "apply", str(a_registry_file(registry)), "-y").code == 0
    assert run("key", "enrol", first.splitlines()[1], *words).code == 0
    (Settings.from_environment().home / KEY_FILE).unlink()
    second = run("key", "new").out
    assert "send this to a person who has a key here (ann), to type it: `workbench key" in second


def test_a_store_on_a_full_disk_says_that_the_disk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's `disk I/O error` is told with its cause where the disk has no room, and left alone where it has."""
    said = unavailable(Path("/tmp/store.sqlite"), apsw.IOError("disk I/O error"))
    assert ("full" in said.message, said.then) == (False, StorageUnavailable.next_step)
    usage = SimpleNamespace(free=4096)
    monkeypatch.setattr("workbench.store.connection.shutil.disk_usage", lambda _: usage)
    said = unavailable(Path("/tmp/store.sqlite"), apsw.IOError("disk I/O error"))
    assert "the disk is full (disk I/O error)" in said.message
    assert said.then.startswith("make room on the disk")


def test_status_without_a_store_tells_what_the_spool_holds() -> None:
    """Where the store cannot be used, what waits in the spool and stops automations all the same is named."""
    a_store()
    path = Settings.from_environment().store / "store.sqlite"
    whole = path.read_bytes()
    path.write_bytes(b"")
    said = run("status")
    assert (said.code, "spool" in said.err) == (15, False)
    assert run("pause", "automation=ticket-reply", "-r", "wrong", "-y").code == 11
    refused(run("status"), 15, "The spool holds, and gates obey, a pause of ticket-reply since 20")
    path.write_bytes(whole)
    assert run("status").code == 0


def test_counts_have_their_noun() -> None:
    """One is singular, none and many are not, and thousands are set apart."""
    said = [present.counted(n, "change") for n in (0, 1, 1204)]
    assert said == ["0 changes", "1 change", "1,204 changes"]
    assert present.counted(2, "entry", plural="entries") == "2 entries"

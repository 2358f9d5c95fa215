"""An export holds every witness once, and is whole or is none."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from tests.store.copies import a_copy
from tests.store.ground import pause
from tests.store.test_anchors import anchored, rewritten, verify_export
from workbench.errors import StorageUnavailable
from workbench.store import exporting
from workbench.store.anchors import anchor_file, append_note, notes_in
from workbench.store.exporting import EVENTS, export_log


def test_checkpoints_of_reports_are_collected_once(tmp_path: Path) -> None:
    """Notes beside a report, in its notebook and in its page are one witness, and no second one beside an anchor file."""
    control, elsewhere, key = anchored(tmp_path, "signed")
    shelf = tmp_path / "home" / "reports"
    store_id = control.head_note().store_id
    a_copy(control, shelf / "R-1")  # its note lies in the anchor folder, too
    control.store.anchor_folders = ()
    pause(control, "automation=ticket-reply")
    newest = control.head_note().seq
    a_copy(control, shelf / "R-2")
    append_note([shelf / "R-2"], store_id, note=control.checkpoint(control.state()))
    made = export_log(control.store, tmp_path / "out", anchors=(elsewhere,), shelf=shelf)
    in_folder = len(notes_in(anchor_file(elsewhere, store_id).read_text()))
    assert (made.note_count, made.reported_count) == (in_folder + 1, 2)
    (extra,) = (tmp_path / "out").glob("reports-*")
    assert len(notes_in(extra.read_text())) == 1
    code, said = verify_export(tmp_path / "out", "--trust-key", key.public_hex)
    assert (code, said.startswith(f"ok to {newest}, anchored to the end")) == (0, True), said
    assert f"signed by a trusted key to {newest}" in said


def test_without_reports_nothing_more_is_written(tmp_path: Path) -> None:
    """An empty shelf, or none, leaves the checkpoints of the anchor folders."""
    control, elsewhere, _ = anchored(tmp_path, "unsigned")
    made = export_log(control.store, tmp_path / "out", anchors=(elsewhere,), shelf=tmp_path / "no")
    assert made.reported_count == 0
    assert not list((tmp_path / "out").glob("reports-*"))


def test_a_report_alone_finds_a_rewritten_log_in_its_export(tmp_path: Path) -> None:
    """All anchor files gone and the log rewritten, the shelf still holds what the export's verifier needs."""
    control, elsewhere, _ = anchored(tmp_path, "unsigned")
    a_copy(control, tmp_path / "reports" / "R-1")
    shutil.rmtree(elsewhere)
    rewritten(control, lambda bodies: [b.replace("wrong amounts", "planned work") for b in bodies])
    export_log(control.store, tmp_path / "out", anchors=(elsewhere,), shelf=tmp_path / "reports")
    code, said = verify_export(tmp_path / "out")
    assert (code, "not those that a checkpoint saw" in said) == (14, True), said


def test_a_mailed_page_beside_the_verifier_is_a_witness(tmp_path: Path) -> None:
    """Who has nothing but the export and a page that was mailed puts it there, and an edited one is found."""
    control, _, key = anchored(tmp_path, "signed")
    export_log(control.store, tmp_path / "out", anchors=())
    assert "unanchored since 0" in verify_export(tmp_path / "out")[1]
    _, page = a_copy(control, tmp_path / "mail")
    shutil.copy(page, tmp_path / "out")
    code, said = verify_export(tmp_path / "out", "--trust-key", key.public_hex)
    assert (code, "anchored to the end; signed by a trusted key" in said) == (0, True), said
    copy = tmp_path / "out" / page.name
    copy.write_text(copy.read_text().replace('wb-note">workbench/st-', 'wb-note">workbench/st-0'))
    assert verify_export(tmp_path / "out")[0] == 14


@pytest.mark.parametrize("was_there", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_write_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, was_there: bool
) -> None:
    """Whichever file the disk has no room for, the folder is as it was, and the next try succeeds."""
    control, elsewhere, _ = anchored(tmp_path, "unsigned")
    out = tmp_path / "out"
    if was_there:
        out.mkdir()
    calls = []
    write = exporting._write

    def full(path: Path, parts: object) -> None:
        write(path, ["half of it"])
        calls.append(path)
        if len(calls) == at:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(StorageUnavailable, match="No space left"):
        patched.setattr(exporting, "_write", full)
        export_log(control.store, out, anchors=(elsewhere,))
    assert out.exists() is was_there
    assert not was_there or not list(out.iterdir())
    export_log(control.store, out, anchors=(elsewhere,))
    assert verify_export(out)[0] == 0


def test_an_export_that_was_killed_is_no_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log gets its name last: what a killed export left is refused by its own verifier, never "ok" for less."""
    control, elsewhere, _ = anchored(tmp_path, "unsigned")

    def killed(source: Path, target: Path) -> None:
        shutil.copytree(tmp_path / "out", tmp_path / "left")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("workbench.store.exporting.os.replace", killed)
        export_log(control.store, tmp_path / "out", anchors=(elsewhere,))
    assert (tmp_path / "left" / f"{EVENTS}.part").exists()
    assert verify_export(tmp_path / "left")[0] == 2

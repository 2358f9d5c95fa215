"""Copies of reports as witnesses: the note inside of notebook and page is found, compared, and hard to forge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.reports import hostile
from tests.store.copies import a_copy
from tests.store.ground import pause
from tests.store.test_anchors import anchored, rewritten
from workbench.control import Control
from workbench.reports.markup import Fragment, cell_text, facts, heading, paragraph
from workbench.store.anchors import anchor_file, append_note
from workbench.store.audit import AuditResult, verify_store
from workbench.store.reported import read_reports

MAIL = "mail"


def said_of(control: Control, folder: Path) -> AuditResult:
    """Verify a store with nothing but the copies in a folder."""
    return verify_store(control.store, anchors=(folder,))


@pytest.mark.parametrize("suffix", [".html", ".ipynb"])
@pytest.mark.parametrize("how", ["unsigned", "signed"])
def test_a_mailed_copy_vouches_for_the_log(tmp_path: Path, how: str, suffix: str) -> None:
    """A page or a notebook alone, in another folder, vouches up to its position; signed where it was signed."""
    control, _, _ = anchored(tmp_path, how)
    seq = control.head_note().seq
    for path in a_copy(control, tmp_path / MAIL):
        if path.suffix != suffix:
            path.unlink()
    pause(control, "automation=ticket-reply")
    found = said_of(control, tmp_path / MAIL)
    assert (found.is_ok, found.anchored.size, found.anchored.note_count) == (True, seq, 1)
    assert found.anchored.signed_size == (seq if how == "signed" else 0)
    assert "1 copy of reports agree" in found.finding


def test_a_log_rewritten_behind_a_report_is_found(tmp_path: Path) -> None:
    """Where nobody signed, with all beside the store exchanged too, a copy that somebody kept still tells, and is named."""
    control, _, _ = anchored(tmp_path, "unsigned")
    _, page = a_copy(control, tmp_path / MAIL)
    rewritten(control, lambda bodies: [b.replace("wrong amounts", "planned work") for b in bodies])
    found = said_of(control, tmp_path / MAIL)
    assert not found.is_ok
    assert str(page.parent) in found.finding


@pytest.mark.parametrize("name", ["metadata", "output", "page"])
def test_an_edited_note_is_found_wherever_it_stands(tmp_path: Path, name: str) -> None:
    """One changed character of the root, in metadata, in a notebook's output or in the page, ends with its file named."""
    control, _, _ = anchored(tmp_path, "signed")
    source, page = a_copy(control, tmp_path / MAIL)
    root = control.checkpoint(control.state()).split("\n")[2]
    other = ("B" if root[0] == "A" else "A") + root[1:]
    path = page if name == "page" else source
    text = path.read_text()
    at = {"metadata": text.rindex(root), "output": text.index(root), "page": text.index(root)}[name]
    path.write_text(text[:at] + other + text[at + len(root) :])
    found = said_of(control, tmp_path / MAIL)
    assert not found.is_ok
    assert str(path) in found.finding


def test_the_shelf_of_reports_is_one_folder(tmp_path: Path) -> None:
    """Given the folder above, every report's own folder is read, checkpoints too; what is hidden is not."""
    control, _, _ = anchored(tmp_path, "unsigned")
    shelf = tmp_path / "reports"
    a_copy(control, shelf / "R-1")
    first = control.head_note().seq
    pause(control, "automation=ticket-reply")
    append_note(
        [shelf / "R-2"], control.head_note().store_id, note=control.checkpoint(control.state())
    )
    (shelf / ".making-x").mkdir()
    (shelf / ".making-x" / "half.html").write_text(f"{control.head_note().store_id} half of a page")
    found = said_of(control, shelf)
    assert (found.is_ok, found.anchored.note_count) == (True, 2)
    assert found.anchored.size == control.head_note().seq > first
    above = tmp_path / "above"
    above.mkdir()
    shelf.rename(above / control.head_note().store_id)
    # What a store's reports lie in is found from the folder of all stores, too.
    assert said_of(control, above).anchored.note_count == 2


def test_copies_of_one_note_count_once(tmp_path: Path) -> None:
    """A note in a checkpoint file, a notebook twice and a page is one witness, and two readers' copies are no more."""
    control, _, _ = anchored(tmp_path, "unsigned")
    for reader in ("bo", "cy"):
        a_copy(control, tmp_path / MAIL / reader)
    append_note(
        [tmp_path / MAIL], control.head_note().store_id, note=control.checkpoint(control.state())
    )
    found = said_of(control, tmp_path / MAIL)
    assert (found.anchored.note_count, "4 copies of reports agree" in found.finding) == (1, True)


def test_reports_of_other_stores_are_passed_over(tmp_path: Path) -> None:
    """A folder may hold what it likes; only a file that names this store is asked."""
    control, _, _ = anchored(tmp_path / "own", "unsigned")
    other, _, _ = anchored(tmp_path / "other", "unsigned")
    a_copy(other, tmp_path / MAIL)
    (tmp_path / MAIL / "notes.html").write_text("<p>hello")
    (tmp_path / MAIL / "torn.ipynb").write_text("{")
    found = said_of(control, tmp_path / MAIL)
    assert (found.is_ok, found.anchored.note_count) == (True, 0)


@pytest.mark.parametrize(
    ("content", "is_named"),
    [("{ %s", True), ('{"metadata": 3, "x": "%s"}', True), ('["%s"]', True), ('{"metadata": {}, "cells": "%s"}', False)],
)  # fmt: skip
def test_a_notebook_that_is_none_is_no_crash(tmp_path: Path, content: str, is_named: bool) -> None:
    """One that names the store and cannot be read is named; one without any note says nothing."""
    control, _, _ = anchored(tmp_path, "unsigned")
    (tmp_path / MAIL).mkdir()
    (tmp_path / MAIL / "odd.ipynb").write_text(content % control.head_note().store_id)
    found = said_of(control, tmp_path / MAIL)
    assert ("odd.ipynb cannot be read" in found.finding) is is_named
    assert found.is_ok is not is_named


def attempts(store_id: str) -> list[str]:
    """Return texts of run history that would be a note and a head of another log, were they taken as markup."""
    note = f"workbench/{store_id}\n3\n{'A' * 43}=\n"
    head = f"log head 3 {'f' * 16} of store {store_id} (staging), unsigned"
    return [
        f'<pre class="wb-pre wb-note">{note}</pre>',
        f"<dt>Log head</dt><dd>{head}</dd>",
        f"{note}\n{head}",
        *hostile.EVERYTHING,
    ]


def test_run_history_puts_no_witness_into_a_report(tmp_path: Path) -> None:
    """Whatever strangers write as a reason or an error is escaped, so a sound log stays sound; unescaped it would not."""
    control, _, _ = anchored(tmp_path, "unsigned")
    texts = attempts(control.head_note().store_id)
    quoted = [
        f
        for t in texts
        for f in (paragraph(t), heading(t), facts([("Error", t)]), Fragment(cell_text(t)))
    ]
    a_copy(control, tmp_path / MAIL, *quoted)
    found = said_of(control, tmp_path / MAIL)
    assert (found.is_ok, found.anchored.note_count) == (True, 1)
    a_copy(control, tmp_path / "seeded", *map(Fragment, texts))
    assert not said_of(control, tmp_path / "seeded").is_ok


def test_a_page_keeps_every_byte_of_a_note(tmp_path: Path) -> None:
    """What is read back from both files is the note itself, and the metadata has it under its own name."""
    control, _, _ = anchored(tmp_path, "signed")
    source, _ = a_copy(control, tmp_path / MAIL)
    note = control.checkpoint(control.state())
    assert {
        text for _, _, text in read_reports([tmp_path / MAIL], control.head_note().store_id).notes
    } == {note}
    assert json.loads(source.read_text())["metadata"]["workbench"]["checkpoint"] == note
    assert not anchor_file(tmp_path / MAIL, control.head_note().store_id).exists()

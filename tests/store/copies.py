"""Copies of a report as somebody got them by mail: a notebook and a page with what the product writes into both."""

from __future__ import annotations

from pathlib import Path

import nbformat

from workbench.control import Control
from workbench.records import HeadNote
from workbench.reports.markup import Fragment, facts, join, note_block
from workbench.reports.page import stamp, to_html
from workbench.store.reported import HEAD_LABEL


def seal_of(head: HeadNote, note: str, *quoted: Fragment) -> Fragment:
    """Return the part of a page that says where the log stood, behind what the report quotes."""
    return join([*quoted, facts([(HEAD_LABEL, head.text)]), note_block(note)])


def a_copy(control: Control, folder: Path, *quoted: Fragment) -> tuple[Path, Path]:
    """Write notebook and page of a report about the log as it stands; returns both."""
    note = control.checkpoint(control.state())
    cell = nbformat.v4.new_code_cell("shown")  # type: ignore[no-untyped-call]
    page = seal_of(control.head_note(), note, *quoted).html
    cell.outputs = [nbformat.v4.new_output("display_data", {"text/html": page})]  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=[cell])  # type: ignore[no-untyped-call]
    stamp(notebook, title="R-1 Restart decision", incomplete_because=None, checkpoint=note)
    folder.mkdir(parents=True, exist_ok=True)
    source, shown = folder / "restart-decision.ipynb", folder / "restart-decision.html"
    nbformat.write(notebook, source)  # type: ignore[no-untyped-call]
    shown.write_text(to_html(notebook), encoding="utf-8")
    return source, shown

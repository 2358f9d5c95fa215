"""From an executed notebook to one HTML file that opens without a network."""

from __future__ import annotations

import html
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

from workbench.plots.text import plain_text
from workbench.reports.markup import css, note_block
from workbench.store.reported import NOTE_KEY

TEMPLATE_FOLDER = Path(__file__).with_name("template")


def stamp(
    notebook: nbformat.NotebookNode,
    *,
    title: str,
    incomplete_because: str | None,
    checkpoint: str = "",
) -> None:
    """Write a report's title, state and checkpoint into the notebook itself, so that both files carry them."""
    notebook.metadata["workbench"] = {
        "title": plain_text(title),
        "state": "INCOMPLETE" if incomplete_because else "COMPLETE",
        "incomplete_because": plain_text(incomplete_because or ""),
        NOTE_KEY: checkpoint,
    }
    if incomplete_because:
        text = f"# INCOMPLETE\n\nThis report could not be completed. Decide nothing on it. {_inert(incomplete_because)}"
        cell = nbformat.v4.new_markdown_cell(text, metadata={"tags": ["incomplete"]})  # type: ignore[no-untyped-call] # nbformat is half typed
        notebook.cells.insert(0, cell)


def _inert(text: str) -> str:
    return (
        html.escape(plain_text(text))
        .replace("`", "&#96;")
        .replace("[", "&#91;")
        .replace("*", "&#42;")
    )


def to_html(notebook: nbformat.NotebookNode) -> str:
    """Return the notebook as one self-contained page: no script, no prompt, no request."""
    shown = nbformat.from_dict(notebook)  # type: ignore[no-untyped-call] # nbformat is half typed
    shown.cells = [cell for cell in shown.cells if not _is_hidden(cell)]
    exporter = HTMLExporter(
        template_name="report",
        extra_template_basedirs=[str(TEMPLATE_FOLDER)],
        require_js_url="",
        mathjax_url="",
        jquery_url="",
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    exporter.register_filter("strip_ansi", plain_text)
    exporter.register_filter("note_block", lambda note: note_block(note).html)
    page: str
    page, _ = exporter.from_notebook_node(shown, resources={"report_css": css()})
    return page


def _is_hidden(cell: nbformat.NotebookNode) -> bool:
    tags = cell.metadata.get("tags", [])
    # The stamp of the page itself stands above everything; papermill's own markers would repeat it.
    return bool({"incomplete", "papermill-error-cell-tag", "notebook-only"} & set(tags))

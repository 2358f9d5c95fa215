"""Purpose-made notebooks for the runner: a few cells each, written where a test wants them."""

from __future__ import annotations

from pathlib import Path

import nbformat

REPORT_PARAMETERS = """hold_id: str = ''
as_of: str = ''
only: str = ''
onset: str = ''
since: str = ''
manifest_version: int = 0
log_seq: int = 0
run_ticket: str = ''"""
SENTINEL = "TINY-REPORT-COMPLETE 7c1f"


def write_notebook(
    folder: Path, *sources: str, name: str = "tiny.ipynb", parameters: bool = False
) -> Path:
    """Write a notebook with a parameters cell (a report's, where asked for) and code cells."""
    text = REPORT_PARAMETERS if parameters else "label: str = ''  # any text"
    first = nbformat.v4.new_code_cell(text, metadata={"tags": ["parameters"]})
    cells = [first, *(nbformat.v4.new_code_cell(source) for source in sources)]
    notebook = nbformat.v4.new_notebook(
        cells=cells,
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
    )
    path = folder / name
    nbformat.write(notebook, path)
    return path

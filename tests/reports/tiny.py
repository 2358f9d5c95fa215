"""Purpose-made notebooks for the runner: a few cells each, written where a test wants them."""

from __future__ import annotations

from pathlib import Path

import nbformat

SENTINEL = "TINY-REPORT-COMPLETE 7c1f"


def write_notebook(folder: Path, *sources: str, name: str = "tiny.ipynb") -> Path:
    """Write a notebook with a parameters cell and the given code cells; return its path."""
    parameters = nbformat.v4.new_code_cell("label: str = ''  # any text", metadata={"tags": ["parameters"]})
    cells = [parameters, *(nbformat.v4.new_code_cell(source) for source in sources)]
    notebook = nbformat.v4.new_notebook(
        cells=cells,
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    path = folder / name
    nbformat.write(notebook, path)
    return path

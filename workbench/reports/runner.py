"""Runs one notebook with papermill and says, on three independent grounds, whether it is complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from workbench.plots.text import label
from workbench.reports.kernel import kernel_manager_for
from workbench.reports.shelf import PAYLOAD_MIME
from workbench.settings import Settings


@dataclass(frozen=True)
class Execution:
    """How a notebook run ended.

    Attributes:
        notebook: as far as it was executed.
        incomplete_because: None when it is complete, else one sentence.
        payload: what the last cell left under `PAYLOAD_MIME`.
    """

    notebook: nbformat.NotebookNode
    incomplete_because: str | None
    payload: Mapping[str, Any]

    @property
    def is_complete(self) -> bool:
        """Tell whether every condition of a complete report was met."""
        return self.incomplete_because is None


@dataclass(frozen=True)
class RunLimits:
    """How long a report may take; a cell without a limit can hang for ever."""

    cell_seconds: int = 120
    kernel_start_seconds: int = 60


def execute(
    source: Path,
    target: Path,
    *,
    parameters: Mapping[str, str | int],
    sentinel: str,
    settings: Settings,
    limits: RunLimits | None = None,
) -> Execution:
    """Run a notebook into `target` and judge the outcome; failures of the notebook are an outcome, not an error."""
    failure = _call_papermill(source, target, dict(parameters), settings, limits or RunLimits())
    notebook = read_notebook(target if target.exists() else source)
    return Execution(notebook, failure or why_incomplete(notebook, sentinel), payload_of(notebook))


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """Read a notebook file in the current format."""
    notebook: nbformat.NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call] # nbformat is half typed
    return notebook


def _call_papermill(
    source: Path, target: Path, parameters: dict[str, Any], settings: Settings, limits: RunLimits
) -> str | None:
    try:
        papermill.execute_notebook(
            # papermill formats both paths with the parameters; doubled braces keep a folder's own braces.
            _braced(source),
            _braced(target),
            parameters=parameters,
            progress_bar=False,
            kernel_name="python3",
            language="python",
            cwd=str(target.parent),
            start_timeout=limits.kernel_start_seconds,
            execution_timeout=limits.cell_seconds,
            kernel_manager_class=kernel_manager_for(settings),
        )
    except PapermillExecutionError as exc:
        return f"A cell failed: {label(f'{exc.ename}: {exc.evalue}', 300)}"
    except CellTimeoutError:
        return f"A cell ran longer than {limits.cell_seconds} s and was stopped."
    except DeadKernelError:
        return "The kernel died while a cell ran (killed, or out of memory)."
    except (TimeoutError, RuntimeError, OSError) as exc:
        return f"The notebook could not be run: {label(f'{type(exc).__name__}: {exc}', 300)}"
    return None


def _braced(path: Path) -> str:
    return str(path).replace("{", "{{").replace("}", "}}")


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return the code cells that hold any code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def why_incomplete(notebook: nbformat.NotebookNode, sentinel: str) -> str | None:
    """Return the first reason why an executed notebook is not a complete report, or None.

    The call's own success proves little: a killed kernel or a `sys.exit(0)` leaves cells that all say
    completed. So each cell must have been executed without error, and the last must have said the words.
    """
    cells = code_cells(notebook)
    if not cells:
        return "The notebook has no code to run."
    for number, cell in enumerate(cells, start=1):
        if cell.get("execution_count") is None:
            return f"Code cell {number} of {len(cells)} was never run."
        error = next((output for output in cell.outputs if output.output_type == "error"), None)
        if error is not None:
            return f"Code cell {number} of {len(cells)} failed: {label(f'{error.ename}: {error.evalue}', 300)}"
    if sentinel not in _printed_by(cells[-1]):
        return "The last cell did not print the words that end this run."
    return None


def _printed_by(cell: nbformat.NotebookNode) -> str:
    texts = [output.get("text", "") for output in cell.outputs if output.output_type == "stream"]
    texts += [output.data.get("text/plain", "") for output in cell.outputs if "data" in output]
    return "\n".join(texts)


def payload_of(notebook: nbformat.NotebookNode) -> Mapping[str, Any]:
    """Return what the last code cell left for the runner, or nothing."""
    for cell in reversed(code_cells(notebook)):
        for output in cell.outputs:
            if PAYLOAD_MIME in output.get("data", {}):
                found: Mapping[str, Any] = output.data[PAYLOAD_MIME]
                return found
    return {}

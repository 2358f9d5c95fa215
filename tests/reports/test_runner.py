"""The runner calls a report complete on three independent grounds, or says why it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reports.tiny import SENTINEL, write_notebook
from workbench.reports.page import stamp, to_html
from workbench.reports.runner import Execution, RunLimits, execute, why_incomplete
from workbench.settings import Settings

LAST = f"print({SENTINEL!r})"


def run(tmp_path: Path, *sources: str, limits: RunLimits | None = None) -> Execution:
    """Run a tiny notebook made of the given cells."""
    settings = Settings(store=tmp_path / "store", gate=tmp_path / "gate", home=tmp_path / "home")
    source = write_notebook(tmp_path, *sources)
    target = tmp_path / "out.ipynb"
    return execute(
        source,
        target,
        parameters={"label": "x"},
        sentinel=SENTINEL,
        settings=settings,
        limits=limits,
    )


def test_a_run_to_the_end_is_complete_and_sees_the_settings(tmp_path: Path) -> None:
    """A notebook that runs to its last words is complete, and its kernel has the caller's settings."""
    ask = "from workbench.settings import Settings; s = Settings.from_environment(); print(s.home, s.is_unattended)"
    execution = run(tmp_path, ask, LAST)
    assert execution.incomplete_because is None
    assert execution.notebook.cells[-2].outputs[0].text.strip() == f"{tmp_path / 'home'} True"


@pytest.mark.parametrize(
    ("cell", "because"),
    [
        pytest.param("1 / 0", "ZeroDivisionError", id="error"),
        pytest.param("import sys; sys.exit(0)", "SystemExit", id="exit-0"),
        pytest.param(
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "kernel died", id="killed"
        ),
    ],
)
def test_a_run_that_breaks_off_is_incomplete(tmp_path: Path, cell: str, because: str) -> None:
    """An error, a quiet exit and a killed kernel each end INCOMPLETE and say which it was."""
    execution = run(tmp_path, cell, LAST)
    assert not execution.is_complete
    assert because in str(execution.incomplete_because)


def test_a_cell_that_hangs_is_stopped(tmp_path: Path) -> None:
    """A cell that outlasts its limit ends the run INCOMPLETE and names the limit."""
    execution = run(tmp_path, "import time; time.sleep(60)", LAST, limits=RunLimits(cell_seconds=2))
    assert execution.incomplete_because == "A cell ran longer than 2 s and was stopped."


def test_silence_at_the_end_is_incomplete(tmp_path: Path) -> None:
    """Cells that all ran prove nothing when the last one did not say this run's words."""
    execution = run(tmp_path, "print('TINY-REPORT-COMPLETE of another run')")
    assert (
        execution.incomplete_because == "The last cell did not print the words that end this run."
    )


def test_no_word_of_papermill_is_believed(tmp_path: Path) -> None:
    """Metadata that says completed does not make a cell that was never run count."""
    execution = run(tmp_path, LAST)
    for cell in execution.notebook.cells:
        cell.metadata["papermill"]["status"] = "completed"
    execution.notebook.cells[-1]["execution_count"] = None
    assert "never run" in str(why_incomplete(execution.notebook, SENTINEL))


def test_the_page_of_an_incomplete_run_says_so(tmp_path: Path) -> None:
    """The stamp stands in the HTML and in the notebook, with the reason escaped."""
    execution = run(tmp_path, "raise ValueError('<script>alert(1)</script>\\x1b[31m')", LAST)
    stamp(execution.notebook, title="Tiny <b>", incomplete_because=execution.incomplete_because)
    page = to_html(execution.notebook)
    assert 'data-wb-state="INCOMPLETE"' in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert "\x1b" not in page
    assert "INCOMPLETE" in execution.notebook.cells[0].source

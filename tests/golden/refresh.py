"""Makes the golden runs again from the shipped recording: `python -m tests.golden.refresh`; review the diff."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat

from tests.golden.scene import make_scene
from workbench.clock import to_text
from workbench.recordings import Recording, shipped_names
from workbench.reports.make import notebooks_folder
from workbench.reports.runner import execute
from workbench.reports.shelf import PAYLOAD_MIME
from workbench.settings import Settings

FOLDER = Path(__file__).parent
INSTANT = "alert-resolved"
SVG = re.compile(r"<svg[^\n]*</svg>")
NOT_KEPT = (PAYLOAD_MIME, "image/svg+xml")
"""What a golden run does not store: plain JSON for the runner, and drawings that depend on fonts."""


def parameters_of(recording: Recording) -> dict[str, dict[str, str | int]]:
    """Return what each notebook is asked on the recording."""
    instant = recording.instant(INSTANT)
    asked: dict[str, str | int] = {"hold_id": instant.hold_id, "as_of": to_text(instant.at)}
    return {
        "restart_decision": asked,
        "post_incident_review": asked,
        "monthly_review": {"month": f"{instant.at:%Y-%m}", "as_of": to_text(instant.at)},
        "explore": {"automation_id": "invoice-triage"},
    }


def the_recording() -> Recording:
    """Return the recording that the wheel carries."""
    return Recording.open(shipped_names()[0])


def refresh(recording: Recording, folder: Path = FOLDER) -> list[Path]:
    """Execute each notebook on the recording and store it; returns the files."""
    written = []
    with tempfile.TemporaryDirectory(prefix="workbench-golden-") as root:
        settings = make_scene(Path(root), recording, INSTANT)
        for name, parameters in parameters_of(recording).items():
            notebook = run(Path(root), settings, name, parameters=parameters)
            path = folder / f"{name}.ipynb"
            nbformat.write(notebook, path)
            written.append(path)
    return written


def run(root: Path, settings: Settings, name: str, *, parameters: dict[str, Any]) -> Any:
    """Execute one notebook by hand (not recorded) and take out what differs from machine to machine."""
    source = notebooks_folder() / f"{name}.ipynb"
    execution = execute(
        source, root / f"{name}.ipynb", parameters=parameters, sentinel="", settings=settings
    )
    if not execution.is_complete:
        raise SystemExit(f"{name}: {execution.incomplete_because}")
    notebook = execution.notebook
    notebook.metadata.pop("papermill", None)
    for number, cell in enumerate(notebook.cells):
        cell.id = str(number)
        cell.metadata = {"tags": cell.metadata.get("tags", [])}
        if cell.cell_type == "code":
            _settle(cell)
    return notebook


def _settle(cell: Any) -> None:
    cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    for output in cell.outputs:
        if output.output_type == "stream":
            continue  # plain text alone
        output.metadata = {}
        for mime in NOT_KEPT:
            output.data.pop(mime, None)
        page = output.data.get("text/html", "")
        if page.startswith("<style>"):
            # The style sheet is no finding; its place is in the package.
            cell.metadata["tags"].append("nbval-ignore-output")
            cell.outputs = []
            return
        if page:
            output.data["text/html"] = SVG.sub("<svg/>", page)


if __name__ == "__main__":
    for written_path in refresh(the_recording()):
        sys.stdout.write(f"{written_path.name}\n")

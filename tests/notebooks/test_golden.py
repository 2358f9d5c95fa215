"""The analysis notebooks give on the shipped recording what they gave when somebody last looked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.golden.refresh import FOLDER, INSTANT, parameters_of, the_recording
from tests.golden.scene import make_scene
from workbench.recordings import shipped_names
from workbench.settings import child_environment

pytestmark = pytest.mark.slow


def test_the_notebooks_agree_with_their_golden_runs(tmp_path: Path, repository: Path) -> None:
    """Nbval runs each golden notebook again on the recording and compares every output."""
    if not shipped_names():
        pytest.skip("no recording in workbench/recordings of this checkout")
    recording = the_recording()
    settings = make_scene(tmp_path, recording, INSTANT)
    golden = sorted(FOLDER.glob("*.ipynb"))
    assert [path.stem for path in golden] == sorted(parameters_of(recording))
    bare = tmp_path / "none.ini"  # this run must not take up the project's own pytest settings
    bare.write_text("[pytest]\n", encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "--noconftest", "-p", "tests.golden.compare",
            "-p", "no:cacheprovider", "-p", "no:xdist", "-c", str(bare),
            "--nbval", "--nbval-current-env", "--nbval-cell-timeout", "120",
            "--nbval-sanitize-with", str(repository / "tests/notebooks/nbval.cfg"),
            *map(str, golden),
        ],
        cwd=repository,
        env=child_environment(settings, PYTHONPATH=str(repository), PYTHONWARNINGS="ignore"),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]

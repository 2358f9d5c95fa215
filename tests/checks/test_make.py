"""`make` explains itself, and says in one sentence what it lacks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.checks.tree import REPOSITORY, read

TARGETS = {
    *("setup", "demo", "lab", "test", "test-engines", "test-long", "check", "bench", "lock"),
    "screenshots",
}


def make(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run make in a folder with some variables changed, free of the make that runs the tests."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env={**clean, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def bare_clone(tmp_path: Path) -> Path:
    """Return a folder that holds the Makefile and the lock files, and no environment."""
    for name in ("Makefile", "requirements-uv.lock", "requirements.lock", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def old_python(tmp_path: Path) -> Path:
    """Return a folder whose python3 is too old, with nothing else new enough in it."""
    folder = tmp_path / "old"
    folder.mkdir()
    for version in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        script = folder / version
        script.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2"\nexit 1\n')
        script.chmod(0o755)
    return folder


def test_make_alone_lists_every_target(bare_clone: Path) -> None:
    """A newcomer who types `make` sees all targets, each with a sentence, and nothing is made."""
    shown = make(bare_clone)
    assert shown.returncode == 0
    assert set(re.findall(r"^  make ([\w-]+) +\S.{10,}$", shown.stdout, re.MULTILINE)) >= TARGETS
    assert not (bare_clone / ".venv").exists()


def test_an_old_python_is_refused_in_one_sentence(bare_clone: Path, old_python: Path) -> None:
    """Without Python 3.11 setup says what it found and what to do, and leaves nothing behind."""
    path = f"{old_python}{os.pathsep}{os.environ['PATH']}"
    refused = make(bare_clone, "setup", PATH=path)
    assert refused.returncode != 0
    assert "needs Python 3.11 or newer; found Python 3.9.2" in refused.stderr
    assert "make setup PYTHON=" in refused.stderr
    assert not (bare_clone / ".venv").exists()


def test_a_python_without_venv_is_refused_in_one_sentence(bare_clone: Path) -> None:
    """A Python that cannot make environments leads to the package that lets it."""
    broken = bare_clone / "python3"
    broken.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.11.2" && exit 0\nexit 1\n')
    broken.chmod(0o755)
    refused = make(bare_clone, "setup", f"PYTHON={broken}")
    assert refused.returncode != 0
    assert "cannot make virtual environments" in refused.stderr
    assert "python3-venv" in refused.stderr


def test_setup_is_hash_checked_and_never_fetches_a_python() -> None:
    """Every install names --require-hashes or touches no network, and uv may not download Pythons."""
    installs = [line for line in read("Makefile").splitlines() if "pip install" in line]
    assert len(installs) == 6
    assert all("--require-hashes" in line or "--offline" in line for line in installs)
    assert "UV_PYTHON_DOWNLOADS=never" in read("Makefile")


def test_check_reports_every_failure_and_fails_once() -> None:
    """`.ci/check` goes on after a failure, names each failed check at the end and exits non-zero."""
    script = read(".ci/check")
    assert '"$@" || failed+=("$name")' in script
    assert script.count("\ncheck ") == 6
    assert "set -e" not in script

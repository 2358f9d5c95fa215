"""`workbench lab`: what it starts, where, and what it refuses."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.panels.stage import a_control
from workbench.cli import lab
from workbench.clock import FixedClock
from workbench.errors import NotFound, StoreMissing


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Start nothing; return what would have been started."""
    calls: list[dict[str, Any]] = []

    def note(program: str, line: list[str], env: dict[str, str]) -> None:
        calls.append({"program": program, "line": line, "env": env})

    monkeypatch.setattr(lab.os, "execve", note)
    return calls


def test_it_starts_jupyterlab_on_the_panel(
    clock: FixedClock, own_folders: Path, started: list[dict[str, Any]]
) -> None:
    """JupyterLab runs with this Python, on this machine only, on the panel, in a private folder."""
    a_control(clock)
    done = CliRunner().invoke(lab.command, ["--no-browser", "--port", "8123"])
    assert done.exit_code == 0
    (call,) = started
    assert call["line"][:3] == [sys.executable, "-m", "jupyterlab"]
    assert {"--ip=127.0.0.1", "--port=8123", "--no-browser"} <= set(call["line"])
    assert f"--ServerApp.root_dir={own_folders / 'home' / 'notebooks'}" in call["line"]
    assert call["program"] == sys.executable
    assert call["env"]["WORKBENCH_STORE"] == str(own_folders / "store")
    assert "--LabApp.default_url=/doc/tree/control_panel.ipynb" in call["line"]
    assert ("--allow-root" in call["line"]) == (os.geteuid() == 0)
    assert "staging" in done.output


def test_without_a_store_it_refuses_and_says_what_to_type(started: list[dict[str, Any]]) -> None:
    """No store is made silently, and JupyterLab is not started in front of nothing."""
    done = CliRunner().invoke(lab.command, ["--no-browser"])
    assert isinstance(done.exception, StoreMissing)
    assert "workbench store init --environment" in done.exception.then
    assert started == []


def test_running_a_notebook_never_writes_into_the_checkout(
    clock: FixedClock, own_folders: Path, repository: Path, started: list[dict[str, Any]]
) -> None:
    """The notebooks are copied to a folder of one's own; the shipped ones stay as they are."""
    a_control(clock)
    CliRunner().invoke(lab.command, ["--no-browser"])
    copied = own_folders / "home" / "notebooks" / "control_panel.ipynb"
    shipped = repository / "notebooks" / "control_panel.ipynb"
    assert copied.read_bytes() == shipped.read_bytes()
    assert not copied.is_symlink()


def test_an_edited_notebook_is_kept_and_the_panel_is_renewed(tmp_path: Path) -> None:
    """An analyst's changes survive the next start; the panel alone is always the shipped one."""
    source, folder = tmp_path / "shipped", tmp_path / "mine"
    source.mkdir()
    for name in ("control_panel.ipynb", "explore.ipynb"):
        (source / name).write_text("new", encoding="utf-8")
    folder.mkdir()
    for name in ("control_panel.ipynb", "explore.ipynb"):
        (folder / name).write_text("edited", encoding="utf-8")
    lab.copy_notebooks(source, folder)
    assert (folder / "control_panel.ipynb").read_text(encoding="utf-8") == "new"
    assert (folder / "explore.ipynb").read_text(encoding="utf-8") == "edited"


def test_jupyterlab_is_quiet(tmp_path: Path) -> None:
    """No news, no update check, no extension from outside; clicks go to the main thread."""
    line = lab.lab_command(tmp_path, tmp_path / "lab", port=8888, no_browser=False, is_root=False)
    assert "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate" in line
    assert "--LabApp.extension_manager=readonly" in line
    assert "--no-browser" not in line
    assert "--allow-root" not in line
    written = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in (tmp_path / "lab").rglob("*.jupyterlab-settings")
    }
    assert written["notification"]["fetchNews"] == "false"
    assert written["kernels-settings"] == {"commsOverSubshells": "disabled"}


def test_a_broken_installation_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no notebook came along, that is said, with what to do."""
    monkeypatch.setattr(lab, "__file__", str(tmp_path / "a" / "b" / "lab.py"))
    with pytest.raises(NotFound, match=r"control_panel\.ipynb did not come"):
        lab.shipped_notebooks()


def test_a_demo_says_so(
    clock: FixedClock, started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a recorded clock the command says DEMO and hands the clock on to the kernels."""
    a_control(clock)
    monkeypatch.setenv("WORKBENCH_CLOCK", "2026-11-20T03:12:00Z")
    done = CliRunner().invoke(lab.command, ["--no-browser"])
    assert "DEMO: recorded clock, 2026-11-20 03:12:00 UTC" in done.output
    assert started[0]["env"]["WORKBENCH_CLOCK"].startswith("2026-11-20T03:12:00")

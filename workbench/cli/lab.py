"""`workbench lab`: JupyterLab on the control panel."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import click

from workbench.cli.present import head_line, one_line, store_line
from workbench.control import Control, open_control
from workbench.errors import NotFound, WorkbenchError
from workbench.settings import Settings, child_environment

PANEL = "control_panel.ipynb"
SETTINGS: dict[str, dict[str, object]] = {
    # JupyterLab asks the network for news otherwise; the flag for it did not stop the pop-up.
    "notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    # Clicks go to the kernel's main thread. Over subshells, after a kernel was restarted from elsewhere,
    # a button that had changed during a click sent to a subshell that was gone: the click was lost.
    "kernels-settings": {"commsOverSubshells": "disabled"},
}
"""Name of a settings file of JupyterLab -> what the panel needs in it."""


@click.command()
@click.option("--no-browser", is_flag=True, help="Print the address and open no browser.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8888,
    show_default=True,
    help="Port on this machine.",
)
def command(no_browser: bool, port: int) -> None:
    """Open JupyterLab on the control panel, in a folder of your own."""
    settings = Settings.from_environment()
    control = open_control(settings, settings.clock())
    head = control.head_note()
    folder = copy_notebooks(shipped_notebooks(), settings.home / "notebooks")
    click.echo(store_line(head, settings))
    click.echo(
        f"notebooks in {folder}; the panel is {PANEL}: open it and choose Run > Run All Cells"
    )
    click.echo(_loaded(control, settings))
    if settings.demo_clock_at is not None:
        click.echo(f"DEMO: recorded clock, {settings.demo_clock_at:%Y-%m-%d %H:%M:%S} UTC")
    head_line(head)
    line = lab_command(
        folder, settings.home / "lab", port=port, no_browser=no_browser, is_root=os.geteuid() == 0
    )
    sys.stdout.flush()
    # This very process becomes JupyterLab, so that whatever ends the command ends the server, too.
    os.execve(line[0], line, child_environment(settings))


def _loaded(control: Control, settings: Settings) -> str:
    """Bring the warehouse up to our own store, as reviews do, and say what an analyst finds in it.

    The panel opens all the same where that fails: it needs no warehouse.
    """
    # Only now, for it takes a second: without a store the refusal comes at once.
    from workbench.api import open_surface
    from workbench.reports.sync import load_store_rows, store_rows
    from workbench.warehouse import Warehouse

    try:
        load_store_rows(Warehouse.open(settings.home, control.clock), store_rows(control.state()))
        return f"for analysts, explore.ipynb: {one_line(open_surface().hint())}"
    except (WorkbenchError, OSError) as exc:
        return one_line(f"explore.ipynb shows nothing: {exc}")


def shipped_notebooks() -> Path:
    """Return the folder the notebooks came in: inside an installed wheel, or beside a checkout's package."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_shipped" / "notebooks", package.parent / "notebooks"):
        if (folder / PANEL).is_file():
            return folder
    raise NotFound(
        f"{PANEL} did not come with this installation.", next_step="install the workbench again"
    )


def copy_notebooks(source: Path, folder: Path) -> Path:
    """Copy the notebooks so that running them never writes into the package; keep what somebody edited.

    The control panel alone is always replaced: it holds nothing of its own, and an old one must not be
    what opens at 3 a.m.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for notebook in sorted(source.glob("*.ipynb")):
        copy = folder / notebook.name
        if notebook.name == PANEL or not copy.exists():
            shutil.copyfile(notebook, copy)
    return folder


def lab_command(
    folder: Path, private: Path, *, port: int, no_browser: bool, is_root: bool
) -> list[str]:
    """Return the command line that starts JupyterLab quietly, on this machine only, on the panel.

    Its settings and layouts are kept in a private folder: whatever a person's own JupyterLab is set up
    to do, the panel opens the same way.
    """
    settings, workspaces = private / "settings", private / "workspaces"
    place = settings / "@jupyterlab" / "apputils-extension"
    place.mkdir(parents=True, exist_ok=True)
    for name, content in SETTINGS.items():
        file = place / f"{name}.jupyterlab-settings"
        file.write_text(json.dumps(content), encoding="utf-8")
    line = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--ip=127.0.0.1",
        f"--port={port}",
        f"--ServerApp.root_dir={folder}",
        f"--LabApp.default_url=/doc/tree/{PANEL}",
        f"--LabApp.user_settings_dir={settings}",
        f"--LabApp.workspaces_dir={workspaces}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]
    # Jupyter refuses root unless told; in a container there is often nobody else.
    return [*line, *["--no-browser"] * no_browser, *["--allow-root"] * is_root]

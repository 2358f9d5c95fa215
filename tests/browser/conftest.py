"""One JupyterLab for the file, started by `workbench lab` over a real store, and one page for each test."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import place_folders
from tests.panels.stage import a_control
from workbench.clock import SystemClock
from workbench.control import Control, open_control
from workbench.settings import Settings

START_SECONDS = 90
START_MILLISECONDS = 60_000


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab and the store behind its panel."""

    url: str
    token: str
    folder: Path
    environ: dict[str, str]

    def control(self) -> Control:
        """Open the store as another person would, beside the panel."""
        return open_control(Settings.from_environment(self.environ))

    def ask(self, path: str, method: str = "GET") -> Any:
        """Call the server's own interface."""
        request = urllib.request.Request(
            f"{self.url}{path}", method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def kernel_ids(self) -> list[str]:
        """Return the kernels that run."""
        return [kernel["id"] for kernel in self.ask("/api/kernels")]


def free_port() -> int:
    """Return a port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Start `workbench lab` in fresh folders over a store of five automations."""
    root = tmp_path_factory.mktemp("lab")
    private = {
        name: str(root / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    }
    token, port = uuid.uuid4().hex, free_port()
    environ = {**os.environ, **place_folders(root), **private, "JUPYTER_TOKEN": token}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in place_folders(root).items():
            patch.setenv(name, value)
        a_control(SystemClock(), environment="production")
    line = [sys.executable, "-m", "workbench.cli", "lab", "--no-browser", "--port", str(port)]
    log = root / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(line, env=environ, stdout=output, stderr=subprocess.STDOUT)
    started = Lab(f"http://127.0.0.1:{port}", token, root, environ)
    try:
        wait_for(started, server, log)
        yield started
    finally:
        # Ending the command ends JupyterLab: an orphan would keep the port and the store's kernels.
        server.terminate()
        server.wait(20)
        with pytest.raises(OSError):
            started.ask("/api/status")


def wait_for(lab: Lab, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers; fail with its own words when it does not."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            lab.ask("/api/status")
        except (urllib.error.URLError, ConnectionError):
            said = log.read_text(encoding="utf-8")
            assert server.poll() is None and time.monotonic() < deadline, said
            time.sleep(0.1)
        else:
            return


class Panel:
    """The control panel on a page; every locator stays inside its output."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.notebook = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook")
        self.output = self.notebook.locator(".wb-panel")

    def button(self, name: str) -> Any:
        """Return the button with exactly this text."""
        return self.output.get_by_role("button", name=name, exact=True)

    def field(self, label: str) -> Any:
        """Return the field with exactly this label."""
        return self.output.get_by_label(label, exact=True)

    def alert(self, text: str) -> Any:
        """Return the announced message with this text."""
        return self.output.get_by_role("alert").filter(has_text=text)

    def run_all(self) -> None:
        """Run the notebook and wait for the first beat of the panel that it opens."""
        former = self.output.element_handles()
        self.page.locator(".lm-MenuBar-itemLabel", has_text="Run").first.click()
        self.page.locator("li.lm-Menu-item[data-command='runmenu:run-all']").click()
        for panel in former:
            panel.wait_for_element_state("hidden")
        self.output.get_by_text("Connected").wait_for(timeout=START_MILLISECONDS)

    def fill_pause(self, scope: str, reason: str) -> None:
        """Type scope and reason as a person does."""
        self.field("Scope").fill(scope)
        self.field("Reason").fill(reason)


@pytest.fixture(scope="module")
def opened(lab: Lab, browser: Any) -> Iterator[Panel]:
    """Open the panel's notebook in a fresh page, and shut its kernel down at the end.

    Nothing may be asked of any other machine meanwhile: that is asserted here, for all tests.
    """
    from playwright.sync_api import expect

    page = browser.new_page(viewport={"width": 1500, "height": 1000})
    outside: list[str] = []
    ours = (lab.url, "data:", "blob:", f"ws{lab.url.removeprefix('http')}")
    page.on("request", lambda r: None if r.url.startswith(ours) else outside.append(r.url))
    workspace = uuid.uuid4().hex
    page.goto(
        f"{lab.url}/lab/workspaces/{workspace}/tree/control_panel.ipynb?reset&token={lab.token}"
    )
    # Not the notebook's own indicator: that says idle before there is a kernel.
    status = page.locator("#jp-main-statusbar")
    expect(status).to_contain_text("| Idle", timeout=START_MILLISECONDS)
    yield Panel(page)
    page.close()
    for kernel_id in lab.kernel_ids():
        lab.ask(f"/api/kernels/{kernel_id}", "DELETE")
    assert outside == []


@pytest.fixture
def panel(opened: Panel, tmp_path: Path) -> Iterator[Panel]:
    """Run the notebook again for a panel of one's own; the screen at the end is kept as `last.png`."""
    opened.run_all()
    yield opened
    opened.page.screenshot(path=tmp_path / "last.png")

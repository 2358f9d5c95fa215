"""Make the README's pictures from a real run of the demo: `make screenshots`.

The terminal, both reports and the control panel, each as a headless Chromium shows it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # found when run as a file, too

from docs.terminal import as_html, run_on_terminal, settled

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WORKBENCH = str(Path(sys.executable).with_name("workbench"))
LAB_START_SECONDS = 60
PANEL_WAIT_MS = 60_000
PANEL_HEIGHT, PANEL_SHOWN = 2_400, 1_300
"""The window is tall enough for the whole panel; the picture shows what matters in a README."""

SCALE = 1.5
"""Device pixels per CSS pixel: sharp in a README, and still small files."""


def main() -> None:
    """Run the demo once and take every picture of it."""
    chromium = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if chromium is None:
        sys.exit("make screenshots needs Chromium (on Debian: apt-get install chromium)")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="workbench-pictures-") as folder,
        sync_playwright() as p,
    ):
        environment = _environment(Path(folder))
        browser = p.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        for picture in _pictures(browser, environment, folder):
            sys.stdout.write(f"{picture.relative_to(ROOT)} {picture.stat().st_size // 1024} KB\n")
        browser.close()


def _environment(root: Path) -> dict[str, str]:
    places = {f"WORKBENCH_{name.upper()}": str(root / name) for name in ("store", "gate", "home")}
    # As in an activated environment, so that the demo's last lines name no folder of this machine.
    path = os.pathsep.join([str(Path(WORKBENCH).parent), os.environ.get("PATH", "")])
    return {**os.environ, **places, "PATH": path, "JUPYTER_TOKEN": secrets.token_hex(16)}


def _pictures(browser: Browser, environment: dict[str, str], folder: str) -> Iterator[Path]:
    code, written = run_on_terminal([WORKBENCH, "demo", "--no-open"], environment)
    text = settled(written)
    if code != 0:
        sys.exit(f"the demo ended with exit code {code}:\n{text}")
    # Where the demo ran is nobody's business in a README.
    yield _picture_of_terminal(browser, text.replace(folder, "~/workbench-demo"))
    for report in _reports_in(text):
        yield _picture_of_report(browser, report)
    yield _picture_of_panel(browser, environment)


def _reports_in(text: str) -> list[Path]:
    lines = (line.strip() for line in text.splitlines())
    return [Path(line) for line in lines if line.endswith(".html") and Path(line).is_file()]


def _page(browser: Browser, *, width: int, height: int) -> Page:
    size = {"width": width, "height": height}
    return browser.new_context(viewport=size, device_scale_factor=SCALE).new_page()  # type: ignore[arg-type]  # a plain dict is what the TypedDict is


def _picture_of_terminal(browser: Browser, text: str) -> Path:
    page = _page(browser, width=1200, height=800)
    page.set_content(as_html(text, title="make demo"))
    path = PICTURES / "terminal.png"
    page.locator(".window").screenshot(path=path)
    return path


def _picture_of_report(browser: Browser, report: Path) -> Path:
    page = _page(browser, width=1180, height=1000)
    page.goto(report.as_uri())
    path = PICTURES / f"{report.stem}.png"
    page.screenshot(path=path)
    return path


def _picture_of_panel(browser: Browser, environment: dict[str, str]) -> Path:
    path = PICTURES / "panel.png"
    with _lab(environment) as address:
        page = _page(browser, width=1500, height=PANEL_HEIGHT)
        page.goto(f"{address}/lab/tree/control_panel.ipynb?token={environment['JUPYTER_TOKEN']}")
        # The toolbar says idle before there is a kernel; the status bar tells the truth.
        page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for(timeout=PANEL_WAIT_MS)
        page.locator(".lm-MenuBar-itemLabel", has_text="Run").click()
        page.locator("li.lm-Menu-item[data-command='runmenu:run-all']").click()
        panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-OutputArea-output").last
        panel.get_by_role("button").first.wait_for(timeout=PANEL_WAIT_MS)
        page.wait_for_timeout(2_000)  # one heartbeat, so that the panel shows itself live
        box = panel.bounding_box() or {"x": 0, "y": 0, "width": 1500, "height": PANEL_HEIGHT}
        page.screenshot(path=path, clip={**box, "height": min(box["height"], PANEL_SHOWN)})
    return path


@contextmanager
def _lab(environment: dict[str, str]) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [WORKBENCH, "lab", "--no-browser", "--port", str(port)]
    server = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/api/status?token={environment['JUPYTER_TOKEN']}")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + LAB_START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    sys.exit(f"JupyterLab did not answer within {LAB_START_SECONDS} seconds")


if __name__ == "__main__":
    main()

"""What every test has: its own store, gate and home, a clock that stands, and honest skips."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling

from workbench.clock import FixedClock

REPOSITORY = Path(__file__).resolve().parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_ARGUMENTS = (
    "--no-sandbox",  # Chromium refuses to start as root with it
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# A test that fails must fail again: examples come from the test's name, not from chance.
# `HYPOTHESIS_PROFILE=explore` looks for new ones.
hypothesis.settings.register_profile(
    "deterministic",
    derandomize=True,
    max_examples=60,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "explore", max_examples=2_000, deadline=None, print_blob=True, database=None
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "deterministic"))

_session_folders = pytest.StashKey[Path]()


def place_folders(root: Path) -> dict[str, str]:
    """Return the variables that put store, gate and home under one folder."""
    return {
        "WORKBENCH_STORE": str(root / "store"),
        "WORKBENCH_GATE": str(root / "gate"),
        "WORKBENCH_HOME": str(root / "home"),
    }


def pytest_configure(config: pytest.Config) -> None:
    """Point the whole session away from a person's own store before anything is imported."""
    root = Path(tempfile.mkdtemp(prefix="workbench-tests-"))
    config.stash[_session_folders] = root
    os.environ.update(place_folders(root))
    os.environ.pop("WORKBENCH_CLOCK", None)
    os.environ.pop("WORKBENCH_UNATTENDED", None)
    if config.getoption("nbval", False):
        _start_kernels_without_ports(root)


def _start_kernels_without_ports(root: Path) -> None:
    """Let nbval talk to its kernels over files: a TCP port found free may be taken when it is used."""
    import nbval.kernel
    from jupyter_client.manager import KernelManager

    class FileKernelManager(KernelManager):
        """A kernel manager that opens no port."""

        def __init__(self, **options: Any) -> None:
            place = tempfile.mkdtemp(prefix="k", dir=root)
            super().__init__(transport="ipc", ip=f"{place}/k", **options)

    nbval.kernel.KernelManager = FileKernelManager


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take the session's folders away again."""
    root = config.stash.get(_session_folders, None)
    if root is not None:
        shutil.rmtree(root, ignore_errors=True)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Keep a file's tests on one worker, and everything that drives a browser on the same one.

    Cells of one notebook share a kernel, module fixtures are dear, and two browsers at once on two
    cores only make each other late. (`--dist loadgroup` would say so with marks, but xdist 3.8 sets
    them where pytest 9.2 no longer looks.)
    """
    return FileScheduling(config, log)


class FileScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Hands out whole files; files of browser tests count as one."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", 1)[0]
        return "browser" if "browser" in path else path


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test its own store, gate and home folder; returns the folder that holds them."""
    for name, value in place_folders(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("WORKBENCH_CLOCK", raising=False)
    monkeypatch.delenv("WORKBENCH_UNATTENDED", raising=False)
    return tmp_path


@pytest.fixture
def clock() -> FixedClock:
    """Return a clock that stands at a known instant."""
    return FixedClock(datetime(2026, 11, 20, 9, 30, tzinfo=UTC))


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the checkout these tests belong to."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data that lies beside the checkout."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside this checkout: the real data is not shipped with it")
    return folder


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Return the browser of this machine; without one skip, but never in CI."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("no Chromium in CI: .ci/run installs one, so look at why it did not")
    if found is None:
        pytest.skip("no Chromium found: install one (on Debian: apt-get install chromium)")
    return found


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[object]:
    """Return a headless Chromium (a Playwright Browser), started once per file.

    Not once per session: Playwright keeps an event loop running in this thread for as long as it
    lives, and nbclient refuses to start inside one.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium_path, args=list(BROWSER_ARGUMENTS)
        )
        yield started
        started.close()

"""A process that was stopped while it holds the store's lock: who it is, that it is stopped, and what to do (F09)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.ground import a_control, pause, settings_in
from workbench.control import open_control
from workbench.errors import StorageUnavailable
from workbench.gate import Gate, GateState
from workbench.store.lock import store_lock

HOLDER = """
import sys, time
from pathlib import Path
from workbench.store.lock import store_lock
with store_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="whether a process is stopped is read from /proc"
)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Return a process that holds the lock of the store and stands still."""
    a_control(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "store")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def refusal(folder: Path) -> StorageUnavailable:
    """Return what somebody reads who wants the lock."""
    with pytest.raises(StorageUnavailable) as caught, store_lock(folder, wait_seconds=0.05):
        pass
    return caught.value


def test_a_stopped_holder_is_named_as_such(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    """Pid, command and that it is stopped, with the two commands that free the lock."""
    os.kill(holder.pid, signal.SIGSTOP)
    deadline = time.monotonic() + 5
    while "which is stopped" not in (said := refusal(tmp_path / "store")).message:
        assert time.monotonic() < deadline, said.message
    assert f"pid {holder.pid} (" in said.message
    assert "nothing was recorded" in said.message
    assert f"kill -CONT {holder.pid}" in said.then
    assert f"kill -9 {holder.pid}" in said.then


def test_a_holder_that_only_works_is_not_called_stopped(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    """A busy holder is named without that word, and nobody is told to kill it at once."""
    said = refusal(tmp_path / "store")
    assert f"pid {holder.pid} (" in said.message
    assert "stopped" not in said.message
    assert "kill -9" not in said.then


def test_when_the_holder_is_gone_the_pause_goes_through(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    """The kernel frees the lock of a killed holder: the next pause is recorded and gates hear of it."""
    os.kill(holder.pid, signal.SIGSTOP)
    refusal(tmp_path / "store")
    holder.kill()
    holder.wait()
    control = open_control(settings_in(tmp_path))
    assert pause(control).hold.hold_id == "H-1"
    assert Gate(tmp_path / "gate").check("ticket-reply").state is GateState.PAUSED

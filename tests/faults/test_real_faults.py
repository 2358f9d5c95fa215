"""Faults of a real machine: a full disk, a file system gone read-only, a stopped process, an error of a sync.

Each must leave the automation paused: recorded where the store can, else spooled, and never neither in silence.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.ground import a_store, refused, run
from tests.cli.test_warehouse_verbs import a_file, a_run, loaded
from tests.store.ground import a_control, break_glass, pause, settings_in
from workbench.control import Control, open_control
from workbench.control.placing import PauseRequest
from workbench.errors import Spooled, StorageUnavailable, WorkbenchError
from workbench.gate import Gate, GateState
from workbench.store.audit import verify_store

AGENTS_SCOPE = PauseRequest("kind=agent", "wrong amounts")

needs_mounts = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None or sys.platform != "linux",
    reason="a disk of its own is mounted, which needs root on Linux",
)


def mounted(*words: str) -> None:
    """Mount, or skip where this machine lets nobody."""
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this machine mounts nothing: {done.stderr.strip()[:80]}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder that is a disk of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted("-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder))
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(folder: Path) -> Path:
    """Fill a disk to the last byte."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    return filler


def digest(number: int) -> str:
    """Return text that no file makes small."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def is_paused(control: Control) -> bool:
    """Tell whether a process that begins now is held."""
    gate = Gate(control.store.gate_folder)
    return gate.check("ticket-reply").state is GateState.PAUSED


@needs_mounts
def test_on_a_full_disk_a_pause_still_holds(small_disk: Path) -> None:
    """F04: with no byte left the pause is recorded or spooled, gates hold it, and a resume is refused."""
    control = a_control(small_disk)
    pause(control, "automation=order-sync")
    filler = fill(small_disk)
    taken = 0
    while taken < 200:  # the store's log has some room of its own before the disk is really needed
        try:
            control.pause(AGENTS_SCOPE, wait_seconds=0.0)
        except Spooled as exc:
            assert "NOT recorded" in exc.message
            break
        taken += 1
    else:
        pytest.fail("the disk was never full")
    assert is_paused(control)
    with pytest.raises(WorkbenchError):
        control.resume_full(break_glass("H-1"))
    assert Gate(control.store.gate_folder).check("order-sync").state is GateState.PAUSED
    filler.unlink()
    again = open_control(settings_in(small_disk))
    pause(again, "automation=stock-watch")
    state = again.state()
    assert sum(h.scope == "kind=agent" for h in state.holds.values()) == taken + 1
    assert is_paused(again)
    assert verify_store(again.store).is_ok


@needs_mounts
def test_on_a_full_disk_an_export_leaves_nothing(small_disk: Path, tmp_path: Path) -> None:
    """F04: an export that does not fit says so and takes its pieces away, and the same folder serves once there is room."""
    a_store()
    folder, filler = small_disk / "evidence" / "log", fill(small_disk)
    refused(run("audit", "export", str(folder)), 15, "No space left on device")
    assert not folder.exists()
    filler.write_bytes(filler.read_bytes()[: -3 * 4096])  # room for a part of it
    refused(run("audit", "export", str(folder)), 15, "No space left on device")
    assert not folder.exists()
    filler.unlink()
    assert run("audit", "export", str(folder)).code == 0
    done = subprocess.run([sys.executable, "-I", folder / "verify.py"], check=False)
    assert done.returncode == 0


@needs_mounts
@pytest.mark.parametrize("room", [0, 4096, 6 * 4096])
def test_on_a_full_disk_a_load_changes_nothing(
    room: int, small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F04: a load that does not fit says so in a sentence, what was loaded before stays, and again it loads whole."""
    a_store()
    monkeypatch.setenv("WORKBENCH_HOME", str(small_disk / "home"))
    first = a_file(tmp_path / "first.jsonl", a_run("r0"))
    assert run("load", "--table", "run", first).code == 0
    more = a_file(tmp_path / "more.jsonl", *(a_run(digest(n)) for n in range(3000)))
    filler = fill(small_disk)
    filler.write_bytes(filler.read_bytes()[: filler.stat().st_size - room])
    refused(run("load", "--table", "run", more), 15, "pace")
    assert [row["run_id"] for row in loaded()] == ["r0"]
    filler.unlink()
    done = run("load", "--table", "run", more)
    assert (done.code, "3,000 accepted" in done.out) == (0, True), done.said
    assert len(loaded()) == 3001


@needs_mounts
def test_on_a_read_only_store_a_pause_is_spooled(tmp_path: Path) -> None:
    """F05: a store whose file system went read-only takes no event; gates hold the pause, and later it is recorded."""
    control = a_control(tmp_path)
    store = tmp_path / "store"
    mounted("--bind", str(store), str(store))
    try:
        mounted("-o", "remount,bind,ro", str(store))
        done = subprocess.run(
            [sys.executable, "-m", "workbench", "pause", "kind=agent", "-r", "wrong amounts", "-y"],
            env={**os.environ, **settings_in(tmp_path).as_environment()},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 11, done.stderr
        assert "NOT recorded" in done.stderr
        assert is_paused(control)
    finally:
        subprocess.run(["umount", "-l", str(store)], check=False)
    again = open_control(settings_in(tmp_path))
    pause(again, "automation=order-sync")
    assert {h.scope for h in again.state().standing_holds()} == {
        "kind=agent",
        "automation=order-sync",
    }
    assert is_paused(again)


HOLDER = """
import os, sys, time
from pathlib import Path
from workbench.store.lock import store_lock
with store_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="reads whether it is stopped from /proc"
)
def test_behind_a_stopped_lock_holder_a_pause_is_spooled(tmp_path: Path) -> None:
    """F09: who holds the lock is named as stopped within seconds, and the pause holds without the lock."""
    control = a_control(tmp_path)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "store")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        os.kill(holder.pid, signal.SIGSTOP)
        with pytest.raises(Spooled, match=rf"(?s)pid {holder.pid} .*which is stopped"):
            control.pause(AGENTS_SCOPE, wait_seconds=0.0)
        assert is_paused(control)
        with pytest.raises(StorageUnavailable):
            control.resume_full(break_glass("H-1"))
    finally:
        holder.kill()
        holder.wait()
        if holder.stdout is not None:
            holder.stdout.close()
    pause(control, "automation=order-sync")
    assert [h.scope for h in control.state().standing_holds()] == [
        "kind=agent",
        "automation=order-sync",
    ]
    assert is_paused(control)


STRACED = """
import sys
from pathlib import Path
from workbench.control import open_control
from workbench.control.placing import PauseRequest
from workbench.errors import WorkbenchError
from workbench.settings import Settings
root = Path(sys.argv[1])
control = open_control(Settings(root / "store", root / "gate", root / "home"))
try:
    control.pause(PauseRequest("kind=agent", "wrong amounts"), wait_seconds=0.0, command_id="one")
    print("recorded")
except WorkbenchError as exc:
    print(type(exc).__name__)
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace to make a sync fail")
@pytest.mark.parametrize("call", ["fdatasync", "fsync"])
@pytest.mark.parametrize("when", [1, 2, 3, 4, 5, 6])
def test_an_error_of_a_sync_is_never_taken_for_durable(
    tmp_path: Path, call: str, when: int
) -> None:
    """F03: whichever sync fails, a pause that is told as recorded or spooled holds, and else nothing is claimed."""
    control = a_control(tmp_path)
    inject = f"inject={call}:error=EIO:when={when}"
    done = subprocess.run(
        ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject,
         sys.executable, "-c", STRACED, str(tmp_path)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    if "ptrace" in done.stderr:
        pytest.skip("this machine traces nothing")
    said = done.stdout.strip()
    assert said in ("recorded", "Spooled", "NothingPaused"), done.stderr
    again = open_control(settings_in(tmp_path))
    pause(again, "automation=order-sync")
    scopes = [h.scope for h in again.state().standing_holds()]
    if said in ("recorded", "Spooled"):
        assert scopes.count("kind=agent") == 1
        assert is_paused(again)
    assert verify_store(again.store).is_ok
    assert control.store.faults() == []

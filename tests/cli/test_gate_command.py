"""A command that runs as a run never outlives its wrapper, however that ends, and is seen in flight while it lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.ground import a_hold, a_store, run
from tests.store.ground import wait_until
from workbench.cli import gate_command
from workbench.cli.gate_command import end_marked, marked
from workbench.presence import read_presences
from workbench.settings import Settings
from workbench.snapshot import SEEN_FOLDER

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's word needs Linux")
TREE = "echo $$ >> {0}; sleep 300 & echo $! >> {0}; (setsid sleep 300 & echo $! >> {0}); wait"
"""A shell with a child, and with one that left its session."""
DEAF = "trap '' TERM HUP INT; echo $$ >> {0}; while true; do sleep 0.1; done"
"""A shell that does not listen to anybody."""


def is_running(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be buried does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def pids_in(path: Path, count: int) -> list[int]:
    """Return the processes that have written their number, once there are so many."""
    wait_until(lambda: path.exists() and len(path.read_text().split()) >= count, seconds=30)
    return [int(word) for word in path.read_text().split()]


@contextmanager
def wrapped(script: str, pids: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a shell script as a run of order-sync, and leave nothing of it behind."""
    words = [sys.executable, "-m", "workbench", "gate", "order-sync", "--run", "r1", "--"]
    child = subprocess.Popen([*words, "sh", "-c", script.format(pids)])
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        for word in pids.read_text().split() if pids.exists() else []:
            if is_running(int(word)):
                os.kill(int(word), signal.SIGKILL)


def in_flight() -> list[str]:
    """Return the runs of order-sync that are in flight."""
    said = read_presences(Settings.from_environment().gate).get("order-sync", [])
    return [run_id for p in said if p.is_alive for run_id in p.in_flight]


def said_of_itself() -> str:
    """Return what the wrapper of order-sync has written of itself."""
    folder = Settings.from_environment().gate / SEEN_FOLDER
    return "".join(path.read_text() for path in folder.glob("order-sync.*.json"))


@ON_LINUX
def test_a_wrapper_killed_with_minus_9_takes_its_command_along(tmp_path: Path) -> None:
    """The command, its children and one that left the session are ended, and the run is no longer in flight."""
    a_store()
    pids = tmp_path / "pids"
    with wrapped(TREE, pids) as wrapper:
        found = pids_in(pids, 3)
        assert all(map(is_running, found))
        wait_until(lambda: in_flight() == ["r1"])
        os.kill(wrapper.pid, signal.SIGKILL)
        wait_until(lambda: not any(map(is_running, found)), seconds=20)
        wait_until(lambda: in_flight() == [])


@ON_LINUX
def test_a_run_that_was_cut_off_is_unknown_and_its_ticket_is_gone(tmp_path: Path) -> None:
    """A killed wrapper's run reads unknown in pause and status, never clean; its ticket is no other run's."""
    a_store()
    a_hold("automation=order-sync")
    words = ("resume", "H-1", "--only", "automation=order-sync", "--break-glass", "x", "--yes")
    assert run(*words, "--runs", "2").code == 0
    pids = tmp_path / "pids"
    with wrapped("echo $$ >> {0}; exec sleep 300", pids) as wrapper:
        pids_in(pids, 1)
        os.kill(wrapper.pid, signal.SIGKILL)
        wait_until(lambda: in_flight() == [], seconds=20)
    assert "1 of 2 runs used, cut off and unknown: r1" in run("status").out
    assert "order-sync: 1 run was cut off (r1): what it did is unknown" in run("status").out
    (hold,) = run("status", "--json").document["holds"]
    assert hold["probations"][0]["cut_off_run_ids"] == ["r1"]
    assert run("gate", "order-sync", "--run", "r2", "--", "true").code == 0
    assert run("gate", "order-sync", "--run", "r3", "--", "true").code == 20
    paused = run("pause", "automation=order-sync", "-r", "x", "-y", "--no-wait", "--json")
    assert "cut off (r1): what it did is unknown" in paused.document["targets"][0]["note"]


def test_a_run_that_ended_by_itself_is_not_cut_off(tmp_path: Path) -> None:
    """Also one that failed: its exit code was told to whoever started it."""
    a_store()
    assert run("gate", "order-sync", "--run", "r1", "--", "false").code == 1
    assert "cut off" not in run("status").out


@ON_LINUX
@pytest.mark.slow
def test_a_command_that_does_not_listen_is_ended_by_force(tmp_path: Path) -> None:
    """While it lives it is in flight and keeps a pause UNCONFIRMED; after the grace it is ended."""
    a_store()
    pids = tmp_path / "pids"
    with wrapped(DEAF, pids) as wrapper:
        (pid,) = pids_in(pids, 1)
        wait_until(lambda: in_flight() == ["r1"])
        os.kill(wrapper.pid, signal.SIGKILL)
        wrapper.wait()
        assert in_flight() == ["r1"]
        a_hold("automation=order-sync")
        paused = run("status", "--json").document
        assert [a["state"] for a in paused["automations"] if a["holds"]] == ["paused"]
        wait_until(lambda: not is_running(pid), seconds=30)
        wait_until(lambda: in_flight() == [])


@ON_LINUX
def test_a_command_whose_watcher_was_killed_too_is_told_by_the_kernel(tmp_path: Path) -> None:
    """Where wrapper and watcher are killed at once, the command itself still hears of it."""
    a_store()
    pids = tmp_path / "pids"
    with wrapped("echo $$ >> {0}; exec sleep 300", pids) as wrapper:
        (pid,) = pids_in(pids, 1)
        children = Path(f"/proc/{wrapper.pid}/task/{wrapper.pid}/children").read_text().split()
        for child in set(map(int, children)) - {pid}:
            os.kill(child, signal.SIGKILL)
        os.kill(wrapper.pid, signal.SIGKILL)
        wait_until(lambda: not is_running(pid), seconds=20)


@ON_LINUX
def test_what_outlives_everything_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With both safeguards taken away (the seeded fault) the command goes on, and is seen in flight by its number."""
    a_store()
    pids = tmp_path / "pids"
    code = (
        "import contextlib; from workbench.cli import gate_command as g, main;"
        "g._end_with = lambda _: None; g._watched = lambda _: contextlib.nullcontext(); main()"
    )
    words = [sys.executable, "-c", code, "gate", "order-sync", "--run", "r1", "--"]
    wrapper = subprocess.Popen([*words, "sh", "-c", f"echo $$ >> {pids}; exec sleep 300"])
    (pid,) = pids_in(pids, 1)
    try:
        wait_until(lambda: f"[{pid}, " in said_of_itself())  # the only trace of it
        wrapper.kill()
        wrapper.wait()
        assert is_running(pid)
        assert in_flight() == ["r1"]
        paused = run("pause", "automation=order-sync", "-r", "x", "-y", "--no-wait", "--json")
        (target,) = paused.document["targets"]
        assert (paused.code, target["state"]) == (10, "UNCONFIRMED")
    finally:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: in_flight() == [])


def test_a_command_that_ends_by_itself_leaves_what_it_left_running(tmp_path: Path) -> None:
    """Only a wrapper that died without a word has its processes ended: a daemon that was started stays."""
    a_store()
    pids = tmp_path / "pids"
    with wrapped("sleep 300 & echo $! >> {0}", pids) as wrapper:
        (pid,) = pids_in(pids, 1)
        assert wrapper.wait(30) == 0
        assert is_running(pid)
        assert in_flight() == []


@ON_LINUX
def test_nobody_who_reads_the_output_waits_for_the_watcher(tmp_path: Path) -> None:
    """A pipe on the command's output ends when the command does, also after a kill."""
    a_store()
    words = [sys.executable, "-m", "workbench", "gate", "order-sync", "--run", "r1", "--"]
    child = subprocess.Popen(
        [*words, "sh", "-c", "echo up; exec sleep 300"], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    child.kill()
    assert child.stdout.read() == b""
    child.wait()
    child.stdout.close()


@ON_LINUX
def test_only_what_carries_the_mark_is_ended() -> None:
    """Another run's processes, and whoever has the mark in another place, are left alone."""
    base = {"PATH": os.environ["PATH"]}
    ours = subprocess.Popen(["sleep", "300"], env={**base, gate_command.MARK: "one"})
    others = [
        subprocess.Popen(["sleep", "300"], env={**base, gate_command.MARK: "one1"}),
        subprocess.Popen(["sleep", "300"], env={**base, "OTHER": f"{gate_command.MARK}=one"}),
    ]
    try:
        wait_until(lambda: marked("one") == {ours.pid})
        end_marked("one")
        assert ours.wait(10) == -signal.SIGTERM
        assert [child.poll() for child in others] == [None, None]
    finally:
        for child in others:
            child.kill()
            child.wait()


def test_an_old_clear_is_unknown_to_a_shell(own_folders: Path) -> None:
    """`--max-age-seconds`: with the store away CLEAR is UNKNOWN, PAUSED stays, and without it nothing changes."""
    a_store()
    a_hold()
    assert run("gate", "order-sync", "--max-age-seconds", "60").code == 0
    (own_folders / "store").rename(own_folders / "unmounted")
    old = run("gate", "order-sync", "--max-age-seconds", "0")
    assert (old.code, "last known alive" in old.out) == (21, True)
    assert (
        run("gate", "order-sync", "--run", "r", "--max-age-seconds", "0", "--", "true").code == 21
    )
    assert run("gate", "ticket-reply", "--max-age-seconds", "0").code == 20
    assert run("gate", "order-sync").code == 0
    for wrong in ("-1", "nan"):
        refused = run("gate", "order-sync", "--max-age-seconds", wrong)
        assert (refused.code, "0 seconds or more" in refused.err) == (2, True)

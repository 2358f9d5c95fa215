"""What processes say of themselves: enough to prove that they have seen a hold, and never in their way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.published import publish
from workbench import presence
from workbench.gate import Gate
from workbench.presence import (
    Reporter,
    cut_off_runs,
    is_alive,
    pid_namespace,
    read_presences,
    started_ticks,
)


def a_folder(tmp_path: Path) -> Path:
    """Make a gate folder."""
    (tmp_path / "seen").mkdir()
    return tmp_path


def a_dead_pid() -> int:
    """Return the pid of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    return child.pid


def a_body(**more: Any) -> dict[str, Any]:
    """Return a well-formed file of this process."""
    return {
        "automation_id": "a",
        "pid": os.getpid(),
        "started": started_ticks(os.getpid()),
        "seen_seq": 3,
        "seen_at": "2026-11-20T09:30:00+00:00",
        "asked_at": "2026-11-20T09:31:00+00:00",
        "in_flight": ["r1"],
        **more,
    }


def test_an_asking_process_is_seen_with_its_position(tmp_path: Path) -> None:
    """The first question leaves a file with pid, position and no run."""
    folder = a_folder(tmp_path)
    Reporter(folder).asked("a", 7)
    (found,) = read_presences(folder)["a"]
    assert (found.pid, found.seen_seq, found.in_flight, found.is_alive) == (
        os.getpid(),
        7,
        (),
        True,
    )
    assert found.seen_at <= found.asked_at


def test_the_same_question_writes_once_a_second(tmp_path: Path) -> None:
    """A tight loop of questions costs one write a second; a new position is written at once."""
    folder = a_folder(tmp_path)
    reporter = Reporter(folder)
    reporter.asked("a", 7)
    (path,) = (folder / "seen").glob(f"a.{os.getpid()}-*.json")
    first = path.stat().st_ino
    for _ in range(50):
        reporter.asked("a", 7)
    assert path.stat().st_ino == first
    reporter.asked("a", 8)
    assert read_presences(folder)["a"][0].seen_seq == 8
    reporter.asked("a", None)
    assert read_presences(folder)["a"][0].seen_seq is None


def test_runs_in_flight_are_listed_until_they_end(tmp_path: Path) -> None:
    """Two runs of one automation are both in flight until each has ended."""
    folder = a_folder(tmp_path)
    reporter = Reporter(folder)
    reporter.started("a", "r1", seq=1)
    reporter.started("a", "r2", seq=2)
    assert read_presences(folder)["a"][0].in_flight == ("r1", "r2")
    reporter.finished("a", "r1")
    reporter.finished("a", "strange")
    found = read_presences(folder)["a"][0]
    assert (found.in_flight, found.seen_seq) == (("r2",), 2)


def test_a_forked_child_speaks_for_itself(tmp_path: Path) -> None:
    """A child that was forked inside a run lists its own runs only, and its first one too."""
    folder = a_folder(tmp_path)
    reporter = Reporter(folder)
    reporter.started("a", "of-the-parent", seq=1)
    child = os.fork()
    if child == 0:
        reporter.start_again()
        reporter.started("a", "of-the-child", seq=1)
        os._exit(0)
    os.waitpid(child, 0)
    found = {p.pid: p for p in read_presences(folder)["a"]}
    assert found[os.getpid()].in_flight == ("of-the-parent",)
    assert found[child].in_flight == ("of-the-child",)
    assert not found[child].is_alive


def test_a_child_that_nobody_told_of_the_fork_has_its_own_pid(tmp_path: Path) -> None:
    """What a process is known by is asked once, and again after a fork: a report is never under the parent's name."""
    folder = a_folder(tmp_path)
    reporter = Reporter(folder)
    reporter.asked("a", 1)
    child = os.fork()
    if child == 0:
        reporter.asked("a", 2)
        os._exit(0)
    os.waitpid(child, 0)
    assert {p.pid: p.seen_seq for p in read_presences(folder)["a"]} == {os.getpid(): 1, child: 2}


def test_dead_processes_are_told_from_living_ones(tmp_path: Path) -> None:
    """A pid that has ended, or that the kernel gave to another process since, is not alive."""
    assert not is_alive(a_dead_pid(), "")
    assert is_alive(os.getpid(), started_ticks(os.getpid()))
    assert not is_alive(os.getpid(), "1")
    assert not is_alive(2**63, "")
    folder = a_folder(tmp_path)
    body = a_body(started="1")
    (folder / "seen/a.1.json").write_text(json.dumps(body))
    assert not read_presences(folder)["a"][0].is_alive


def test_a_process_that_waits_to_be_buried_is_dead() -> None:
    """A killed process whose parent never asks for it, as in many containers, holds no pause up."""
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody buried it
    os.kill(child.pid, 0)
    assert not is_alive(child.pid, "")
    child.wait()


def test_a_run_that_another_process_carries_on_is_in_flight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of a process that ended counts, and is kept, while the one that carries out its run lives."""
    folder = a_folder(tmp_path)
    hands = [[os.getpid(), started_ticks(os.getpid())]]
    body = a_body(pid=a_dead_pid(), carried_out_by=hands)
    path = folder / f"seen/a.{body['pid']}.json"
    path.write_text(json.dumps(body))
    (found,) = read_presences(folder)["a"]
    assert (found.is_alive, found.in_flight) == (True, ("r1",))
    os.utime(path, (1, 1))
    Reporter(folder).asked("a", 1)
    assert path.exists()
    path.write_text(json.dumps({**body, "carried_out_by": [[os.getpid(), "1"], [-1, ""], [0, ""]]}))
    assert [p.is_alive for p in read_presences(folder)["a"] if p.pid == body["pid"]] == [False]
    os.utime(path, (1, 1))
    Reporter(folder).asked("a", 1)
    assert not path.exists()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "null",
        "{}",
        "[" * 50_000,
        json.dumps(a_body(pid=0)),
        json.dumps(a_body(pid=-1)),
        json.dumps(a_body(pid="1")),
        json.dumps(a_body(seen_seq="3")),
        json.dumps(a_body(seen_seq=1.5)),
        json.dumps(a_body(seen_at="2026-11-20T09:30:00")),
        json.dumps(a_body(asked_at="soon")),
        json.dumps(a_body(in_flight="r1")),
        json.dumps(a_body(in_flight=None)),
        json.dumps(a_body(started="1", carried_out_by=5)),
        json.dumps(a_body(started="1", carried_out_by=[1])),
        json.dumps(a_body(started="1", carried_out_by=[["x", ""]])),
    ],
)
def test_a_misshapen_file_confirms_nothing(tmp_path: Path, content: str) -> None:
    """Whatever stands in such a file, a pause can still be watched: the file is left out."""
    folder = a_folder(tmp_path)
    (folder / "seen/b.1.json").write_text(content)
    (folder / "seen/a.1.json").write_text(json.dumps(a_body()))
    assert list(read_presences(folder)) == ["a"]


def test_no_folder_is_nobody(tmp_path: Path) -> None:
    """Where no gate folder is, nobody has asked."""
    assert read_presences(tmp_path / "absent") == {}


def test_a_gate_that_cannot_write_still_answers(tmp_path: Path) -> None:
    """A process that may not write is not stopped by that; the fault is kept."""
    reporter = Reporter(tmp_path / "absent")
    reporter.asked("a", 1)
    reporter.started("a", "r1", seq=1)
    reporter.finished("a", "r1")
    assert "absent" in reporter.last_fault


@pytest.mark.parametrize("name", ["../escape", "a/b", "", "A B", "x" * 300, "a\0b"])
def test_a_name_never_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    """What is no id leaves no file anywhere."""
    folder = a_folder(tmp_path)
    reporter = Reporter(folder)
    reporter.asked(name, 1)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
    assert "is not an id" in reporter.last_fault


def test_files_of_long_dead_processes_are_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An automation run by cron leaves few files; what may still prove something is kept."""
    folder = a_folder(tmp_path)
    old, fresh, living, other = (a_dead_pid(), a_dead_pid(), os.getppid(), a_dead_pid())
    for name, pid in (("a", old), ("a", fresh), ("a", living), ("a.b", other)):
        (folder / f"seen/{name}.{pid}.json").write_text(json.dumps(a_body(pid=pid, in_flight=[])))
    shutil.copy(folder / f"seen/a.{old}.json", folder / f"seen/a.{old}-77.json")
    long_ago = time.time() - presence.KEEP_DEAD_SECONDS - 1
    for name, pid in (("a", old), ("a", living), ("a.b", other)):
        os.utime(folder / f"seen/{name}.{pid}.json", (long_ago, long_ago))
    os.utime(folder / f"seen/a.{old}-77.json", (long_ago, long_ago))
    Reporter(folder).asked("a", 1)
    left = {p.name for p in (folder / "seen").glob("*.json")}
    own = f"a.{os.getpid()}-{pid_namespace()}.json"
    kept = {f"a.{fresh}.json", f"a.{living}.json", f"a.b.{other}.json", f"a.{old}-77.json"}
    assert left == {own, *kept}


def test_two_gate_objects_of_one_process_do_not_hide_each_others_runs(tmp_path: Path) -> None:
    """A run inside of one gate object stays in flight when another one asks for the same automation."""
    publish(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    with Gate(tmp_path).run("a", "r1"):
        other = Gate(tmp_path / "link")
        other.check("a")
        with other.run("a", "r2"):
            (found,) = read_presences(tmp_path)["a"]
            assert found.in_flight == ("r1", "r2")
        (found,) = read_presences(tmp_path)["a"]
        assert (found.in_flight, found.seen_seq) == (("r1",), 1)


@pytest.mark.parametrize(
    ("namespace", "is_alive_here"), [({}, False), ({"pid_namespace": "77"}, True)]
)
def test_a_process_of_another_namespace_is_never_called_dead(
    tmp_path: Path, namespace: dict[str, str], is_alive_here: bool
) -> None:
    """A pid that means nothing here may run in its container; files without a namespace read as before."""
    folder = a_folder(tmp_path)
    body = a_body(pid=a_dead_pid(), **namespace)
    (folder / "seen/a.1-77.json").write_text(json.dumps(body))
    (found,) = read_presences(folder)["a"]
    assert (found.is_alive, found.in_flight) == (is_alive_here, ("r1",))


def test_one_pid_in_two_namespaces_is_two_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two containers whose first process has the same pid keep a file each."""
    folder = a_folder(tmp_path)
    Reporter(folder).asked("a", 7)
    monkeypatch.setattr(presence, "pid_namespace", lambda: "77")
    Reporter(folder).asked("a", 8)
    assert sorted(p.seen_seq or 0 for p in read_presences(folder)["a"]) == [7, 8]


def test_a_run_whose_process_ended_inside_of_it_was_cut_off(tmp_path: Path) -> None:
    """It is named until a living process carries the same run on; what is in flight is not cut off."""
    folder = a_folder(tmp_path)
    pid = a_dead_pid()
    (folder / f"seen/a.{pid}.json").write_text(json.dumps(a_body(pid=pid, in_flight=["r1", "r2"])))
    assert cut_off_runs(read_presences(folder)["a"]) == ("r1", "r2")
    reporter = Reporter(folder)
    reporter.started("a", "r2", seq=1)
    reporter.started("a", "r3", seq=1)
    assert cut_off_runs(read_presences(folder)["a"]) == ("r1",)


def test_what_was_cut_off_is_kept_for_somebody_to_see(tmp_path: Path) -> None:
    """The file of a process that ended inside of a run outlasts the others, and goes after a day too."""
    folder = a_folder(tmp_path)
    for run_ids in (["r1"], []):
        pid = a_dead_pid()
        path = folder / f"seen/a.{pid}-{pid_namespace()}.json"
        path.write_text(json.dumps(a_body(pid=pid, in_flight=run_ids)))
        os.utime(path, (time.time() - 3600,) * 2)
    Reporter(folder).asked("a", 1)
    assert cut_off_runs(read_presences(folder)["a"]) == ("r1",)
    assert len(read_presences(folder)["a"]) == 2  # with this process
    for path in folder.glob("seen/*.json"):
        os.utime(path, (1, 1))
    Reporter(folder).asked("a", 1)
    assert cut_off_runs(read_presences(folder)["a"]) == ()

"""F10: what concurrent processes were told is what one process would have been told, in the order of the log.

Four processes, one of them killed in the middle of a command; on both databases.
"""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.store.ground import SetClock, a_control, settings_in, wait_until
from tests.store.histories import ENDLESS, Check, Operation, Recorded, read_history
from tests.store.history_bugs import BUGS
from workbench.gate import Gate, GateState
from workbench.records import Event
from workbench.store import open_store
from workbench.store.audit import verify_store

PROCESSES = 4
COUNT = 25
"""Operations of each process in a history."""
TRIES = 6
"""Histories within which a seeded bug must be seen."""


@contextlib.contextmanager
def processes(
    root: Path, seed: str, count: int, bug: str = ""
) -> Iterator[dict[Path, subprocess.Popen[str]]]:
    """Start the processes and let all begin at once; returns each with the file that it writes to."""
    environment = {**settings_in(root).as_environment(), "PATH": "/usr/bin:/bin"}
    started: dict[Path, subprocess.Popen[str]] = {}
    for number in range(PROCESSES):
        file = root / f"{seed}-{number}.lines"
        words = [sys.executable, "-m", "tests.store.history_worker", f"{seed}w{number}", str(count)]
        with file.open("w") as out:
            started[file] = subprocess.Popen(
                [*words, bug], stdin=subprocess.PIPE, stdout=out, text=True, env=environment
            )
    try:
        wait_until(lambda: all("ready" in file.read_text() for file in started), seconds=60)
        for process in started.values():
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        yield started
    finally:
        for process in started.values():
            process.kill()
            process.wait()
            if process.stdin is not None:
                process.stdin.close()


def kill_in_mid_command(file: Path, process: subprocess.Popen[str], chance: random.Random) -> None:
    """Kill a process a moment after it asked for something, some way into its history."""
    after = chance.randint(10, COUNT)

    def is_asking() -> bool:
        lines = file.read_text().splitlines()
        return process.poll() is not None or (len(lines) > after and "asked" in lines[-1])

    wait_until(is_asking, seconds=60)
    time.sleep(chance.random() * 0.004)
    process.kill()


def a_history(root: Path, seed: str, *, bug: str = "", is_killed: bool = True) -> list[str]:
    """Let the processes act on one store, kill one, and return what no order explains."""
    first = open_store(settings_in(root), SetClock()).head_note().seq + 1
    chance = random.Random(seed)
    with processes(root, seed, COUNT, bug) as started:
        if is_killed:
            kill_in_mid_command(*chance.choice(list(started.items())), chance)
        for process in started.values():
            process.wait(timeout=120)
        lines = [line for file in started for line in file.read_text().splitlines()]
    operations = read_history(lines)
    log = [recorded(e) for e in open_store(settings_in(root), SetClock()).events()]
    return Check(operations, log, first).findings()


def recorded(event: Event) -> Recorded:
    """Return of an event what a replay needs."""
    payload = event.payload
    scope = (
        payload.get("hold_id", "")
        if event.action == "probation.start"
        else payload.get("scope", "")
    )
    is_due = event.action == "hold.place" and payload["review_by"] is not None
    return Recorded(event.seq, event.action, event.target, payload["command"]["id"], scope, is_due)


def test_one_order_explains_what_four_processes_were_told(place: Path) -> None:
    """Log order, real time and every answer agree, with one process killed in the middle of a command."""
    a_control(place, SetClock())
    assert a_history(place, "first") == []
    look_after(place)


@pytest.mark.long
def test_the_same_many_times(place: Path) -> None:
    """The same in history after history on one store, so that old holds and ids are met again."""
    a_control(place, SetClock())
    for number in range(12):
        assert a_history(place, f"many{number}") == []
    look_after(place)


def look_after(root: Path) -> None:
    """Verify log, caches and gates once all is quiet."""
    store = open_store(settings_in(root), SetClock())
    assert verify_store(store).is_ok
    state, gate = store.state(), Gate(root / "gate")
    for name in ("ticket-reply", "order-sync", "stock-watch"):
        expected = GateState.PAUSED if state.holds_on(name) else GateState.CLEAR
        assert gate.check(name).state is expected


@pytest.mark.parametrize("bug", BUGS)
def test_a_seeded_bug_of_concurrency_is_caught(bug: str, tmp_path: Path) -> None:
    """Each bug of this kind is seen within a few short histories."""
    for number in range(TRIES):
        root = tmp_path / str(number)
        a_control(root, SetClock())
        if a_history(root, f"{bug}{number}", bug=bug, is_killed=False):
            return
    pytest.fail(f"{bug} was not seen in {TRIES} histories")


PLACED = {"do": "place", "id": "a-0", "scope": "*", "due": False}
FREED = {"do": "release", "id": "b-0", "hold": "H-1", "based_on": None}
LOG = [Recorded(1, "hold.place", "H-1", "a-0", "*"), Recorded(2, "hold.release", "H-1", "b-0")]


def told(
    asked: dict[str, Any], said: dict[str, Any] | None, begun: int, ended: int = ENDLESS
) -> Operation:
    """Return an operation of a small history."""
    return Operation("w", begun, asked, begun, said, ended)


@pytest.mark.parametrize(
    ("operations", "words"),
    [
        ([told(PLACED, {"yes": "H-1", "again": False}, 1, 3), told(FREED, {"yes": "H-1"}, 2, 4)], ""),
        ([told(PLACED, {"yes": "H-1", "again": False}, 1, 3), told(FREED, None, 2)], ""),
        ([told(PLACED, {"yes": "H-1", "again": False}, 3, 4), told(FREED, {"yes": "H-1"}, 1, 2)], "had been answered before"),
        ([told(PLACED, {"yes": "H-2", "again": False}, 1, 3), told(FREED, {"yes": "H-1"}, 2, 4)], "a replay gives"),
        ([told(PLACED, {"yes": "H-1", "again": False}, 1, 3)], "was not asked for"),
    ],
)  # fmt: skip
def test_the_check_reads_order_answers_and_owners(operations: list[Operation], words: str) -> None:
    """An order that explains everything is accepted, a killed command too; what contradicts the log is named."""
    found = Check(operations, LOG, 1).findings()
    assert (words in found[0]) if words else found == []


@pytest.mark.parametrize(
    ("asked", "said", "begun", "is_explained"),
    [
        ({"do": "ask", "automation": "x"}, {"state": "CLEAR", "holds": [], "seq": 2}, 5, True),
        ({"do": "ask", "automation": "x"}, {"state": "PAUSED", "holds": ["H-1"], "seq": 1}, 5, False),
        ({"do": "ask", "automation": "x"}, {"state": "PAUSED", "holds": ["H-1"], "seq": 1}, 2, True),
        ({"do": "ask", "automation": "x"}, {"state": "CLEAR", "holds": [], "seq": 1}, 2, False),
        ({"do": "ask", "automation": "x"}, {"state": "UNKNOWN", "holds": [], "seq": None, "reason": "odd"}, 5, True),
        (FREED | {"id": "c-0"}, {"no": "Refused"}, 5, True),
        (FREED | {"id": "c-0"}, {"no": "NotFound"}, 5, False),
        (PLACED, {"yes": "H-1", "again": True}, 5, True),
        (PLACED | {"scope": "kind=agent"}, {"no": "Conflict"}, 5, True),
        (FREED | {"id": "c-0"}, {"yes": "H-1"}, 5, False),
        (FREED | {"id": "c-0"}, {"error": "ValueError: x"}, 5, False),
        ({"do": "look"}, {"seq": 2, "standing": []}, 5, True),
        ({"do": "look"}, {"seq": 2, "standing": ["H-1"]}, 5, False),
    ],
)  # fmt: skip
def test_an_answer_without_an_event_needs_a_place(
    asked: dict[str, Any], said: dict[str, Any], begun: int, is_explained: bool
) -> None:
    """A question, a refusal and a repeat are accepted where the replay says the same within real time, else named."""
    both = [told(PLACED, {"yes": "H-1", "again": False}, 1, 3), told(FREED, {"yes": "H-1"}, 2, 4)]
    found = Check([*both, told(asked, said, begun, begun + 1)], LOG, 1).findings()
    assert (found == []) is is_explained, found


def test_a_torn_last_line_is_passed_over() -> None:
    """A process that was killed while it wrote is known by its whole lines."""
    lines = [
        json.dumps({"worker": "w", "number": 0, "at": 1, "asked": PLACED}),
        '{"worker": "w", "nu',
    ]
    assert read_history(lines) == [Operation("w", 0, PLACED, 1)]

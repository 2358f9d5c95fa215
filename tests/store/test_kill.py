"""SIGKILL at any instant: nothing acknowledged is lost, nothing is half done, no gate says a stale CLEAR."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.conftest import BOTH, use_database
from tests.store.ground import START, a_control, settings_in
from workbench.clock import FixedClock
from workbench.control import Control
from workbench.gate import Gate, GateState
from workbench.store import open_store
from workbench.store.audit import verify_store

WRITER = """
import itertools, os, signal, sys
from workbench.control import open_control
from workbench.control.placing import PauseRequest
from workbench.control.resuming import ResumeRequest
from workbench.settings import Settings
from workbench.snapshot import Publisher
from workbench.store.store import backend_of

settings = Settings.from_environment()
driver = sys.modules[type(backend_of(settings)).__module__]
name, point, left = sys.argv[1], sys.argv[2], int(sys.argv[3])

def deadly(function, is_after, only=""):
    calls = itertools.count(1)  # two threads may sync at once: each call has its own number
    def called(*args, **options):
        is_it = (not only or only in args) and next(calls) == left
        if is_it and not is_after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **options)
        if is_it and is_after:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return called

what, _, when = point.partition("-")
is_after = when == "after"
if what == "commit":
    driver.run = deadly(driver.run, is_after, "commit")
elif what == "insert":
    driver.run = deadly(driver.run, is_after, "insert_event")
elif what == "delivered":
    driver.run = deadly(driver.run, is_after, "mark_outbox_delivered")
elif what == "begin":
    Publisher.begin_beside = deadly(Publisher.begin_beside, is_after)
elif what == "complete":
    Publisher.complete = deadly(Publisher.complete, is_after)
elif what == "replace":
    os.replace = deadly(os.replace, is_after)
elif what == "fsync":
    os.fsync = deadly(os.fsync, is_after)

control = open_control(settings)
for turn in range(1000):
    sys.stdout.write(f"try {name}-{turn}\\n"); sys.stdout.flush()
    held = [h.hold_id for h in control.state().standing_holds()]
    if held:
        control.resume_full(ResumeRequest(held[0], break_glass_reason="x"), command_id=f"{name}-{turn}")
        said = "released"
    else:
        done = control.pause(PauseRequest("kind=agent", "x"), command_id=f"{name}-{turn}", wait_seconds=0)
        said = "placed"
    sys.stdout.write(f"{said} {name}-{turn} {control.state().seq}\\n"); sys.stdout.flush()
"""

POINTS = [
    f"{what}-{when}"
    for what in ("insert", "commit", "begin", "complete", "replace", "fsync", "delivered")
    for when in ("before", "after")
]
RANDOM_KILLS = 8


@pytest.fixture(scope="module", params=BOTH)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Return one store that lives through all the kills of this file, in a file and then in a database."""
    root = tmp_path_factory.mktemp("killed")
    if request.param == "postgresql":
        use_database(root, request.getfixturevalue("postgres_server"))
    a_control(root)
    yield root
    assert len(open_store(settings_in(root), FixedClock(START)).events()) > 2 * RANDOM_KILLS


def a_writer(root: Path, name: str, point: str, left: int) -> subprocess.Popen[str]:
    """Start a process that pauses and releases in turn, and dies at the n-th call of something."""
    words = [sys.executable, "-c", WRITER, name, point, str(left)]
    environment = {**settings_in(root).as_environment(), "PATH": "/usr/bin:/bin"}
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)


def follow(writer: subprocess.Popen[str], gate: Gate, seconds: float = 0.0) -> list[list[str]]:
    """Read what the writer acknowledges, asking the gate at each pause; kill it when the time is up."""
    told: list[list[str]] = []
    until = time.monotonic() + seconds if seconds else None
    assert writer.stdout is not None
    for line in writer.stdout:
        words = line.split()
        told.append(words)
        if words[0] == "placed":
            answer = gate.check("ticket-reply")
            if answer.state is GateState.CLEAR:
                assert (answer.as_of_seq or 0) > int(words[2])  # a release that came after it
        if until is not None and time.monotonic() >= until:
            writer.kill()
            until = None
    writer.wait()
    writer.stdout.close()
    return told


def look_after(root: Path, told: list[list[str]], gate: Gate) -> None:
    """Look at gate, log and caches as the kill left them, recover, and look again."""
    stale = gate.check("ticket-reply")
    store = open_store(settings_in(root), FixedClock(START))
    in_log = {e.payload["command"]["id"] for e in store.events()}
    acknowledged = [words for words in told if words[0] in ("placed", "released")]
    assert {words[1] for words in acknowledged} <= in_log
    newest = int(acknowledged[-1][2]) if acknowledged else 0
    if stale.state is GateState.CLEAR:
        assert (stale.as_of_seq or 0) >= newest
        assert store.state(stale.as_of_seq).holds_on("ticket-reply") == []
    result = verify_store(store)
    assert result.is_ok, result.finding
    is_held = bool(store.state().holds_on("ticket-reply"))
    assert store.repair_publication() == ""
    assert gate.check("ticket-reply").state is (GateState.PAUSED if is_held else GateState.CLEAR)
    assert gate.check("ticket-reply").as_of_seq == store.head_note().seq


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_chosen_point(place: Path, point: str) -> None:
    """Before and after each step of a command: all or nothing, and what was acknowledged is there (I9, I14)."""
    gate = Gate(place / "gate")
    gate.check("ticket-reply")
    writer = a_writer(place, point, point, left=5)
    told = follow(writer, gate)
    assert writer.returncode == -signal.SIGKILL
    look_after(place, told, gate)


def test_killed_at_random_instants(place: Path) -> None:
    """Whenever it comes, a kill loses nothing acknowledged and leaves no stale CLEAR (I9, I14)."""
    chance = random.Random(7)
    gate = Gate(place / "gate")
    killed = 0
    for turn in range(RANDOM_KILLS):
        writer = a_writer(place, f"random{turn}", "never", left=0)
        told = follow(writer, gate, seconds=0.2 + chance.random() * 0.3)
        killed += writer.returncode == -signal.SIGKILL
        look_after(place, told, gate)
    assert killed == RANDOM_KILLS


def test_a_command_sent_again_after_a_kill_gives_the_first_result(place: Path) -> None:
    """A client that never heard back sends its command again: one event, whether it had been recorded or not."""
    gate = Gate(place / "gate")
    for point in ("commit-before", "commit-after"):
        name = f"again-{point}"
        told = follow(a_writer(place, name, point, left=4), gate)
        unheard = told[-1][1]
        assert told[-1][0] == "try"
        store = open_store(settings_in(place), FixedClock(START))
        before = {e.payload["command"]["id"]: e for e in store.events()}
        assert (unheard in before) == (point == "commit-after")
        done = _send_again(Control(store, FixedClock(START)), unheard, before.get(unheard))
        found = [e for e in store.events() if e.payload["command"]["id"] == unheard]
        assert [e.action for e in found] == [done]


def _send_again(control: Control, command_id: str, first: object) -> str:
    from workbench.control.placing import PauseRequest
    from workbench.control.resuming import ResumeRequest
    from workbench.records import Event

    held = [h.hold_id for h in control.state().standing_holds()]
    if isinstance(first, Event) and first.action == "hold.release":
        held = [first.target]
    if held and not (isinstance(first, Event) and first.action == "hold.place"):
        request = ResumeRequest(held[0], break_glass_reason="x")
        control.resume_full(request, command_id=command_id)
        return "hold.release"
    control.pause(PauseRequest("kind=agent", "x"), command_id=command_id, wait_seconds=0)
    return "hold.place"


def test_a_store_that_acknowledges_too_early_is_caught(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seeded fault: a writer that says *placed* before its commit loses it, and this harness sees that."""
    early = WRITER.replace(
        "    held = [",
        '    sys.stdout.write(f"placed {name}-{turn} 9999\\n"); sys.stdout.flush()\n    held = [',
    )
    monkeypatch.setattr(sys.modules[__name__], "WRITER", early)
    writer = a_writer(place, "early", "commit-before", left=4)
    assert writer.stdout is not None
    told = [line.split() for line in writer.stdout]
    writer.wait()
    writer.stdout.close()
    with pytest.raises(AssertionError):
        look_after(place, told, Gate(place / "gate"))

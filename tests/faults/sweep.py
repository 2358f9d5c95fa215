"""One command, hit at one call: what must hold as it was left, after recovery, and of what it said."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.scenes import NAMES, NEXT, Scene
from tests.faults.tracing import (
    CHANGING,
    FOLLOWED,
    Call,
    Point,
    Ran,
    retried_syncs,
    run_traced,
    warm_up,
)
from tests.store.ground import pause, settings_in
from workbench.clock import SystemClock
from workbench.control import Control, open_control
from workbench.gate import Gate, GateState
from workbench.records import Event
from workbench.store.audit import verify_store
from workbench.store.folding import fold
from workbench.store.store import store_of

DENIED = re.compile(r"[Nn]othing was (?:recorded|restarted)|NOTHING is paused")
"""How a command says that the store is as it was."""
NOT_TOLD = re.compile(r"NOT DELIVERED")
"""How a command says that gates do not have what it recorded."""
SPOOLED_CODE = 11
LATE_SECONDS = 3.0
"""How long a gate may take where it could not be woken; it looks by itself once a second."""
ERRORS = {
    "openat": ("EIO",),
    "write": ("ENOSPC", "EIO"),
    "pwrite64": ("ENOSPC", "EIO"),
    "ftruncate": ("EIO",),
    "fallocate": ("ENOSPC",),
    "link": ("ENOSPC",),
    "rename": ("EIO", "ENOSPC"),
    "mkdir": ("ENOSPC",),
}
LASTING = ("pwrite64", "fdatasync", "fsync")
"""Calls that are also made to fail for good from some instant on, as on a disk that has died."""


@dataclass(frozen=True)
class Ground:
    """A scene's store as its command finds it, and the calls of an undisturbed run."""

    scene: Scene
    root: Path
    before: tuple[Event, ...]
    calls: tuple[Call, ...]
    event_count: int

    def copy(self, target: Path) -> Path:
        """Copy the store to another folder."""
        return Path(shutil.copytree(self.root, target))

    def points(self) -> list[Point]:
        """Return every point at which the command touches its folders, and each way to hit it there."""
        found = []
        for call in self.calls:
            if not call.touches(self.root) or _is_filler(call):
                continue
            if call.name in FOLLOWED:
                continue
            if call.name in CHANGING:
                found.append(Point(call.name, call.ordinal, "KILL"))
            errors = ERRORS.get(call.name, ("EIO",)) if not call.is_failed else ()
            found += [Point(call.name, call.ordinal, error) for error in errors]
            if call.name in LASTING:
                found.append(Point(call.name, call.ordinal, "EIO", is_lasting=True))
        return found


def _is_filler(call: Call) -> bool:
    """Tell whether a call only makes room in SQLite's shared memory: eight alike, of which one is enough."""
    return "-shm>" in call.given and call.name == "pwrite64" and ", 4095" not in call.given


def lay_ground(scene: Scene, folder: Path) -> Ground:
    """Make a scene's store, and run its command once undisturbed on a copy of it."""
    root = folder / "given"
    before = scene.make(root)
    warm = Path(shutil.copytree(root, folder / "warm"))
    _asking_gate(warm)
    warm_up(
        ["-m", "tests.faults.seeded", "", *scene.line(warm)], settings_in(warm).as_environment()
    )
    trial = Path(shutil.copytree(root, folder / "trial"))
    _asking_gate(trial)
    ran = run_words(scene, trial)
    assert ran.code in (0, 10, SPOOLED_CODE), ran.err
    assert scene.is_told(ran.out + ran.err), ran.out + ran.err
    assert len({call.pid for call in ran.calls}) == 1
    scene.mend(trial)
    control = open_control(settings_in(trial), SystemClock())
    whole = scene.own(control.store.events()[len(before) :])
    assert whole
    return Ground(scene, root, before, tuple(_moved(c, trial, root) for c in ran.calls), len(whole))


def _asking_gate(root: Path) -> Gate:
    """Return a gate that has asked about every automation, so that it knows what was there before."""
    gate = Gate(root / "gate")
    for name in NAMES:
        assert gate.check(name).state is not GateState.UNKNOWN
    return gate


def _moved(call: Call, old: Path, new: Path) -> Call:
    return Call(call.pid, call.name, call.ordinal, call.given.replace(str(old), str(new)), call.result)  # fmt: skip


def run_words(scene: Scene, root: Path, point: Point | None = None, *, seed: str = "") -> Ran:
    """Run a scene's command by the real command line in one thread, with a seeded bug in it where one is named."""
    line = scene.line(root)
    words = ["-m", "tests.faults.seeded", seed, *line]
    return run_traced(words, settings_in(root).as_environment(), point=point)


def sweep_point(ground: Ground, point: Point, target: Path, *, seed: str = "") -> list[str]:
    """Run the command on a copy, hit at a point; return everything that is wrong afterwards."""
    root = ground.copy(target)
    try:
        gate = _asking_gate(root)
        ran = run_words(ground.scene, root, point, seed=seed)
        hit = ran.hit(point)
        assert hit.touches(root), f"{point} hit something else: {hit}"
        return [f"{ground.scene.name}, {point}: {w}" for w in Examined(ground, root, ran).wrongs(gate)]  # fmt: skip
    finally:
        shutil.rmtree(root, ignore_errors=True)


@dataclass
class Examined:
    """A run that was hit, and the store as it left it."""

    ground: Ground
    root: Path
    ran: Ran

    @property
    def said(self) -> str:
        """Everything that the command printed."""
        return self.ran.out + self.ran.err

    @property
    def is_acknowledged(self) -> bool:
        """Tell whether somebody could take the command for done."""
        return self.ran.code in (0, 10, SPOOLED_CODE) or self.ground.scene.is_told(self.said)

    @property
    def is_denied(self) -> bool:
        """Tell whether it said that the store is as it was; what is spooled is recorded later."""
        return self.ran.code != SPOOLED_CODE and DENIED.search(self.said) is not None

    def wrongs(self, gate: Gate) -> list[str]:
        """Return what is wrong, first as it was left and then after recovery."""
        found = list(self._in_what_it_said())
        fresh = Gate(self.root / "gate")
        answers = [one for each in (gate, fresh) for one in self._asked(each)]
        self.ground.scene.mend(self.root)
        found += self._at_gates(answers)
        control = open_control(settings_in(self.root), SystemClock())
        pause(control, "automation=stock-watch", command_id=NEXT)
        found += self._in_log(control)
        found += self._after_recovery(control, gate)
        found += self._once_more(control)
        return found

    def _in_what_it_said(self) -> list[str]:
        found = retried_syncs(self.ran.calls)
        is_known = self.ran.is_killed or self.ran.code in self.ground.scene.exit_codes
        if not is_known or "Traceback" in self.said or "defect" in self.said:
            found.append(f"it ended with {self.ran.code}: {self.said[-400:]}")
        if self.is_acknowledged and self.is_denied:
            found.append(f"it said both that it is done and that it is not: {self.said[-400:]}")
        return found

    def _asked(self, gate: Gate) -> list[tuple[str, GateState, int]]:
        """Ask about every automation; where a pause was spooled and gates were not woken, a little later again."""
        deadline = time.monotonic() + LATE_SECONDS
        while True:
            answers = [(name, gate.check(name)) for name in NAMES]
            is_held = dict(answers)["order-sync"].state is GateState.PAUSED
            if self.ran.code != SPOOLED_CODE or is_held or time.monotonic() > deadline:
                return [(name, a.state, a.as_of_seq or 0) for name, a in answers]
            time.sleep(0.05)

    def _at_gates(self, answers: Sequence[tuple[str, GateState, int]]) -> list[str]:
        """I14: no CLEAR for what the store held then, nor, unless it was said, for what it holds now."""
        events = store_of(settings_in(self.root), SystemClock()).events()
        now, found = fold(events), []
        for name, answer, seq in answers:
            if answer is GateState.CLEAR and fold(events[:seq]).holds_on(name):
                found.append(f"a gate said CLEAR for {name} as of {seq}, when it was held")
            elif (
                answer is GateState.CLEAR and now.holds_on(name) and not NOT_TOLD.search(self.said)
            ):
                found.append(f"a gate says CLEAR for {name}, which is held, and nobody was told so")
        is_spooled = self.ran.code == SPOOLED_CODE
        if is_spooled and ("order-sync", GateState.PAUSED) not in {(n, s) for n, s, _ in answers}:
            found.append("the pause was said to be spooled and no gate holds it")
        return found

    def _in_log(self, control: Control) -> list[str]:
        """I9 and all-or-nothing: acknowledged is there, denied is not, and nothing before it changed."""
        events = control.store.events()
        before, found = self.ground.before, []
        if tuple(events[: len(before)]) != before:
            found.append("the events before it are not what they were")
        count = len(self.ground.scene.own(events[len(before) :]))
        if count not in (0, self.ground.event_count):
            found.append(f"{count} of its {self.ground.event_count} events are there")
        if self.is_acknowledged and not count:
            found.append(f"it was acknowledged and is not in the log: {self.said[-300:]}")
        if count and self.is_denied:
            found.append(f"it was said that nothing was recorded, and it was: {self.said[-300:]}")
        return found

    def _after_recovery(self, control: Control, gate: Gate) -> list[str]:
        """I6 and I14: log, caches and file verify, and each gate says what the log says."""
        anchors = [settings_in(self.root).home / "anchors"]
        result, found = verify_store(control.store, anchors=anchors), []
        if not result.is_ok:
            found.append(result.finding)
        found += control.store.faults()
        state = control.state()
        for each, kind in ((gate, "an old gate"), (Gate(self.root / "gate"), "a new gate")):
            for name in NAMES:
                answer, is_held = each.check(name), bool(state.holds_on(name))
                expected = GateState.PAUSED if is_held else GateState.CLEAR
                if (answer.state, answer.as_of_seq) != (expected, state.seq):
                    found.append(f"after recovery {kind} says {answer} of {name}")
        return found

    def _once_more(self, control: Control) -> list[str]:
        """I5: the command given again under its id is there once."""
        again: Callable[[Control], object] | None = self.ground.scene.again
        if again is None:
            return []
        again(control)
        events = control.store.events()
        own = [e for e in events if e.payload["command"]["id"].startswith("swept")]
        count = len(self.ground.scene.own(own))
        return (
            [] if count == self.ground.event_count else [f"given again it is there {count} times"]
        )

"""Stories: commands recorded on a store, the power lost anywhere in them, and what must be there afterwards."""

from __future__ import annotations

import functools
import random
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.faults.disk import SECTORS, Disk, Ended, Said, Step, Sync
from tests.faults.recording import EPOCH, Recorder, files_in, record
from tests.faults.scenes import NAMES, NEXT, PLACED, SCENES, Scene
from tests.faults.sweep import SPOOLED_CODE
from tests.faults.tracing import Point, warm_up
from tests.store.ground import pause, settings_in
from workbench.clock import SystemClock
from workbench.control import open_control
from workbench.gate import Gate, GateState
from workbench.records import Event
from workbench.store.audit import verify_store
from workbench.store.folding import fold
from workbench.store.keeping import close_kept
from workbench.store.store import store_of

TOLD = (0, 10, SPOOLED_CODE)


@dataclass(frozen=True)
class Command:
    """One recorded command of a story.

    Attributes:
        begin: step that it begins at.
        told: step after which somebody could have read that it is done; the last one where nobody could.
        end: step after its last one.
        told_seq: newest event that it told of.
        end_seq: newest event when it had ended; what was seen of a pause comes after the pause.
    """

    begin: int
    told: int
    end: int
    told_seq: int
    end_seq: int


@dataclass(frozen=True)
class Story:
    """A run of commands, as the disk saw it.

    Attributes:
        events: the log when all had ended.
        mend: repairs what the story broke, before anything is recovered.
    """

    files: Mapping[str, bytes]
    steps: tuple[Step, ...]
    commands: tuple[Command, ...]
    events: tuple[Event, ...]
    begin_seq: int
    scene: Scene

    def told_seq(self, until: int) -> int:
        """Return the newest event that somebody was told of before a step."""
        return max([self.begin_seq, *(c.told_seq for c in self.commands if c.told <= until)])

    def settled_seq(self, until: int) -> int | None:
        """Return the newest event where no command is under way at a step, else None."""
        if any(c.begin < until < c.end for c in self.commands):
            return None
        return max([self.begin_seq, *(c.end_seq for c in self.commands if c.end <= until)])

    def disk(self, until: int, *, is_ordered: bool) -> Disk:
        """Return the disk as it is when the power goes before a step."""
        disk = Disk(self.files, is_ordered=is_ordered)
        for step in self.steps[:until]:
            disk.take(step)
        return disk

    def whole_seqs(self) -> set[int]:
        """Return where the log may end: after all events of a command, never between two of them."""
        last = {e.payload["command"]["id"]: e.seq for e in self.events}
        return {0, *last.values()}


def tell_story(
    root: Path,
    names: Sequence[str],
    *,
    seed: str = "",
    point: Point | None = None,
    is_read: bool = False,
) -> Story:
    """Record the commands of scenes, one after the other, on one store.

    A point hits the last. `is_read`: somebody has the store open all the time, so that no command that ends
    brings the write-ahead log into the file.
    """
    _warmed()
    scenes = [SCENES[name] for name in names]
    before = scenes[0].make(root)
    for scene in scenes[1:]:
        scene.prepare(root)
    close_kept()
    commands: list[Command] = []
    steps: list[Step] = []
    with ExitStack() as stack:
        if is_read:
            stack.enter_context(store_of(settings_in(root), SystemClock()).backend.reading()).meta()
        files, recorder = files_in(root), Recorder.of(root)
        for scene in scenes:
            hit, begin = point if scene is scenes[-1] else None, len(steps)
            environment = settings_in(root).as_environment()
            steps += record(recorder, scene.line(root), environment, seed=seed, point=hit)
            commands.append(_command(scene, steps, begin, root))
            assert point or seed or commands[-1].told <= len(steps), f"{scene.name}: {steps[-3:]}"
        whole = replayed(files, steps)
        left = {n: c for n, c in files_in(root).items() if n not in whole or whole[n] != c}
        assert point or not set(left) - {EPOCH}, (
            f"the record is not what was done to {sorted(left)}"
        )
    events = () if _is_broken(root) else _log(root)
    return Story(files, tuple(steps), tuple(commands), events, len(before), scenes[0])


@functools.cache
def _warmed() -> None:
    """Run one recorded command on a store of its own, so that the others find everything compiled."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        SCENES["pause"].make(root)
        line = ["-m", "tests.faults.recorded", "", "", *SCENES["pause"].line(root)]
        warm_up(line, settings_in(root).as_environment())


def replayed(files: Mapping[str, bytes], steps: Iterable[Step]) -> dict[str, bytes]:
    """Return the files as a record makes them when everything reaches the disk."""
    disk = Disk(files, is_ordered=True)
    for step in steps:
        disk.take(step)
    for number in list(disk.inodes):
        disk.take(Sync(number))
    return disk.lose_most()


def _command(scene: Scene, steps: Sequence[Step], begin: int, root: Path) -> Command:
    last = steps[-1]
    assert isinstance(last, Ended)
    told = next(
        (n + 1 for n, s in enumerate(steps[begin:], begin) if isinstance(s, Said) and scene.is_told(s.text)),
        len(steps) if last.code in TOLD else len(steps) + 1,
    )  # fmt: skip
    if _is_broken(root):
        return Command(begin, told, len(steps), 0, 0)
    events = _log(root)
    own = [e.seq for e in scene.own(events) if e.payload["command"]["id"] != "before"]
    return Command(begin, told, len(steps), max(own, default=0), len(events))


def _is_broken(root: Path) -> bool:
    return (root / "whole.sqlite").exists()


def _log(root: Path) -> tuple[Event, ...]:
    events = store_of(settings_in(root), SystemClock()).events()
    close_kept()  # the next command finds nobody in the store, unless a reader is told to be there
    return tuple(events)


@dataclass(frozen=True)
class Loss:
    """One way to lose power in a story."""

    until: int
    is_ordered: bool
    sector: int
    chance: str

    def files(self, story: Story) -> dict[str, bytes]:
        """Return the files that are found afterwards."""
        disk = story.disk(self.until, is_ordered=self.is_ordered)
        return disk.lose_power(random.Random(self.chance), self.sector)


def losses(story: Story, each: int) -> Iterator[Loss]:
    """Give losses before every step and after the last, so many of each kind."""
    for until in range(len(story.steps) + 1):
        for number in range(each):
            for is_ordered in (True, False):
                sector = SECTORS[number % len(SECTORS)]
                yield Loss(until, is_ordered, sector, f"{until}.{number}.{is_ordered}")


def aimed_losses(story: Story, each: int) -> Iterator[Loss]:
    """Give losses where a command has just been told of, and where it has ended."""
    ends = {until for c in story.commands for until in (c.told, c.end)}
    return (loss for loss in losses(story, each) if loss.until in ends)


def some_losses(story: Story, count: int, seed: str) -> list[Loss]:
    """Return a number of losses anywhere, the same each time."""
    return random.Random(seed).sample(list(losses(story, 2)), count)


def write_files(files: Mapping[str, bytes], root: Path) -> None:
    """Put files onto a new disk."""
    for name in ("store", "gate/seen", "gate/tickets", "home"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        if not name.endswith("-shm"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)


def wrongs_after(story: Story, loss: Loss, root: Path) -> list[str]:
    """Lose power, begin anew on what is left, and return everything that is wrong."""
    write_files(loss.files(story), root)
    try:
        found = [*_at_gates(story, loss, root), *_after_recovery(story, loss, root)]
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return [f"{loss}: {wrong}" for wrong in found]


def _at_gates(story: Story, loss: Loss, root: Path) -> Iterator[str]:
    """I14: a gate that is asked before anything is recovered opens nothing, and knows what had settled."""
    gate, settled = Gate(root / "gate"), story.settled_seq(loss.until)
    told = fold(story.events[: story.told_seq(loss.until)])
    for name in NAMES:
        answer = gate.check(name)
        seq = answer.as_of_seq or 0
        if answer.state is GateState.CLEAR and fold(story.events[:seq]).holds_on(name):
            yield f"a gate said CLEAR for {name} as of {seq}, when it was held"
        if answer.state is GateState.CLEAR and told.holds_on(name):
            yield f"a gate said CLEAR for {name}, and somebody had been told that it is held"
        if settled is not None and (answer.state is GateState.UNKNOWN or seq != settled):
            yield f"no command was under way, and a gate says {answer} of {name}"


def _after_recovery(story: Story, loss: Loss, root: Path) -> Iterator[str]:
    """I5, I6, I9: the log is whole and has all that was told; caches, file and gates agree with it."""
    control = open_control(settings_in(root), SystemClock())
    events = tuple(control.store.events())
    told = story.told_seq(loss.until)
    if events != story.events[: len(events)] or len(events) not in story.whole_seqs():
        yield f"the log of {len(events)} events is not what was recorded, up to a whole command"
    if len(events) < told:
        yield f"event {told} was acknowledged, and the log ends at {len(events)}"
    result = verify_store(control.store, anchors=[settings_in(root).home / "anchors"])
    if not result.is_ok:
        yield result.finding
    yield from control.store.faults()
    pause(control, "automation=stock-watch", command_id=NEXT)
    state, gate = control.state(), Gate(root / "gate")
    for name in NAMES:
        expected = GateState.PAUSED if state.holds_on(name) else GateState.CLEAR
        if (gate.check(name).state, gate.check(name).as_of_seq) != (expected, state.seq):
            yield f"after recovery a gate says {gate.check(name)} of {name}"


def wrongs_of_spool(story: Story, loss: Loss, root: Path) -> list[str]:
    """Lose power while a pause goes to the spool; what was told is held at once and recorded later."""
    write_files(loss.files(story), root)
    is_told = any(c.told <= loss.until for c in story.commands)
    found = []
    try:
        if is_told and Gate(root / "gate").check("order-sync").state is not GateState.PAUSED:
            found.append("the pause was said to be spooled, and no gate holds it")
        story.scene.mend(root)
        control = open_control(settings_in(root), SystemClock())
        pause(control, "automation=stock-watch", command_id=NEXT)
        own = [
            e
            for e in control.store.events()
            if e.action == "hold.place" and e.payload["scope"] == "kind=workflow"
        ]
        if len(own) > 1 or len(own) < is_told:
            found.append(f"the spooled pause is recorded {len(own)} times")
        gate, is_held = (
            Gate(root / "gate").check("order-sync"),
            bool(control.state().holds_on("order-sync")),
        )
        if (gate.state is GateState.PAUSED) != is_held:
            found.append(f"after recovery a gate says {gate}")
        if not verify_store(control.store).is_ok:
            found.append(verify_store(control.store).finding)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return [f"{loss}: {wrong}" for wrong in found]


def wrongs_after_failed_sync(story: Story, root: Path) -> list[str]:
    """Lose what a failed sync was to cover: who was told that it is done, or will be, is not deceived."""
    write_files(story.disk(len(story.steps), is_ordered=True).lose_most(), root)
    last = story.steps[-1]
    assert isinstance(last, Ended)
    control = open_control(settings_in(root), SystemClock())
    own = [e for e in control.store.events() if e.payload["command"]["id"] == PLACED]
    found = []
    if last.code in TOLD and not own:
        found.append(f"it ended with {last.code}, and the pause is nowhere")
    result = verify_store(control.store)
    return found if result.is_ok else [*found, result.finding]

"""A random walk over several hosts in a narrow restart: cut off, restored, copied, restarted, killed, set to any time."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.store.ground import SetClock, a_control, break_glass, pause
from tests.store.machine import MEMORY
from tests.store.several_hosts import a_mirror, on_host
from workbench import identity
from workbench.control.sharing import TicketOffice
from workbench.errors import WorkbenchError
from workbench.gate import Gate, GateState, Paused, Unknown
from workbench.snapshot import EPOCH_FILE, SnapshotFault, read_snapshot

NAME = "ticket-reply"
HOSTS = ("a", "b", "c")
PLACES = (*HOSTS, *HOSTS, "here", "copy")


MISFORTUNES = ("kill", "lose_books", "copy", "restore", "restore_without_books", "wipe", "restart")
WHAT = st.sampled_from(("resume",) * 4 + ("turn",) * 5 + ("other_news",) * 3 + MISFORTUNES)
"""What happens in a step before runs start; said once, for a rule each would be drawn as chance has it."""


class ShareMachine(RuleBasedStateMachine):
    """Resumes, mirrors that run or do not, runs with ids that repeat, and everything that happens to a folder."""

    @initialize()
    def begin(self) -> None:
        """Make a store with a hold, and three hosts that report."""
        self.root = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.patch = pytest.MonkeyPatch()
        self.starts = 0
        self.patch.setattr(identity, "boot_id", lambda: f"start {self.starts}")
        self.clock = SetClock()
        self.control = a_control(self.root, self.clock)
        self.control.store.host = "here"
        Gate(self.root / "gate").check(NAME)
        pause(self.control)
        self.let: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self.mirrors = {name: a_mirror(on_host(self.root, name), self.clock) for name in HOSTS}
        for name in HOSTS:
            self.turn(name)

    def folder(self, place: str) -> Path:
        """Return the gate folder of a place."""
        return self.root / "gate" if place == "here" else self.root / place / "gate"

    @rule(
        what=WHAT,
        name=st.sampled_from(HOSTS),
        seconds=st.sampled_from((0, 0, 0, 30, -5, 86400, -86400)),
        plan=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), min_size=1, max_size=3),
        told=st.sets(st.sampled_from(HOSTS), max_size=3),
        runs=st.lists(
            st.tuples(st.sampled_from(PLACES), st.integers(0, 5)), min_size=2, max_size=8
        ),
    )
    def step(
        self,
        what: str,
        *,
        name: str,
        seconds: int,
        plan: list[tuple[int, int]],
        told: set[str],
        runs: list[tuple[str, int]],
    ) -> None:
        """Let one thing happen to a host, set the clock, let some mirrors look, then start runs at gates."""
        self.clock.move(seconds)
        if what == "resume":
            self.resume(dict(plan))
        elif what == "turn":
            self.turn(name)
        elif what == "other_news":
            pause(self.control, "automation=order-sync")
        else:
            self.suffer(what, name)
        for one in sorted(told):
            self.turn(one)
        for place, number in runs:
            self.start(place, f"r{number}")

    def resume(self, plan: dict[int, int]) -> None:
        """Give a narrow restart to hosts that report, over the one before it."""
        office = TicketOffice(self.control.store)
        known = [c.label for c in office._candidates(self.control.state(), [NAME])]
        named = {known[at]: count for at, count in plan.items() if at < len(known)}
        hosts = ",".join(f"{label}={count}" for label, count in named.items())
        with refusals():
            request = break_glass(
                "H-1", f"automation={NAME}", sum(named.values()) or 1, hosts=hosts
            )
            self.control.resume_narrow(request)

    def turn(self, name: str) -> None:
        """Let the mirror of a host look once; between two turns the host is cut off."""
        mirror = self.mirrors[name]
        mirror._reporter._told_at = float("-inf")
        with refusals():
            mirror.once()

    def start(self, place: str, run_id: str) -> None:
        """Start a run at a gate; what is let through is noted under the restart that gates there know."""
        try:
            with Gate(self.folder(place), clock=self.clock).run(
                NAME, run_id, on_unknown="continue"
            ) as answer:
                if answer.state is GateState.CLEAR:
                    self.let[self.known_restart(place)].add((place, run_id))
        except (Paused, Unknown):
            return

    def known_restart(self, place: str) -> str:
        """Return the narrow restart that gates of a place were told of."""
        (hold,) = read_snapshot(self.folder(place)).automations[NAME]
        return str(hold["probation"]["probation_id"])

    def suffer(self, what: str, name: str) -> None:
        """Let something happen to a host's gate folder, or to all machines."""
        folder, copy = self.folder(name), self.root / "copy"
        if what == "kill":  # in the middle of a ticket's line
            for book in folder.glob("tickets/*.jsonl"):
                book.write_bytes(book.read_bytes() + b'{"run_id": "half')
        elif what == "copy" and folder.exists():  # a cloned machine, an image
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(self.root / name, copy)
        elif what.startswith("restore") and (copy / "gate" / EPOCH_FILE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(copy / "gate", folder)
        elif what == "wipe":
            shutil.rmtree(folder, ignore_errors=True)
        elif what == "restart":
            self.starts += 1
        if what in ("lose_books", "restore_without_books"):
            for book in folder.glob("tickets/*.jsonl"):
                book.unlink()

    @invariant()
    def never_more_than_was_decided(self) -> None:
        """Over all hosts together, and whatever happened to them, a restart lets its runs through and no more."""
        for probation_id, runs in self.let.items():
            probation = self.control.state().probations[probation_id]
            assert len(runs) <= probation.max_runs, (probation, sorted(runs))

    def teardown(self) -> None:
        """Take the folders away."""
        if hasattr(self, "root"):
            self.patch.undo()
            shutil.rmtree(self.root, ignore_errors=True)


@contextmanager
def refusals() -> Iterator[None]:
    """Let a command be refused; a folder that is not there, or is another's, is part of the walk."""
    try:
        yield
    except (WorkbenchError, SnapshotFault, OSError):
        return

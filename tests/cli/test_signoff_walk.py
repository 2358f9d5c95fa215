"""I8 by command lines: a sign-off works only for its hold, plan and time, once, and of another person.

Three people, each with a private folder and key of their own, ask, sign off and resume on one production store.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.cli.command_machine import checked
from tests.cli.ground import Result, run
from tests.control.test_signoffs import a_house
from tests.store.ground import START, loaded_by, settings_in
from tests.store.machine import MEMORY
from tests.store.test_machine import SETTINGS
from workbench.clock import FixedClock, to_text
from workbench.control import signoff as of_control
from workbench.errors import NotFound, Refused, WorkbenchError
from workbench.store import signoffs
from workbench.store.audit import verify_store
from workbench.store.keeping import close_kept
from workbench.store.store import store_of

PEOPLE = ("ann", "bo", "cy")
VALID = timedelta(hours=1)
PERSON = st.integers(0, len(PEOPLE) - 1)
RUNS = st.integers(1, 2)


@functools.cache
def pattern() -> Path:
    """Make a production store with three people's keys, a hold and a decision, once."""
    root = Path(tempfile.mkdtemp(prefix="house-", dir=MEMORY if MEMORY.is_dir() else None))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    a_house(root, *PEOPLE)
    close_kept()  # a copy of a store that is open now may miss the log that is removed meanwhile
    return root


@dataclass
class Asked:
    """What the oracle knows of a sign-off."""

    asker: int
    runs: int
    until: datetime
    signers: set[int] = field(default_factory=set)
    is_dead: bool = False


class SignoffMachine(RuleBasedStateMachine):
    """Asking, signing off and resuming, with a clock that goes both ways."""

    @initialize()
    def begin(self) -> None:
        """Take a copy of the store."""
        self.root = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None)) / "house"
        shutil.copytree(pattern(), self.root)
        self.now = self.newest = START
        self.asked: list[Asked] = []
        self.resumed = 0

    def teardown(self) -> None:
        """Take the store away."""
        if hasattr(self, "root"):
            shutil.rmtree(self.root.parent, ignore_errors=True)

    def words(self, person: int, *words: str) -> Result:
        """Run a command as a person."""
        environment = {
            **settings_in(self.root).as_environment(),
            "WORKBENCH_HOME": str(self.root / f"home-{PEOPLE[person]}"),
            "WORKBENCH_CLOCK": to_text(self.now),
        }
        # What a resume rests on is not this walk's question: all of it was loaded just now.
        loaded = loaded_by(FixedClock(max(self.now, self.newest)))
        with (
            mock.patch.dict(os.environ, environment),
            mock.patch(
                "workbench.warehouse.serving.read_evidence", lambda _, question: loaded(question)
            ),
        ):
            return run(*words)

    def plan(self, runs: int) -> tuple[str, ...]:
        """Return the words of a plan."""
        return ("H-1", "--only", "automation=ticket-reply", "--runs", str(runs))

    def recorded(self) -> None:
        """Remember when the log was added to: from then on a clock set back is behind it."""
        self.newest = max(self.newest, self.now)

    def is_alive(self, one: Asked) -> bool:
        """Tell whether a request can still be used."""
        return not one.is_dead and max(self.now, self.newest) < one.until

    @rule(person=PERSON, runs=RUNS)
    def ask(self, person: int, runs: int) -> None:
        """Anybody with a key may ask."""
        done = checked(self.words(person, "signoff", "request", *self.plan(runs)))
        self.asked.append(Asked(person, runs, max(self.now, self.newest) + VALID))
        assert f"S-{len(self.asked)} asks" in done.out
        self.recorded()

    @rule(person=PERSON, choice=st.integers(0, 20))
    def give(self, person: int, choice: int) -> None:
        """Another person than who asked signs off what can still be used."""
        number = choice % (len(self.asked) + 1)
        one = self.asked[number] if number < len(self.asked) else None
        try:
            checked(self.words(person, "signoff", "give", f"S-{number + 1}", "-y"))
        except NotFound:
            assert one is None
        except Refused:
            assert one is None or person == one.asker or not self.is_alive(one)
        else:
            assert one is not None
            assert person != one.asker
            assert self.is_alive(one)
            one.signers.add(person)
            self.recorded()

    @rule(person=PERSON, runs=RUNS)
    def resume(self, person: int, runs: int) -> None:
        """A resume goes exactly when a third or second person signed off this plan in time; it is used up then."""
        fits = [one for one in self.asked if self.is_alive(one) and one.runs == runs]
        is_entitled = any(one.signers - {one.asker, person} for one in fits)
        done = self.words(person, "resume", *self.plan(runs), "-y")
        assert (done.code == 0) is is_entitled, done.said
        assert done.code in (0, 3), done.said
        if is_entitled:
            self.resumed += 1
            self.recorded()
            for one in self.asked:
                one.is_dead = True  # used, or the hold changed after it was asked for

    @rule(seconds=st.sampled_from([30, -30, 1800, 3600]))
    def move_clock(self, seconds: int) -> None:
        """Move the clock."""
        self.now += timedelta(seconds=seconds)

    @invariant()
    def what_opened_was_entitled(self) -> None:
        """The log holds as many narrow restarts as were entitled, obeys each, and verifies (I6, I8)."""
        if not hasattr(self, "root"):
            return
        store = store_of(settings_in(self.root), FixedClock(START))
        state = store.state()
        assert (len(state.probations), state.refused) == (self.resumed, {})
        assert verify_store(store).is_ok


SHORT = settings(SETTINGS, max_examples=10, stateful_step_count=15)


def test_i8_by_command_lines() -> None:
    """On random walks a resume goes exactly when another person signed off this plan, in time and once."""
    run_state_machine_as_test(SignoffMachine, settings=SHORT)  # type: ignore[no-untyped-call] # hypothesis


@pytest.mark.long
def test_i8_on_long_walks() -> None:
    """The same on many longer walks."""
    walked = settings(SETTINGS, max_examples=100, stateful_step_count=30)
    run_state_machine_as_test(SignoffMachine, settings=walked)  # type: ignore[no-untyped-call] # hypothesis


def changed_fault(patch: pytest.MonkeyPatch, change: Callable[..., Any]) -> None:
    """Let every question whether a sign-off carries a resume be asked otherwise."""
    right = signoffs.signoff_fault

    def fault(state: Any, one: Any, *, plan: Any, resumer: Any, now: Any) -> str:
        return right(state, change(one, plan), plan=plan, resumer=resumer, now=now)

    patch.setattr(signoffs, "signoff_fault", fault)
    patch.setattr(of_control, "signoff_fault", fault)


def seed_any_plan(patch: pytest.MonkeyPatch) -> None:
    """A sign-off is good for another plan on the same hold."""
    changed_fault(patch, lambda one, plan: replace(one, plan=plan))


def seed_no_end(patch: pytest.MonkeyPatch) -> None:
    """A sign-off never expires."""
    changed_fault(patch, lambda one, plan: replace(one, expires_at=one.expires_at + 1000 * VALID))


def seed_used_again(patch: pytest.MonkeyPatch) -> None:
    """A sign-off can be used again and again."""
    later = 10**6
    changed_fault(patch, lambda one, plan: replace(one, used_seq=None, requested_seq=later))


def seed_own_word(patch: pytest.MonkeyPatch) -> None:
    """Who resumes counts among those who signed off."""
    keys = signoffs.counted
    patch.setattr(
        signoffs,
        "counted",
        lambda state, one, *, resumer: keys(state, one, resumer=state.keys[one.requester_key]),
    )


SEEDS = [value for name, value in sorted(globals().items()) if name.startswith("seed_")]


def aimed_walk(m: SignoffMachine) -> Iterator[None]:
    """Go where each condition matters; yields after each step."""
    ann, bo, cy = range(3)
    yield m.resume(ann, 1)  # nothing was asked for
    yield m.ask(ann, 1)
    yield m.give(ann, 0)  # who asked
    yield m.resume(bo, 1)  # nobody signed
    yield m.give(bo, 0)
    yield m.resume(ann, 2)  # another plan
    yield m.resume(bo, 1)  # bo's own word
    yield m.resume(ann, 1)
    yield m.resume(ann, 1)  # used
    yield m.ask(bo, 2)
    yield m.give(cy, 1)
    yield m.move_clock(3600)
    yield m.resume(bo, 2)  # too late
    yield m.move_clock(-30)
    yield m.resume(bo, 2)  # a clock set back is seen only where the log had gone on
    yield m.give(ann, 5)  # nothing there


def walk() -> int:
    """Walk the aimed walk, with the invariant looked at after each step; return the number of steps."""
    machine, count = SignoffMachine(), 0
    try:
        machine.begin()
        for _ in aimed_walk(machine):
            machine.what_opened_was_entitled()
            count += 1
    finally:
        machine.teardown()
    return count


def test_the_aimed_walk_of_sign_offs_finds_nothing_wrong() -> None:
    """The walk that goes where each condition matters agrees with the oracle."""
    assert walk() == 16


@pytest.mark.parametrize("seed", SEEDS)
def test_the_walk_of_sign_offs_catches(seed: Callable[[pytest.MonkeyPatch], None]) -> None:
    """Each bug in what a sign-off is good for makes the walk fail."""
    with pytest.MonkeyPatch.context() as patch:
        seed(patch)
        with pytest.raises((AssertionError, WorkbenchError)):
            walk()

"""A random walk over the real store, gate and clock, compared with the naive oracle after every step."""

from __future__ import annotations

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.store.ground import SetClock, a_control, a_registry, an_automation, break_glass
from tests.store.oracle import Narrow, Replay, matches, replay
from workbench.control.commands import Control
from workbench.control.placing import PauseRequest
from workbench.control.resuming import ResumeRequest
from workbench.errors import Conflict, NoMatch, Refused
from workbench.gate import Gate, GateState, Paused, Unknown
from workbench.records import Automation
from workbench.store.audit import verify_store

MEMORY = Path("/dev/shm")
IDS = ("a", "a1", "b", "c")
KINDS = st.sampled_from(["agent", "workflow"])
CATEGORIES = st.sampled_from(["commerce", "support"])
SCOPES = st.sampled_from(
    [
        {},
        {"kind": "agent"},
        {"kind": "workflow"},
        {"category": "support"},
        {"automation": "a"},
        {"automation": "ghost"},
        {"kind": "agent", "category": "commerce"},
    ]
)
PARTS = st.sampled_from([{}, {"automation": "a"}, {"automation": "b"}, {"kind": "agent"}])


def text_of(wanted: dict[str, str]) -> str:
    """Write a scope."""
    return ",".join(f"{key}={value}" for key, value in wanted.items()) or "*"


class Machine(RuleBasedStateMachine):
    """Commands, runs, edits of the registry and a clock that goes both ways."""

    control: Control

    @initialize()
    def begin(self) -> None:
        """Make a store with three automations."""
        self.root = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.choose_database()
        self.clock = SetClock()
        self.history: list[tuple[Any, ...]] = [("time", self.clock.at)]
        self.automations: dict[str, dict[str, str]] = {}
        self.sent: list[tuple[str, Any]] = []
        self.has_opened = False
        self.newest_seq = 0
        self.killed_seq = 0  # up to here the note of a delivery may wait for the next command
        self.paused_before: set[str] = set()
        first = {"a": "agent", "b": "workflow", "c": "agent"}
        self.control = a_control(
            self.root, self.clock, [an_automation(name, kind) for name, kind in first.items()]
        )
        for name, kind in first.items():
            self._registered(name, kind, "commerce")
        self.gate = Gate(self.root / "gate", clock=self.clock)

    def choose_database(self) -> None:
        """Leave the store in a file; a machine on a server puts its address into the folder."""

    # How commands are given and screens are read; a machine on the command line does both by words.

    def give_pause(self, request: PauseRequest, command_id: str) -> tuple[str, bool]:
        """Pause; return the hold's id and whether the command had been given before."""
        receipt = self.control.pause(request, command_id=command_id, wait_seconds=0)
        return receipt.hold.hold_id, receipt.is_repeat

    def give_release(self, hold_id: str) -> None:
        """Release a hold."""
        self.control.resume_full(break_glass(hold_id))

    def give_narrow(self, request: ResumeRequest) -> tuple[str, set[str]]:
        """Restart narrowly; return the restart's id and what it lets through."""
        made = self.control.resume_narrow(request)
        return made.probation_id, set(made.automation_ids)

    def give_registry(self, automations: list[Automation]) -> bool:
        """Apply a registry; return whether anything was recorded."""
        return self.control.apply_registry(a_registry(automations)) > 0

    def read_screen(self) -> dict[str, str]:
        """Return what a screen says of each automation."""
        return {r.automation.automation_id: r.state for r in self.control.status().automations}

    def read_audit(self) -> str:
        """Return what verification finds wrong, or an empty text."""
        result = verify_store(self.control.store)
        return "" if result.is_ok else result.finding

    def teardown(self) -> None:
        """Take the store away."""
        if hasattr(self, "root"):
            shutil.rmtree(self.root, ignore_errors=True)

    @property
    def truth(self) -> Replay:
        """What follows from the history, from the beginning."""
        return replay(self.history)

    def standing(self) -> list[str]:
        """Return the holds that stand."""
        return [hold_id for hold_id, hold in self.truth.holds.items() if not hold.is_released]

    def placed(self) -> int:
        """Count the holds in the log; what was seen of one may be recorded at any time."""
        return sum(event.action == "hold.place" for event in self.control.store.events())

    def _registered(self, name: str, kind: str, category: str) -> None:
        self.automations[name] = {"kind": kind, "category": category}
        self.history.append(("register", name, dict(self.automations[name])))

    def _apply(self) -> None:
        found = [an_automation(name, **values) for name, values in self.automations.items()]
        if self.give_registry(found):
            self.history.append(("command",))

    @rule(wanted=SCOPES, is_short=st.booleans())
    def pause(self, wanted: dict[str, str], is_short: bool) -> None:
        """Place a hold; it must be placed unless it would stop nothing."""
        review_by = self.clock.at + timedelta(seconds=60) if is_short else None
        request = PauseRequest(
            text_of(wanted), "why", review_by=review_by, is_unregistered="automation" in wanted
        )
        command_id = f"c{len(self.sent)}"
        known = self.truth.automations.items()
        would_stop = any(matches(wanted, name, values) for name, values in known)
        try:
            hold_id, _ = self.give_pause(request, command_id)
        except NoMatch:
            assert wanted and "automation" not in wanted and not would_stop
            return
        assert would_stop or not wanted or "automation" in wanted
        self.history += [("command",), ("hold", hold_id, wanted)]
        self.sent.append((command_id, request))
        assert hold_id == f"H-{len(self.truth.holds)}"

    @precondition(lambda self: self.sent)
    @rule(choice=st.integers(0, 50))
    def send_again(self, choice: int) -> None:
        """The same command id gives the first result and no event (I5); other content is a conflict."""
        command_id, request = self.sent[choice % len(self.sent)]
        before = self.placed()
        assert self.give_pause(request, command_id)[1]
        try:
            self.give_pause(PauseRequest("*", "other"), command_id)
        except Conflict:
            pass
        else:
            raise AssertionError("other content under the same id was accepted")
        assert self.placed() == before

    @precondition(lambda self: self.truth.holds)
    @rule(choice=st.integers(0, 50))
    def release(self, choice: int) -> None:
        """Release a hold: at most once (I3), and no other hold goes with it (I2)."""
        hold_ids = list(self.truth.holds)
        hold_id = hold_ids[choice % len(hold_ids)]
        is_standing = hold_id in self.standing()
        try:
            self.give_release(hold_id)
        except Refused:
            assert not is_standing
            return
        assert is_standing
        self.history += [("command",), ("release", hold_id)]
        self.has_opened = True

    @precondition(lambda self: self.standing())
    @rule(
        choice=st.integers(0, 50),
        part=PARTS,
        runs=st.integers(1, 2),
        seconds=st.sampled_from([None, 45, 100]),
    )
    def narrow(self, choice: int, part: dict[str, str], runs: int, seconds: int | None) -> None:
        """Let part of a hold through for some runs."""
        hold_id = self.standing()[choice % len(self.standing())]
        hold = self.truth.holds[hold_id]
        both = {**hold.wanted, **part}
        contradicts = any(both[key] != value for key, value in hold.wanted.items())
        known = self.truth.automations.items()
        ids = {n for n, v in known if matches(both, n, v) and n in hold.covered}
        until = self.clock.at + timedelta(seconds=seconds) if seconds else None
        if contradicts or not ids:
            return
        request = break_glass(hold_id, text_of(part), runs, until=until)
        probation_id, let_through = self.give_narrow(request)
        assert let_through == ids
        self.history.append(("command",))
        self.history.append(("narrow", probation_id, Narrow(hold_id, both, runs, until, ids)))
        self.has_opened = True

    @rule(name=st.sampled_from(IDS), kind=KINDS, category=CATEGORIES)
    def edit(self, name: str, kind: str, category: str) -> None:
        """Register an automation, or edit it so that scopes match it no more, or again."""
        is_same = self.automations.get(name) == {"kind": kind, "category": category}
        self.automations[name] = {"kind": kind, "category": category}
        self._apply()
        if not is_same:
            self._registered(name, kind, category)

    @precondition(lambda self: len(self.automations) > 1)
    @rule(choice=st.integers(0, 50))
    def retire(self, choice: int) -> None:
        """Take an automation out of the registry."""
        name = sorted(self.automations)[choice % len(self.automations)]
        del self.automations[name]
        self._apply()
        self.history.append(("retire", name))

    @rule(seconds=st.sampled_from([30, 60, 3600, -30, -60, -3600]))
    def move_clock(self, seconds: int) -> None:
        """Move the clock forward or backward."""
        self.clock.move(seconds)
        self.history.append(("time", self.clock.at))

    @rule(name=st.sampled_from([*IDS, "ghost"]), run_id=st.integers(1, 4), is_fresh=st.booleans())
    def run(self, name: str, run_id: int, is_fresh: bool) -> None:
        """Try to run; it goes on exactly where the oracle says so."""
        gate = Gate(self.root / "gate", clock=self.clock) if is_fresh else self.gate
        truth = self.truth
        is_known = name in truth.automations or bool(truth.covering(name))
        try:
            with gate.run(name, f"r{run_id}"):
                assert is_known and truth.may_run(name, f"r{run_id}")
                self.history.append(("ticket", name, f"r{run_id}"))
        except Paused:
            assert not truth.may_run(name, f"r{run_id}")
        except Unknown:
            assert not is_known

    @rule(name=st.sampled_from(IDS), is_fresh=st.booleans())
    def run_in_a_row(self, name: str, is_fresh: bool) -> None:
        """Try several runs, and the first again, so that limits are reached."""
        for run_id in (1, 2, 1, 3):
            self.run(name, run_id, is_fresh)

    @invariant()
    def nothing_is_said_wrongly(self) -> None:
        """Gate, screen, fold and projection say what the oracle says (I1, I6, I14); nothing older follows newer (I7)."""
        if not hasattr(self, "gate"):
            return
        truth, state = self.truth, self.control.state()
        screen = self.read_screen()
        for name in (*IDS, "ghost"):
            self._compare(name, truth, state.paused_by(name, truth.newest or self.clock.at))
            if name in truth.automations:
                assert screen[name] == truth.word(name)
        assert self.read_audit() == ""
        waiting = [row[0] for row in self.control.store.outbox() if row[4] is None]
        assert [seq for seq in waiting if seq > self.killed_seq] == []
        assert state.seq >= self.newest_seq
        self.newest_seq = state.seq

    def _compare(self, name: str, truth: Replay, paused_by: list[Any]) -> None:
        covering = truth.covering(name)
        expected = [h for h in covering if truth.narrow_for(h, name) is None]
        assert [hold.hold_id for hold in paused_by] == expected
        answer = self.gate.check(name)
        assert answer.as_of_seq == self.control.head_note().seq
        if covering:
            assert (answer.state, sorted(answer.holds)) == (GateState.PAUSED, sorted(covering))
        else:
            known = name in truth.automations
            assert answer.state is (GateState.CLEAR if known else GateState.UNKNOWN)

    @invariant()
    def nothing_opens_by_itself(self) -> None:
        """Without a release or narrow restart in the last step, what was paused is paused (I2, I4)."""
        if not hasattr(self, "gate"):
            return
        state = self.control.state()
        now = self.truth.newest or self.clock.at
        paused = {name for name in (*IDS, "ghost") if state.paused_by(name, now)}
        assert self.has_opened or self.paused_before <= paused
        self.paused_before, self.has_opened = paused, False

"""What every engine must show: the same promises for the fake and for real servers.

A test module imports these functions and brings a fixture `ground`. See tests/engines/README.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.engines.interface import Engine, ProbeStarter
from workbench.engines.switching import (
    CallResult,
    CatchUp,
    EngineScope,
    NativeCall,
    Note,
    Plan,
    Reading,
    Receipt,
    ScopeKind,
    WorkClass,
)
from workbench.records import Mode, RunStatus

NOTE = Note("ops-lead", "wrong amounts", "H-1")


@dataclass
class Ground:
    """One engine with at least two workflows that are not paused, and one that somebody else paused before.

    Attributes:
        names: workflows that start by schedule or by hand; the first has a run in flight after `work`.
        paused_name: a workflow that was paused before us.
        work: start a run of a workflow that takes several steps; returns its id when it runs.
        flip: set a workflow's switch as a person at the engine would.
        settle: let the engine go on for a moment (a tick of the fake, real time for a server).
        mildest: the mildest mode that the engine has for a workflow; drain where it can.
    """

    engine: Engine
    names: Sequence[str]
    paused_name: str
    work: Callable[[str], str]
    flip: Callable[[str, bool], None]
    settle: Callable[[], None]
    patience_seconds: float = 0.0
    mildest: Mode = Mode.DRAIN

    def scope(self, *names: str) -> list[EngineScope]:
        return [EngineScope(ScopeKind.WORKFLOW, name) for name in names]

    def reading(self, name: str) -> Reading:
        found = self.engine.state(self.scope(name))
        assert len(found) == 1, f"{name} is one target, not {[r.target_id for r in found]}"
        return found[0]

    def eventually(self, question: Callable[[], bool], why: str) -> None:
        """Ask until it is so, for as long as this engine is given."""
        end = time.monotonic() + self.patience_seconds
        while not question():
            assert time.monotonic() < end, why
            self.settle()

    def carry_out(self, plan: Plan) -> list[CallResult]:
        return [self.send(call) for call in sorted(plan.calls, key=lambda c: c.stage)]

    def send(self, call: NativeCall) -> CallResult:
        """Send a call, again where that may help: a real server is busy at times."""
        for _ in range(3):
            outcome = self.engine.apply(call, NOTE)
            if not outcome.can_retry:
                break
            self.settle()
        return outcome.result

    def pause(self, *names: str, mode: Mode | None = None) -> tuple[Plan, list[Receipt]]:
        """Pause and return the plan with the receipts that delivery would keep."""
        plan = self.engine.plan_pause(self.scope(*names), mode or self.mildest)
        assert set(self.carry_out(plan)) <= {CallResult.DONE}
        self.eventually(lambda: not self.engine.verify(plan).unmet, f"{names} never paused")
        after = {r.target_id: r for r in self.engine.verify(plan).readings}
        changed = {target for c in plan.calls for target in c.covers or (c.target_id,)}
        altered = {
            t: tuple(c.run_id for c in plan.calls if c.run_id and c.target_id == t) for t in changed
        }
        receipts = [
            Receipt(
                plan.engine,
                r.target_id,
                r.name,
                r.settings,
                after[r.target_id].settings,
                r.observed_at,
                "H-1",
                altered[r.target_id],
            )
            for r in plan.before
            if r.target_id in changed and not r.is_paused
        ]
        return plan, receipts

    def resume(self, receipts: Sequence[Receipt], catch_up: CatchUp = CatchUp.ALL) -> Plan:
        plan = self.engine.plan_resume(receipts, catch_up)
        assert set(self.carry_out(plan)) <= {CallResult.DONE}
        self.eventually(lambda: not self.engine.verify(plan).unmet, "never resumed")
        return plan


def test_it_says_who_it_is(ground: Ground) -> None:
    """The probe names engine and version."""
    health = ground.engine.probe()
    assert health.version
    assert health.engine == ground.engine.engine


def test_every_kind_of_scope_says_what_each_mode_does(ground: Ground) -> None:
    """Each mode is either possible, with an effect for all seven classes of work, or refused in words."""
    found = ground.engine.capabilities()
    kinds = {one.scope_kind for one in found}
    assert ScopeKind.WORKFLOW in kinds
    assert {(one.scope_kind, one.mode) for one in found} == {(k, m) for k in kinds for m in Mode}
    for one in found:
        known = {effect.work_class for effect in one.effects}
        assert bool(one.cannot) != (known == set(WorkClass)), f"{one.scope_kind} {one.mode}"


def test_every_workflow_is_a_target_by_its_name(ground: Ground) -> None:
    """A registry can bind each workflow by a name that the engine lists."""
    listed = {name for target in ground.engine.targets() for name in target.names}
    assert {*ground.names, ground.paused_name} <= listed


def test_a_plan_changes_nothing(ground: Ground) -> None:
    """Working out a pause sends no call that changes the engine."""
    before = ground.reading(ground.names[0]).settings
    plan = ground.engine.plan_pause(ground.scope(ground.names[0]), Mode.FREEZE)
    assert plan.calls
    assert ground.reading(ground.names[0]).settings == before
    assert [r.is_paused for r in plan.before] == [False]


def test_a_pause_is_read_back_and_touches_nothing_else(ground: Ground) -> None:
    """What was asked for is paused when it is read back, its neighbour is not; the resume brings it back."""
    one, other = ground.names[:2]
    _, receipts = ground.pause(one)
    assert (ground.reading(one).is_paused, ground.reading(other).is_paused) == (True, False)
    assert len(receipts) == 1
    ground.resume(receipts)
    assert ground.reading(one).is_paused is False


def test_what_is_paused_already_needs_no_call(ground: Ground) -> None:
    """A pause of what was paused before us sends nothing and opens no receipt."""
    plan = ground.engine.plan_pause(ground.scope(ground.paused_name), ground.mildest)
    assert [c for c in plan.calls if not c.run_id] == []
    assert not ground.engine.verify(plan).unmet
    _, receipts = ground.pause(ground.paused_name)
    assert receipts == []


def test_what_was_paused_before_stays_paused(ground: Ground) -> None:
    """Pausing both and resuming what we changed leaves the other as found."""
    _, receipts = ground.pause(ground.names[0], ground.paused_name)
    ground.resume(receipts)
    assert ground.reading(ground.names[0]).is_paused is False
    assert ground.reading(ground.paused_name).is_paused is True


def test_what_others_changed_since_is_left_alone(ground: Ground) -> None:
    """Somebody unpaused it meanwhile: the resume plans no switch for it and says so."""
    _, receipts = ground.pause(ground.names[0])
    ground.flip(ground.names[0], False)
    plan = ground.engine.plan_resume(receipts, CatchUp.ALL)
    assert [c for c in plan.calls if not c.run_id] == []
    assert set(plan.cannot) == {receipts[0].target_id}


def test_a_name_it_does_not_have_is_said(ground: Ground) -> None:
    """A scope that stands for nothing is never silently taken for paused."""
    plan = ground.engine.plan_pause(ground.scope("no-such-workflow"), ground.mildest)
    assert plan.calls == ()
    assert "no-such-workflow" in plan.cannot


def test_a_drained_run_finishes_where_the_engine_can(ground: Ground) -> None:
    """Under drain a run in flight goes on to its end, and the target is quiet then."""
    if why := cannot(ground, Mode.DRAIN):
        assert len(why) > 10
        return
    run_id = ground.work(ground.names[0])
    _, receipts = ground.pause(ground.names[0], mode=Mode.DRAIN)
    ground.eventually(
        lambda: run_id not in in_flight(ground.reading(ground.names[0])), "never ended"
    )
    now = ground.engine.probe and ground.engine.runs_by_id(
        [run_id], ground.reading(ground.names[0]).observed_at
    )
    assert [row.status for row in now] == [RunStatus.SUCCEEDED]
    ground.resume(receipts)


def test_a_halted_run_is_cancelled_where_the_engine_can(ground: Ground) -> None:
    """Under halt a run in flight ends without having finished; where that cannot be had it is refused in words."""
    if why := cannot(ground, Mode.HALT):
        assert len(why) > 10
        return
    run_id = ground.work(ground.names[0])
    _, receipts = ground.pause(ground.names[0], mode=Mode.HALT)
    ground.eventually(
        lambda: run_id not in in_flight(ground.reading(ground.names[0])), "never ended"
    )
    seen = ground.engine.runs_by_id([run_id], ground.reading(ground.names[0]).observed_at)
    assert [row.status for row in seen] in ([RunStatus.CANCELLED], [RunStatus.FAILED])
    ground.resume(receipts)


def test_a_frozen_run_stops_and_goes_on_where_the_engine_can(ground: Ground) -> None:
    """Under freeze a run in flight stops at its next step and ends well after the resume."""
    if why := cannot(ground, Mode.FREEZE):
        assert len(why) > 10
        return
    run_id = ground.work(ground.names[0])
    _, receipts = ground.pause(ground.names[0], mode=Mode.FREEZE)
    ground.eventually(
        lambda: run_id not in ground.reading(ground.names[0]).running_ids,
        "still works under freeze",
    )
    ground.resume(receipts)
    ground.eventually(
        lambda: (
            [
                r.status
                for r in ground.engine.runs_by_id(
                    [run_id], ground.reading(ground.names[0]).observed_at
                )
            ]
            == [RunStatus.SUCCEEDED]
        ),
        "did not go on after the resume",
    )


def test_what_runs_is_in_the_history(ground: Ground) -> None:
    """A run that was started is read, with a status of ours and the engine's own word, and read again is the same."""
    run_id = ground.work(ground.names[0])
    until = ground.reading(ground.names[0]).observed_at
    rows = {row.run_id: row for row in ground.engine.runs(None, until)}
    assert rows[run_id].status in list(RunStatus)
    assert rows[run_id].raw_status
    again = {row.run_id for row in ground.engine.runs(None, until)}
    assert set(rows) <= again


def test_a_drill_has_work_or_says_why_not(ground: Ground) -> None:
    """Each class of work is started or refused in words, and cleaning up leaves nothing behind unsaid."""
    starter = ground.engine
    assert isinstance(starter, ProbeStarter)
    try:
        for work_class in WorkClass:
            work = starter.start(work_class)
            assert bool(work.cannot) != bool(work.run_id or work.target_id), work_class
    finally:
        left = starter.clean_up()
    assert all(len(sentence) > 10 for sentence in left)


def in_flight(reading: Reading) -> tuple[str, ...]:
    """Return runs that have not ended."""
    return (*reading.running_ids, *reading.frozen_ids)


def cannot(ground: Ground, mode: Mode) -> str:
    """Return why a workflow cannot be paused in a mode, or an empty text."""
    return next(
        c.cannot
        for c in ground.engine.capabilities()
        if (c.scope_kind, c.mode) == (ScopeKind.WORKFLOW, mode)
    )

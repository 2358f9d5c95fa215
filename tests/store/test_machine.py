"""The invariants I1 to I7 and I14 on random walks, and the seeded bugs that the walk must catch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.postgres_server import Server
from tests.store.conftest import use_database
from tests.store.machine import Machine
from workbench import tickets
from workbench.control import resuming, usage
from workbench.errors import WorkbenchError
from workbench.gate import admission, source, view
from workbench.records import Hold
from workbench.scope import Scope
from workbench.store import folding, publication, recording
from workbench.store.state import State

# Without shrinking: the steps of a failing walk are printed as they were.
SETTINGS = settings(
    max_examples=20,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
def test_what_is_paused_follows_from_the_log_alone() -> None:
    """On random walks gate, screen, fold and projection agree with a naive replay after every step."""
    run_state_machine_as_test(Machine, settings=SETTINGS)  # type: ignore[no-untyped-call] # hypothesis


@pytest.mark.slow
def test_the_same_holds_for_a_store_on_a_server(postgres_server: Server) -> None:
    """The same walks, fewer of them, with the store in a PostgreSQL database (I1 to I7, I14)."""

    class MachineOnServer(Machine):
        def choose_database(self) -> None:
            use_database(self.root, postgres_server)

    few = settings(SETTINGS, max_examples=5, stateful_step_count=20)
    run_state_machine_as_test(MachineOnServer, settings=few)  # type: ignore[no-untyped-call] # hypothesis


def after(action: str, then: Callable[[State, Any], None]) -> Callable[[State, Any], None]:
    """Return a handler of an action that does something wrong afterwards."""
    right = folding._HANDLERS[action]

    def wrong(state: State, event: Any) -> None:
        right(state, event)
        then(state, event)

    return wrong


def recompute_coverage(state: State, _: Any) -> None:
    """Forget what matched when the hold was placed."""
    for hold in state.standing_holds():
        scope = Scope.parse(hold.scope)
        state.covered[hold.hold_id] = frozenset(
            a.automation_id for a in scope.select(state.automations.values())
        )


def release_by_scope(state: State, event: Any) -> None:
    """Release every hold with the same scope."""
    released = state.holds[event.target]
    for hold in list(state.holds.values()):
        if hold.scope == released.scope and hold.released_seq is None:
            state.holds[hold.hold_id] = replace(hold, released_seq=event.seq)


def seed_exact_scope_only(patch: pytest.MonkeyPatch) -> None:
    """Only a hold of exactly the automation's id covers it in the publication."""
    patch.setattr(Scope, "covers", lambda scope, a: scope.names(a.automation_id))


def seed_prefix_match(patch: pytest.MonkeyPatch) -> None:
    """`automation=a` covers `a1`, too."""

    def covers(scope: Scope, automation: Any) -> bool:
        fields = {"automation": "automation_id"}
        values = ((getattr(automation, fields.get(k, k)), v) for k, v in scope.terms)
        return all(str(have).startswith(value) for have, value in values)

    patch.setattr(Scope, "covers", covers)


def seed_coverage_not_sticky(patch: pytest.MonkeyPatch) -> None:
    """An automation edited out of a held scope is not held any more."""
    for action in ("automation.change", "automation.retire"):
        patch.setitem(folding._HANDLERS, action, after(action, recompute_coverage))  # type: ignore[arg-type]


def seed_not_born_paused(patch: pytest.MonkeyPatch) -> None:
    """A new automation under a held scope runs."""

    def forget(state: State, event: Any) -> None:
        for hold_id in state.covered:
            state.covered[hold_id] -= {event.target}

    patch.setitem(folding._HANDLERS, "automation.register", after("automation.register", forget))  # type: ignore[arg-type]


def seed_lapsed_is_running(patch: pytest.MonkeyPatch) -> None:
    """A hold whose review is overdue pauses nothing."""
    patch.setattr(
        State,
        "standing_holds",
        lambda state: [h for h in state.holds.values() if _is_firm(h, state)],
    )


def _is_firm(hold: Hold, state: State) -> bool:
    is_overdue = (
        hold.review_by is not None and state.newest_at and state.newest_at >= hold.review_by
    )
    return hold.released_seq is None and not is_overdue


def seed_no_idempotency(patch: pytest.MonkeyPatch) -> None:
    """The same command id acts again."""
    patch.setattr(recording, "repeated", lambda *_, **__: None)


def seed_release_by_scope(patch: pytest.MonkeyPatch) -> None:
    """Releasing a hold releases its twins."""
    patch.setitem(folding._HANDLERS, "hold.release", after("hold.release", release_by_scope))  # type: ignore[arg-type]


def seed_released_twice(patch: pytest.MonkeyPatch) -> None:
    """A released hold can be released again."""
    patch.setattr(resuming, "_hold_as_seen", lambda state, request: state.holds[request.hold_id])


def seed_gate_keeps_its_cache(patch: pytest.MonkeyPatch) -> None:
    """The gate looks at its own memory and not at the epoch."""
    patch.setattr(view.View, "is_current", True)
    patch.setattr(source, "RESTAT_SECONDS", 3600.0)


def seed_publication_before_the_hold(patch: pytest.MonkeyPatch) -> None:
    """What is published lacks the newest hold."""
    right = publication._holds_by_automation
    patch.setattr(publication, "_holds_by_automation", lambda s, holds: right(s, holds[:-1]))


def seed_no_ticket_limit(patch: pytest.MonkeyPatch) -> None:
    """A narrow restart lets any number of runs through."""
    patch.setattr(tickets.TicketBook, "_judge", lambda *_: ("", False))


def seed_a_ticket_each_time(patch: pytest.MonkeyPatch) -> None:
    """The same run takes a ticket each time it asks."""
    right = tickets.TicketBook._judge
    patch.setattr(tickets.TicketBook, "_judge", lambda book, text, *_: right(book, text, "", ""))


def seed_wall_clock_reopens(patch: pytest.MonkeyPatch) -> None:
    """A narrow restart that ended lives again when the clock is set back."""
    patch.setattr(tickets.TicketBook, "close", lambda *_, **__: None)
    patch.setattr(admission.Admission, "_over", staticmethod(lambda p, book, now: ""))
    patch.setattr(usage.Counter, "close", lambda *_, **__: None)


def seed_an_edit_reopens(patch: pytest.MonkeyPatch) -> None:
    """An automation edited out of a narrow restart and back is let through again."""
    patch.setattr(folding, "_close_for", lambda *_: None)


def seed_projection_forgets(patch: pytest.MonkeyPatch) -> None:
    """The projection does not hear of automations that a standing hold came to cover."""
    right = recording.project

    def project(connection: Any, state: State) -> None:
        state.touched = {key for key in state.touched if key[0] != "hold"}
        right(connection, state)

    patch.setattr(recording, "project", project)


def seed_outbox_forgets(patch: pytest.MonkeyPatch) -> None:
    """The outbox is not told of a command."""
    patch.setattr(recording, "outbox_rows", lambda *_: [])


def seed_time_releases(patch: pytest.MonkeyPatch) -> None:
    """A narrow restart is thought to begin anew with each event."""
    patch.setattr(State, "live_probation", lambda s, h, a, *, instant: s.open_probation(h, a))


SEEDS = [value for name, value in sorted(globals().items()) if name.startswith("seed_")]


def aimed_walk(machine: Machine) -> Iterator[None]:
    """Go where each mechanism matters, with the machine's own steps; yields after each one."""
    m = machine
    yield m.pause({"kind": "agent"}, False)  # H-1
    yield m.edit("a1", "agent", "commerce")  # born paused
    yield m.pause({"automation": "a"}, False)  # H-2: not a1
    yield m.release(0)
    yield m.release(0)  # at most once
    yield m.send_again(1)
    yield m.pause({"kind": "agent"}, False)  # H-3
    yield m.pause({"kind": "agent"}, True)  # H-4: its twin, soon overdue
    yield m.release(2)  # H-3 goes, its twin stays
    yield m.edit("c", "workflow", "support")  # stays covered by H-4
    yield m.move_clock(60)
    yield m.edit("b", "agent", "commerce")  # overdue, and still it pauses
    yield m.release(1)  # H-2
    yield from narrow_restarts(m)
    yield m.retire(0)
    yield m.edit("a", "agent", "commerce")
    yield m.run("a", 4, True)
    yield m.pause({}, False)
    yield m.run("ghost", 1, False)


def narrow_restarts(m: Machine) -> Iterator[None]:
    """Let `a` through H-4 by number, by time, and through edits of the registry."""
    yield m.narrow(0, {"automation": "a"}, 2, None)
    for run_id in (1, 1, 2, 3, 1):
        yield m.run("a", run_id, run_id == 1)
    yield m.narrow(0, {"automation": "a"}, 2, 45)
    yield m.run("a", 1, False)
    yield m.move_clock(60)
    yield m.run("a", 1, False)
    yield m.move_clock(-60)
    yield m.run("a", 1, False)
    yield m.run("a", 2, True)
    yield m.narrow(0, {"kind": "agent"}, 2, None)
    yield m.edit("a", "workflow", "commerce")
    yield m.run("a", 3, True)
    yield m.edit("a", "agent", "commerce")
    yield m.run("a", 3, False)
    yield m.run("b", 1, False)


def walk() -> int:
    """Walk the aimed walk, with both invariants looked at after each step; return the number of steps."""
    machine = Machine()
    count = 0
    try:
        machine.begin()
        for _ in aimed_walk(machine):
            machine.nothing_is_said_wrongly()
            machine.nothing_opens_by_itself()
            count += 1
    finally:
        machine.teardown()
    return count


def test_the_aimed_walk_finds_nothing_wrong() -> None:
    """The walk that goes where each mechanism matters agrees with the oracle at every step."""
    assert walk() == 37


@pytest.mark.parametrize("seed", SEEDS)
def test_the_walk_catches(seed: Callable[[pytest.MonkeyPatch], None]) -> None:
    """Each seeded bug makes the walk fail, so that its silence means something."""
    with pytest.MonkeyPatch.context() as patch:
        seed(patch)
        with pytest.raises((AssertionError, WorkbenchError, apsw.Error)):
            walk()


def test_the_oracle_is_independent() -> None:
    """The oracle imports nothing of the product, so that both cannot be wrong in the same way."""
    from tests.store import oracle

    assert [
        n for n, v in vars(oracle).items() if getattr(v, "__module__", "").startswith("workbench")
    ] == []
    assert oracle.replay([("time", datetime(2026, 1, 1, tzinfo=UTC))]).holds == {}

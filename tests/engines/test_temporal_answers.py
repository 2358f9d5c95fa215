"""One look at a Temporal namespace asks each thing once, and takes from the list of all what the server would give."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from tests.engines.fake_temporal import FakeTemporal
from tests.engines.test_temporal_switching import ServerClock
from workbench.engines.at_once import CALLS_AT_ONCE, side_by_side
from workbench.engines.switching import EngineScope, ScopeKind
from workbench.engines.temporal_answers import ALL, Answers, RunsOf
from workbench.engines.temporal_asking import Namespace
from workbench.engines.temporal_found import Finding
from workbench.errors import EngineError

KINDS = ("orders", "invoices", "it's a \\ trap")


@pytest.fixture
def server() -> FakeTemporal:
    """Three types with a schedule and runs each, on two queues; one run of a schedule."""
    found = FakeTemporal()
    for kind in KINDS:
        found.add_schedule(f"s-{kind}", kind)
        for queue in ("main", "side"):
            found.begin(kind, queue=queue)
    found.begin("orders", schedule_id="s-orders")
    return found


def answers(server: FakeTemporal) -> Answers:
    """Return the answers of one look, nothing asked yet."""
    return Answers(Namespace(server.client()), ServerClock(server))


@pytest.mark.parametrize(
    "of",
    [
        ALL,
        *(RunsOf(kind=kind) for kind in (*KINDS, "none")),
        RunsOf(queue="side"),
        RunsOf(schedule_id="s-orders"),
    ],
)
def test_what_is_taken_from_the_list_of_all_is_what_the_server_gives(
    server: FakeTemporal, of: RunsOf
) -> None:
    """A list that is asked for by itself and one that is picked out of all have the same runs."""
    by_itself, picked = answers(server), answers(server)
    picked.fetch([], [ALL])
    server.asked.clear()
    found = picked.open_runs(of)
    assert server.asked == []
    assert found == by_itself.open_runs(of)
    assert (of.kind == "none") == (not found)


def test_scopes_that_overlap_ask_for_each_thing_once(server: FakeTemporal) -> None:
    """Everything and each type by itself: one list, and one question for each schedule and each run."""
    scopes = [EngineScope(ScopeKind.ENGINE, "*")]
    scopes += [EngineScope(ScopeKind.WORKFLOW, kind) for kind in KINDS]
    server.asked.clear()
    found = Finding(Namespace(server.client()), ServerClock(server)).find(scopes)
    times = Counter((method, path, str(query)) for method, path, query in server.asked)
    assert set(times.values()) == {1}
    assert sum(times.values()) == 2 + len(KINDS) + len(server.runs)
    assert len(found.members["*"]) == len(KINDS) + len(server.runs)
    assert len(found.members["orders"]) == 4


def test_questions_are_asked_side_by_side_and_answered_in_order() -> None:
    """As many as there are hands wait for each other, which one after another would never end."""
    meet = threading.Barrier(CALLS_AT_ONCE, timeout=30)

    def ask(number: int) -> int:
        meet.wait()
        return -number

    assert side_by_side(ask, range(CALLS_AT_ONCE)) == [-n for n in range(CALLS_AT_ONCE)]
    assert side_by_side(str, []) == []


def test_a_question_that_fails_fails_the_look() -> None:
    """No answer of the others is taken for the whole: what was raised comes out."""

    def ask(number: int) -> int:
        if number == 3:
            raise EngineError("no answer to the third")
        return number

    with pytest.raises(EngineError, match="third"):
        side_by_side(ask, range(8))

"""Switching Temporal: the promises of every engine on a server in memory, and what is peculiar to this one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from importlib.metadata import EntryPoint

import httpx
import pytest

from tests.engines.contract import *  # noqa: F403 - the same promises as for real servers
from tests.engines.contract import NOTE, Ground
from tests.engines.contract import (
    test_a_pause_is_read_back_and_touches_nothing_else as is_read_back,
)
from tests.engines.fake_temporal import AT, JSON, FakeTemporal
from tests.engines.temporal_ground import TemporalGround
from workbench.engines import connecting
from workbench.engines.binding import RegistryBinding
from workbench.engines.interface import EngineAddress
from workbench.engines.switching import (
    CallResult,
    CatchUp,
    EngineScope,
    OnPause,
    Plan,
    Receipt,
    ScopeKind,
    WorkClass,
)
from workbench.engines.temporal import Temporal
from workbench.engines.temporal_asking import Namespace
from workbench.errors import EngineError
from workbench.records import Mode

EVERYTHING = [EngineScope(ScopeKind.ENGINE, "*")]
ORDERS = [EngineScope(ScopeKind.WORKFLOW, "orders")]


class ServerClock:
    """Tells the server's time."""

    def __init__(self, server: FakeTemporal) -> None:
        self.server = server

    def now(self) -> datetime:
        return self.server.now


@pytest.fixture
def server() -> FakeTemporal:
    """Three workflow types with a schedule each, the last one paused by somebody before."""
    found = FakeTemporal()
    found.add_schedule("s-orders", "orders", notes="nightly")
    found.add_schedule("s-invoices", "invoices")
    found.add_schedule("s-attic", "attic", paused=True, notes="not used")
    return found


@pytest.fixture
def engine(server: FakeTemporal) -> Temporal:
    """The adapter for it."""
    return Temporal(
        Namespace(server.client()), RegistryBinding([], "temporal"), clock=ServerClock(server)
    )


@pytest.fixture
def ground(server: FakeTemporal, engine: Temporal) -> Ground:
    """What the suite asks for."""

    def flip(name: str, is_paused: bool) -> None:
        server.patch(f"s-{name}", {"pause" if is_paused else "unpause": "by hand"}, who="somebody")

    return TemporalGround(
        engine,
        ("orders", "invoices"),
        "attic",
        work=lambda name: server.begin(name).run_id,
        flip=flip,
        settle=server.step,
        patience_seconds=5,
    )


def done(engine: Temporal, plan: Plan) -> list[CallResult]:
    """Carry a plan out."""
    return [engine.apply(call, NOTE).result for call in sorted(plan.calls, key=lambda c: c.stage)]


def receipts_of(engine: Temporal, plan: Plan) -> list[Receipt]:
    """Return what delivery would keep after a plan: one for each target that went from running to paused."""
    after = {r.target_id: r for r in engine.verify(plan).readings}
    switched = {call.target_id for call in plan.calls if not call.is_lossy}
    return [
        Receipt("temporal", r.target_id, r.name, r.settings, after[r.target_id].settings, r.observed_at, "H-1")
        for r in plan.before
        if r.target_id in switched and r.is_paused is False and after[r.target_id].is_paused
    ]  # fmt: skip


def paused(engine: Temporal, scopes: list[EngineScope], mode: Mode) -> tuple[Plan, list[Receipt]]:
    """Pause and return plan and receipts."""
    plan = engine.plan_pause(scopes, mode)
    assert set(done(engine, plan)) <= {CallResult.DONE}
    return plan, receipts_of(engine, plan)


def test_an_adapter_is_found_by_its_kind(
    monkeypatch: pytest.MonkeyPatch, server: FakeTemporal
) -> None:
    """The entry point makes the adapter, with namespace and credentials out of the address."""
    point = EntryPoint("temporal", "workbench.engines.temporal:connect", connecting.ENTRY_POINTS)
    monkeypatch.setattr(connecting, "entry_points", lambda group: [point])
    seen: list[httpx.Request] = []

    class Wire(httpx.MockTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            seen.append(request)
            return super().handle_request(request)

    from workbench.engines import temporal

    monkeypatch.setattr(
        temporal,
        "JsonClient",
        lambda url, headers: temporal_client(url, headers, Wire(server.answer)),
    )
    address = EngineAddress(
        "t",
        "temporal",
        "http://temporal.example:7243/api/v1",
        token="s3",
        options={"namespace": "default"},
    )
    make = point.load()
    found = make(address, RegistryBinding([], "t"), clock=ServerClock(server))
    assert found.probe().version == "1.32.0"
    assert {r.headers["authorization"] for r in seen} == {"Bearer s3"}
    assert {r.url.path.split("/")[2] for r in seen} == {"v1"}


def temporal_client(url: str, headers: dict[str, str], wire: httpx.MockTransport):  # type: ignore[no-untyped-def]
    """Make the client that the adapter would, with another wire."""
    from workbench.engines.http import JsonClient

    return JsonClient(url, headers=headers, transport=wire)


def test_a_drain_leaves_runs_alone(server: FakeTemporal, engine: Temporal) -> None:
    """Only the schedule is paused, with who and why as its note; the run goes on to its end."""
    run = server.begin("orders", schedule_id="s-orders")
    plan, receipts = paused(engine, ORDERS, Mode.DRAIN)
    assert [call.target_id for call in plan.calls] == ["schedule:s-orders"]
    assert [r.target_id for r in receipts] == ["schedule:s-orders"]
    assert server.schedules["s-orders"].notes == "H-1 by ops-lead: wrong amounts"
    assert not engine.verify(plan).unmet
    for _ in range(4):
        server.step()
    assert run.status == "COMPLETED"


def test_a_freeze_waits_for_the_step_that_is_under_way(
    server: FakeTemporal, engine: Temporal
) -> None:
    """PAUSED in Temporal's words is not still: an activity goes on, and only its end makes the run frozen."""
    run = server.begin("orders")
    plan, _ = paused(engine, ORDERS, Mode.FREEZE)
    assert run.status == "PAUSED"
    assert run.pause_info is not None
    assert run.pause_info["identity"] == "ops-lead through the workbench"
    (why,) = engine.verify(plan).unmet.values()
    assert "is paused and still in its last step" in why
    server.step()
    verified = engine.verify(plan)
    assert not verified.unmet
    assert [r.frozen_ids for r in verified.readings if r.target_id.startswith("run:")] == [
        (run.run_id,)
    ]


def test_a_resume_restores_the_schedules_note_and_lets_the_run_go_on(
    server: FakeTemporal, engine: Temporal
) -> None:
    """What was found is brought back to the letter, and the forecast counts nothing for missed starts."""
    run = server.begin("orders")
    _, receipts = paused(engine, ORDERS, Mode.FREEZE)
    server.step()
    server.now = AT + timedelta(hours=3, minutes=30)
    plan = engine.plan_resume(receipts, CatchUp.ALL)
    assert {call.target_id for call in plan.calls} == {"schedule:s-orders", f"run:{run.run_id}"}
    assert [firing.count for firing in plan.forecast] == [0, 0]
    assert plan.forecast[0].sentence.startswith("3 starts fell into the pause and are not made up")
    assert "makes up none of 3 starts" in plan.forecast[0].cannot
    assert not engine.plan_resume(receipts, CatchUp.SKIP).forecast[0].cannot
    assert plan.forecast[1].run_ids == (run.run_id,)
    assert engine.verify(plan).unmet
    done(engine, plan)
    assert not engine.verify(plan).unmet
    assert (server.schedules["s-orders"].paused, server.schedules["s-orders"].notes) == (
        False,
        "nightly",
    )
    assert run.status == "RUNNING"
    assert len(server.runs) == 1


def test_a_run_that_others_paused_is_not_ours(server: FakeTemporal, engine: Temporal) -> None:
    """A run that was paused before is neither paused by us nor let go on; one that was paused anew is left."""
    before, ours = server.begin("orders"), server.begin("orders")
    server._pause(before, "pause", {"identity": "bob", "reason": "mine"}, request="b")
    plan, receipts = paused(engine, ORDERS, Mode.FREEZE)
    assert [r.target_id for r in receipts] == ["schedule:s-orders", f"run:{ours.run_id}"]
    server._pause(ours, "unpause", {"identity": "bob", "reason": "mine"}, request="c")
    server.now += timedelta(seconds=1)
    server._pause(ours, "pause", {"identity": "bob", "reason": "mine"}, request="d")
    plan = engine.plan_resume(receipts, CatchUp.ALL)
    assert [call.target_id for call in plan.calls] == ["schedule:s-orders"]
    assert plan.cannot[f"run:{ours.run_id}"].startswith("bob changed orders")


def test_a_run_of_a_schedule_paused_by_others_gets_a_receipt_of_its_own(
    server: FakeTemporal, engine: Temporal
) -> None:
    """The schedule stays as its owner left it, and the run that we froze goes on at the resume."""
    run = server.begin("attic", schedule_id="s-attic")
    attic = [EngineScope(ScopeKind.WORKFLOW, "attic")]
    _, receipts = paused(engine, attic, Mode.FREEZE)
    assert [r.target_id for r in receipts] == [f"run:{run.run_id}"]
    server.step()
    done(engine, engine.plan_resume(receipts, CatchUp.ALL))
    assert (run.status, server.schedules["s-attic"].paused) == ("RUNNING", True)


def test_who_changed_a_schedule_since_is_named(server: FakeTemporal, engine: Temporal) -> None:
    """An unpause and a pause anew look the same but for the version; both are found, with who did it and when."""
    _, receipts = paused(engine, ORDERS, Mode.DRAIN)
    server.now += timedelta(seconds=9)
    server.patch("s-orders", {"unpause": "go"}, who="bob")
    server.patch("s-orders", {"pause": "H-1 by ops-lead: wrong amounts"}, who="bob")
    plan = engine.plan_resume(receipts, CatchUp.ALL)
    assert plan.calls == ()
    said = plan.cannot["schedule:s-orders"]
    assert said.startswith("bob changed orders/s-orders in Temporal at 2026-11-27 09:00:09 UTC")
    (reading,) = engine.state(ORDERS)
    assert (reading.changed_by, reading.changed_at) == ("bob", AT + timedelta(seconds=9))


def test_a_schedule_that_is_gone_is_said(server: FakeTemporal, engine: Temporal) -> None:
    """Nothing is sent for what Temporal does not have any more; of a run that is over nothing need be said."""
    run = server.begin("orders")
    plan, receipts = paused(engine, ORDERS, Mode.FREEZE)
    del server.schedules["s-orders"]
    run.end("TERMINATED", server.now, identity="bob", reason="x")
    found = engine.plan_resume(receipts, CatchUp.ALL)
    assert found.calls == ()
    assert list(found.cannot) == ["schedule:s-orders"]
    readings = {r.target_id: r.note for r in engine.verify(plan).readings}
    assert {readings[one] for one in plan.members["orders"]} == {"over, or gone from Temporal"}


def test_a_halt_asks_first_and_ends_what_does_not_obey(
    server: FakeTemporal, engine: Temporal
) -> None:
    """A run is asked to cancel, so that its code cleans up; after 30 s it is ended, at once where it is paused."""
    obeys, deaf, frozen = (server.begin("orders") for _ in range(3))
    deaf.obeys_cancel = False
    server._pause(frozen, "pause", {"identity": "bob", "reason": "mine"}, request="b")
    plan, receipts = paused(engine, ORDERS, Mode.HALT)
    verbs = {call.target_id: (call.path.rsplit("/", 1)[1], call.is_lossy) for call in plan.calls}
    assert verbs[f"run:{obeys.run_id}"] == verbs[f"run:{deaf.run_id}"] == ("cancel", True)
    assert verbs[f"run:{frozen.run_id}"] == ("terminate", True)
    assert [r.target_id for r in receipts] == ["schedule:s-orders"]
    server.step()
    assert (obeys.status, frozen.status, deaf.status) == ("CANCELED", "TERMINATED", "RUNNING")
    (why,) = engine.verify(plan).unmet.values()
    assert "was asked to cancel and is not over; by hand: temporal workflow terminate -w" in why
    assert engine.plan_pause(ORDERS, Mode.HALT).calls == ()
    server.now += timedelta(seconds=30)
    again = engine.plan_pause(ORDERS, Mode.HALT)
    assert [call.path.rsplit("/", 1)[1] for call in again.calls] == ["terminate"]
    done(engine, again)
    assert not engine.verify(again).unmet


def test_a_type_that_no_schedule_starts_cannot_be_kept_from_starting(
    server: FakeTemporal, engine: Temporal
) -> None:
    """Its runs are frozen, and it is said that clients go on starting new ones, and what holds those."""
    run = server.begin("by-hand")
    scope = [EngineScope(ScopeKind.WORKFLOW, "by-hand")]
    plan, _ = paused(engine, scope, Mode.FREEZE)
    assert run.status == "PAUSED"
    assert plan.cannot["by-hand"].startswith("no schedule starts by-hand. Temporal has no switch")
    assert "workbench.hooks.temporal" in plan.cannot["by-hand"]
    assert engine.plan_pause(scope, Mode.DRAIN).cannot.keys() == {"by-hand"}


@pytest.mark.parametrize("mode", [Mode.DRAIN, Mode.FREEZE])
def test_a_run_that_begins_later_is_not_taken_for_held(
    server: FakeTemporal, engine: Temporal, mode: Mode
) -> None:
    """Trap: pausing a run with a start delay answers 500 and it starts all the same, so that is not tried but said."""
    run = server.begin("orders", due_at=AT + timedelta(minutes=5))
    plan, _ = paused(engine, ORDERS, mode)
    assert [call.target_id for call in plan.calls] == ["schedule:s-orders"]
    (why,) = engine.verify(plan).unmet.values()
    assert "begins at 2026-11-27 09:05:00 UTC by itself" in why
    assert "temporal workflow cancel" in why
    done(engine, engine.plan_pause(ORDERS, Mode.HALT))
    assert run.status == "TERMINATED"


def test_a_halt_ends_at_once_what_no_worker_has_taken_up(
    server: FakeTemporal, engine: Temporal
) -> None:
    """A cancel would wait for a worker for ever; no code of the run has begun, so there is nothing to clean up."""
    run = server.begin("orders", queue="nobody")
    plan, _ = paused(engine, ORDERS, Mode.HALT)
    assert run.status == "TERMINATED"
    assert not engine.verify(plan).unmet


def test_where_pausing_runs_is_off_a_freeze_is_refused_in_words(
    server: FakeTemporal, engine: Temporal
) -> None:
    """The schedule is paused, the run goes on, and how to switch the feature on is said before and after."""
    server.can_pause = False
    run = server.begin("orders")
    found = {(c.scope_kind, c.mode): c.cannot for c in engine.capabilities()}
    assert "frontend.WorkflowPauseEnabled" in found[ScopeKind.WORKFLOW, Mode.FREEZE]
    assert found[ScopeKind.WORKFLOW, Mode.DRAIN] == found[ScopeKind.CATEGORY, Mode.FREEZE] == ""
    plan, _ = paused(engine, ORDERS, Mode.FREEZE)
    assert [call.target_id for call in plan.calls] == ["schedule:s-orders"]
    assert "frontend.WorkflowPauseEnabled" in plan.cannot["orders"]
    assert (run.status, len(engine.verify(plan).unmet)) == ("RUNNING", 1)


def test_capabilities_without_an_answer_promise_no_freeze(
    server: FakeTemporal, engine: Temporal
) -> None:
    """Where the server cannot be asked, what is sure is told and a freeze is not promised."""
    server.overrides[""] = lambda _: httpx.Response(503, headers=JSON, json={})
    found = {(c.scope_kind, c.mode): c.cannot for c in engine.capabilities()}
    assert "could not be asked" in found[ScopeKind.WORKFLOW, Mode.FREEZE]
    assert found[ScopeKind.WORKFLOW, Mode.HALT] == ""


def test_a_queue_is_shut_with_its_limit_and_given_back(
    server: FakeTemporal, engine: Temporal
) -> None:
    """As a category, a task queue holds what clients start new before its first step; the old limit comes back."""
    server.limits["main"] = {
        "requestsPerSecond": 7,
        "updateIdentity": "ops",
        "updateTime": "2026-11-27T08:00:00Z",
    }
    old = server.begin("by-hand")
    scope = [EngineScope(ScopeKind.CATEGORY, "main")]
    plan, receipts = paused(engine, scope, Mode.FREEZE)
    assert server.limits["main"]["requestsPerSecond"] == 0
    assert "task queue main serves attic, by-hand, invoices, orders" in plan.collateral[0]
    held = {e.work_class: e.on_pause for e in plan.effects}
    assert held[WorkClass.NEW_MANUAL] is OnPause.FINISHES_STEP_THEN_WAITS
    new = server.begin("by-hand")
    server.step()
    assert old.status == "PAUSED"
    readings = {r.target_id: r for r in engine.state(scope)}
    assert readings[f"run:{new.run_id}"].frozen_ids == (new.run_id,)
    assert readings["task_queue:main"].is_paused is True
    assert not engine.verify(plan).unmet
    done(engine, engine.plan_resume(receipts, CatchUp.ALL))
    assert server.limits["main"]["requestsPerSecond"] == 7
    assert old.status == "RUNNING"


def test_a_limit_that_was_not_set_is_taken_away_again(
    server: FakeTemporal, engine: Temporal
) -> None:
    """A queue without a limit has none after the resume; one that others changed since is left."""
    scope = [EngineScope(ScopeKind.CATEGORY, "main")]
    _, receipts = paused(engine, scope, Mode.FREEZE)
    done(engine, engine.plan_resume(receipts, CatchUp.ALL))
    assert "requestsPerSecond" not in server.limits["main"]
    server.now += timedelta(seconds=1)
    _, receipts = paused(engine, scope, Mode.FREEZE)
    server.limits["main"] |= {"requestsPerSecond": 3, "updateIdentity": "bob"}
    assert "bob changed main" in engine.plan_resume(receipts, CatchUp.ALL).cannot["task_queue:main"]


def test_a_worker_that_passes_the_limit_by_is_seen(server: FakeTemporal, engine: Temporal) -> None:
    """Trap: with eager activities a limit of nought is passed by; what still works is not called held."""
    server.can_pause = False
    scope = [EngineScope(ScopeKind.CATEGORY, "main")]
    plan, _ = paused(engine, scope, Mode.FREEZE)
    run = server.begin("by-hand")
    assert "eagerly" in next(
        r.note for r in engine.state(scope) if r.target_id == "task_queue:main"
    )
    assert f"{run.run_id} of by-hand still works" in engine.verify(plan).unmet[f"run:{run.run_id}"]


@pytest.mark.parametrize(
    ("kind", "key", "what"),
    [
        (ScopeKind.TRIGGER, "s-none", "no schedule s-none"),
        (ScopeKind.WORKFLOW, "none", "no workflow type or schedule none"),
        (ScopeKind.CATEGORY, "none", "on a task queue none"),
        (ScopeKind.RUN, "none/01a21f43-0000-7f09-8cac-4fc77d0d1f78", "no run none/"),
    ],
)
def test_what_it_does_not_have_is_named(
    engine: Temporal, kind: ScopeKind, key: str, what: str
) -> None:
    """For each kind of scope the sentence names the server, the namespace and what was looked for."""
    plan = engine.plan_pause([EngineScope(kind, key)], Mode.DRAIN)
    assert plan.calls == ()
    assert plan.cannot[key].startswith("Temporal at temporal.example:7243 has no ")
    assert what in plan.cannot[key]


@pytest.mark.parametrize("key", ["s-orders", "orders/s-orders"])
def test_a_schedule_may_be_bound_as_a_workflow(
    server: FakeTemporal, engine: Temporal, key: str
) -> None:
    """Where many automations share a type, each is a schedule: its switch and its own runs, no others."""
    server.add_schedule("s-other", "orders")
    mine, other = server.begin("orders", schedule_id="s-orders"), server.begin("orders")
    plan = engine.plan_pause([EngineScope(ScopeKind.WORKFLOW, key)], Mode.FREEZE)
    assert plan.members[key] == ("schedule:s-orders", f"run:{mine.run_id}")
    assert f"run:{other.run_id}" not in {call.target_id for call in plan.calls}


def test_one_run_is_frozen_alone(server: FakeTemporal, engine: Temporal) -> None:
    """A run as scope touches nothing else, and cannot be drained."""
    run, other = server.begin("orders"), server.begin("orders")
    scope = [EngineScope(ScopeKind.RUN, run.run_id)]
    assert engine.plan_pause(scope, Mode.DRAIN).cannot.keys() == {run.run_id}
    paused(engine, scope, Mode.FREEZE)
    assert (run.status, other.status) == ("PAUSED", "RUNNING")
    assert server.schedules["s-orders"].paused is False


def test_safe_mode_covers_every_schedule_and_run(server: FakeTemporal, engine: Temporal) -> None:
    """The whole engine is each schedule that is not paused and each run in flight, whoever started it."""
    server.begin("by-hand")
    server.begin("orders", schedule_id="s-orders")
    plan, receipts = paused(engine, EVERYTHING, Mode.FREEZE)
    assert len(plan.members["*"]) == 5
    assert len(receipts) == 4
    assert {s.paused for s in server.schedules.values()} == {True}
    done(engine, engine.plan_resume(receipts, CatchUp.ALL))
    assert [s.schedule_id for s in server.schedules.values() if s.paused] == ["s-attic"]


def test_a_patch_is_never_dropped_as_seen_before(server: FakeTemporal, engine: Temporal) -> None:
    """Trap: a patch whose request id was seen is answered with 200 and dropped; each change has an id of its own."""
    paused(engine, ORDERS, Mode.DRAIN)
    server.patch("s-orders", {"unpause": "go"}, who="bob")
    plan, _ = paused(engine, ORDERS, Mode.DRAIN)
    assert server.schedules["s-orders"].paused is True
    assert not engine.verify(plan).unmet


def test_a_call_that_is_sent_twice_is_one_change(server: FakeTemporal, engine: Temporal) -> None:
    """After a lost answer the same call is sent again: no second pause, no refusal."""
    server.begin("orders")
    plan = engine.plan_pause(ORDERS, Mode.FREEZE)
    assert set(done(engine, plan)) == set(done(engine, plan)) == {CallResult.DONE}
    assert server.schedules["s-orders"].version == 2


def test_an_unpause_always_has_a_note(server: FakeTemporal, engine: Temporal) -> None:
    """Trap: an empty note is answered with 200 and switches nothing; where none is to be restored ours is sent."""
    invoices = [EngineScope(ScopeKind.WORKFLOW, "invoices")]
    _, receipts = paused(engine, invoices, Mode.DRAIN)
    done(engine, engine.plan_resume(receipts, CatchUp.ALL))
    one = server.schedules["s-invoices"]
    assert (one.paused, one.notes) == (False, "H-1 by ops-lead: wrong amounts")


def test_what_waits_in_a_schedules_buffer_is_said_to_be_lost(
    server: FakeTemporal, engine: Temporal
) -> None:
    """Trap: a pause throws away starts that wait for the run before them; the plan says so before the click."""
    server.schedules["s-orders"].buffered = 2
    plan = engine.plan_pause(ORDERS, Mode.DRAIN)
    assert plan.collateral == ("2 starts in the buffer of the schedule s-orders are lost",)


def test_the_next_start_of_a_long_paused_schedule_is_asked_for(
    server: FakeTemporal, engine: Temporal
) -> None:
    """Trap: a paused schedule goes on showing times that are past; when it would start next is asked anew."""
    paused(engine, ORDERS, Mode.DRAIN)
    server.now = AT + timedelta(hours=12, minutes=10)
    (reading,) = engine.state(ORDERS)
    assert reading.next_start_at == AT + timedelta(hours=13)


def test_runs_that_the_list_does_not_show_yet_are_covered(
    server: FakeTemporal, engine: Temporal
) -> None:
    """The list lags: what a schedule has just started is known from the schedule, what has ended is asked about."""
    over = server.begin("orders", schedule_id="s-orders")
    server.freeze_lists()
    over.end("COMPLETED", server.now)
    fresh = server.begin("orders", schedule_id="s-orders")
    plan = engine.plan_pause(ORDERS, Mode.FREEZE)
    assert plan.members["orders"] == ("schedule:s-orders", f"run:{fresh.run_id}")
    done(engine, plan)
    (reading,) = [r for r in engine.verify(plan).readings if r.target_id.startswith("schedule:")]
    assert reading.is_paused is True


def test_a_run_whose_id_has_a_slash_is_not_called_held(
    server: FakeTemporal, engine: Temporal
) -> None:
    """Trap: HTTP cannot name it, so it is left, and how to pause it by hand is said."""
    run = server.begin("orders", workflow_id="orders/4711")
    plan, _ = paused(engine, ORDERS, Mode.FREEZE)
    why = engine.verify(plan).unmet[f"run:{run.run_id}"]
    assert f"temporal workflow pause -w orders/4711 -r {run.execution}" in why
    assert run.status == "RUNNING"


def test_of_very_many_runs_the_rest_is_taken_from_the_list(
    server: FakeTemporal, engine: Temporal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No pause waits for thousands of questions: beyond a bound the list counts, and the reading says so."""
    monkeypatch.setattr("workbench.engines.temporal_answers.MAX_ASKED", 2)
    for _ in range(4):
        server.begin("orders")
    plan, _ = paused(engine, ORDERS, Mode.FREEZE)
    assert len(plan.calls) == 5
    lagging = [r for r in engine.state(ORDERS) if "lags by moments" in r.note]
    assert len(lagging) == 2


@pytest.mark.parametrize(
    ("status", "result", "can_retry"),
    [
        (403, CallResult.REFUSED, False),
        (500, CallResult.UNKNOWN, True),
        (501, CallResult.REFUSED, False),
    ],
)
def test_a_refusal_is_told_apart_from_a_fault(
    server: FakeTemporal, engine: Temporal, status: int, result: CallResult, can_retry: bool
) -> None:
    """What the server refuses is not sent again; what it may have done is read back."""
    plan = engine.plan_pause(ORDERS, Mode.DRAIN)
    server.overrides["/schedules/s-orders/patch"] = lambda _: httpx.Response(
        status, headers=JSON, json={"code": 7, "message": "no"}
    )
    outcome = engine.apply(plan.calls[0], NOTE)
    assert (outcome.result, outcome.can_retry) == (result, can_retry)
    assert (
        "schedule s-orders of Temporal still starts orders"
        in engine.verify(plan).unmet["schedule:s-orders"]
    )


def test_verifying_without_an_answer_is_an_error(server: FakeTemporal, engine: Temporal) -> None:
    """A server that cannot be read has not confirmed anything."""
    plan, _ = paused(engine, ORDERS, Mode.DRAIN)
    server.overrides["/schedules"] = lambda _: httpx.Response(401, headers=JSON, json={})
    with pytest.raises(EngineError, match="refuses to answer"):
        engine.verify(plan)


def test_every_path_survives_odd_names(server: FakeTemporal, engine: Temporal) -> None:
    """Colons, spaces, quotes and per cents in ids reach the server as they are."""
    odd = "a b:c'd%2Fe?f#g"
    server.add_schedule(odd, odd)
    run = server.begin(odd, workflow_id=odd)
    scope = [EngineScope(ScopeKind.WORKFLOW, odd)]
    _, receipts = paused(engine, scope, Mode.FREEZE)
    assert (server.schedules[odd].paused, run.status) == (True, "PAUSED")
    done(engine, engine.plan_resume(receipts, CatchUp.ALL))
    assert (server.schedules[odd].paused, run.status) == (False, "RUNNING")


def test_probes_need_a_worker_and_say_so(server: FakeTemporal, engine: Temporal) -> None:
    """Without a worker only queued work is started; how to start one is said, and nothing is left."""
    queued = engine.start(WorkClass.QUEUED)
    assert server.runs[queued.run_id].queue == "workbench-probes-unattended"
    assert "python -m workbench.hooks.temporal_probes" in engine.start(WorkClass.RUNNING).cannot
    assert list(engine.clean_up()) == []
    assert server.runs[queued.run_id].status == "TERMINATED"


def test_probes_are_of_one_type_and_are_cleaned_up(server: FakeTemporal, engine: Temporal) -> None:
    """Each class is started under one workflow type, which a drill's hold can cover; then nothing is left."""
    server.pollers.add("workbench-probes")
    made = {work_class: engine.start(work_class) for work_class in WorkClass}
    assert {run.kind for run in server.runs.values()} == {"workbench-probe"}
    schedule_id = made[WorkClass.SCHEDULED].target_id.removeprefix("schedule:")
    server.patch(schedule_id, {"triggerImmediately": {}}, who="tick")
    plan = engine.plan_pause([EngineScope(ScopeKind.WORKFLOW, "workbench-probe")], Mode.FREEZE)
    assert {one.target_id for one in made.values()} < set(plan.members["workbench-probe"])
    assert list(engine.clean_up()) == []
    assert schedule_id not in server.schedules
    assert {run.status for run in server.runs.values()} == {"TERMINATED"}


def test_a_probe_that_cannot_be_removed_is_named(server: FakeTemporal, engine: Temporal) -> None:
    """What a drill leaves behind is said, a sentence each."""
    work = engine.start(WorkClass.QUEUED)
    workflow_id = work.run_id.split("/")[0]
    server.overrides[f"/workflows/{workflow_id}/terminate"] = lambda _: httpx.Response(
        403, headers=JSON, json={"code": 7, "message": "no"}
    )
    (left,) = engine.clean_up()
    assert left.startswith(
        f"the run {work.run_id} is left in Temporal: temporal.example:7243 answers"
    )


def test_an_engine_that_forgets_its_pause_is_found_out(
    ground: Ground, server: FakeTemporal
) -> None:
    """Seeded: a schedule that un-pauses itself fails the promise that a pause is read back."""
    right: Callable[..., None] = server.patch

    def forgets(schedule_id: str, patch: dict, **more: str) -> None:
        right(schedule_id, patch, **more)
        server.schedules[schedule_id].paused = False

    server.patch = forgets  # type: ignore[method-assign]
    ground.patience_seconds = 0
    with pytest.raises(AssertionError, match="never paused"):
        is_read_back(ground)

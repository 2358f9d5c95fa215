"""Switching Airflow: right calls, nothing believed that was not read back, and a resume of what is ours alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import httpx
import pytest

from tests.engines.fake_airflow import BEGAN, FakeAirflow, backfill_row, pool_row
from workbench.clock import to_text
from workbench.engines.airflow import Airflow
from workbench.engines.interface import EngineAddress
from workbench.engines.switching import (
    CallOutcome,
    CallResult,
    CatchUp,
    EngineScope,
    Note,
    OnPause,
    Plan,
    Receipt,
    ScopeKind,
    WorkClass,
)
from workbench.errors import EngineError
from workbench.records import Mode

NOTE = Note("ops-lead", "wrong amounts", "H-1")
ALL = [EngineScope(ScopeKind.ENGINE, "*")]
FINANCE = [EngineScope(ScopeKind.CATEGORY, "finance")]
GPU = [EngineScope(ScopeKind.CATEGORY, "pool:gpu")]


@pytest.fixture
def server() -> FakeAirflow:
    """Two dags of finance, one that was paused before us, and one of nobody."""
    server = FakeAirflow()
    server.add("orders", "invoices", "attic", tags=("finance",))
    server.add("other")
    server.flip("attic", True)
    server.pools["gpu"] = pool_row("gpu", 4)
    return server


@pytest.fixture
def engine(server: FakeAirflow) -> Airflow:
    """The adapter as the user `ops`."""
    return server.engine()


def dag(*names: str) -> list[EngineScope]:
    """Return the scopes of these dags."""
    return [EngineScope(ScopeKind.WORKFLOW, name) for name in names]


def carry_out(engine: Airflow, plan: Plan) -> list[CallOutcome]:
    """Send every call of a plan."""
    return [engine.apply(call, NOTE) for call in plan.calls]


def paused(
    engine: Airflow, scopes: Sequence[EngineScope], mode: Mode = Mode.FREEZE
) -> tuple[Plan, list[Receipt]]:
    """Pause, read back, and return the receipts of what we changed."""
    plan = engine.plan_pause(scopes, mode)
    assert {one.result for one in carry_out(engine, plan)} <= {CallResult.DONE}
    after = {r.target_id: r for r in engine.verify(plan).readings}
    changed = {target for call in plan.calls for target in call.covers or (call.target_id,)}
    return plan, [
        Receipt("airflow", r.target_id, r.name, r.settings, after[r.target_id].settings, r.observed_at, "H-1")
        for r in plan.before
        if r.target_id in changed and not r.is_paused
    ]  # fmt: skip


def is_paused(server: FakeAirflow) -> set[str]:
    """Return the dags whose switch is off."""
    return {dag_id for dag_id, row in server.dags.items() if row["is_paused"]}


def test_a_category_is_one_call_with_a_pattern(engine: Airflow, server: FakeAirflow) -> None:
    """Trap: without dag_id_pattern Airflow says 200 and does nothing. The call covers what is not paused yet."""
    (call,) = engine.plan_pause(FINANCE, Mode.FREEZE).calls
    assert call.path == "/api/v2/dags?dag_id_pattern=%25&exclude_stale=false&tags=finance"
    assert (call.target_id, call.covers) == ("tag:finance", ("dag:invoices", "dag:orders"))
    assert engine.apply(call, NOTE).result is CallResult.DONE
    assert is_paused(server) == {"orders", "invoices", "attic"}


def test_a_bulk_call_that_matches_nothing_is_a_refusal(
    engine: Airflow, server: FakeAirflow
) -> None:
    """Trap: 200 with `total_entries` 0 is told as refused, not as done."""
    (call,) = engine.plan_pause(FINANCE, Mode.FREEZE).calls
    for row in server.dags.values():
        row["tags"] = []
    outcome = engine.apply(call, NOTE)
    assert (outcome.result, outcome.can_retry) == (CallResult.REFUSED, False)
    assert "matched no dag" in outcome.answer


def test_the_whole_engine_is_read_back_beyond_the_answers_limit(server: FakeAirflow) -> None:
    """Trap: the answer lists 50 of 60 dags; all are read back, one that stayed unpaused is found."""
    server.add(*(f"herd_{number:02}" for number in range(60)))
    server.forgets_pause_of = {"herd_57"}
    engine = server.engine()
    plan = engine.plan_pause(ALL, Mode.FREEZE)
    (call,) = plan.calls
    outcome = engine.apply(call, NOTE)
    assert (outcome.result, len(call.covers)) == (CallResult.DONE, 63)
    assert list(engine.verify(plan).unmet) == ["dag:herd_57"]
    assert len(engine.verify(plan).readings) == 64


def test_dags_whose_file_is_gone_are_paused_too(server: FakeAirflow) -> None:
    """A stale dag comes back with its switch as it was, so the whole engine holds it as well."""
    server.add("asleep", is_stale=True)
    engine = server.engine()
    paused(engine, ALL)
    assert "asleep" in is_paused(server)


def test_a_dag_born_into_the_category_is_found_unpaused(
    engine: Airflow, server: FakeAirflow
) -> None:
    """What joins after the pause is read back as not paused, and the next plan pauses it."""
    plan, _ = paused(engine, FINANCE)
    server.add("newborn", tags=("finance",))
    assert list(engine.verify(plan).unmet) == ["dag:newborn"]
    assert engine.plan_pause(FINANCE, Mode.FREEZE).calls[0].covers == ("dag:newborn",)


def test_a_bulk_resume_brings_back_ours_alone(engine: Airflow, server: FakeAirflow) -> None:
    """Trap: some of the category were paused before us; they stay, and no bulk call is made."""
    _, receipts = paused(engine, FINANCE)
    plan = engine.plan_resume(receipts, CatchUp.ALL)
    assert [call.path for call in plan.calls] == ["/api/v2/dags/invoices", "/api/v2/dags/orders"]
    carry_out(engine, plan)
    assert engine.verify(plan).unmet == {}
    assert is_paused(server) == {"attic"}


def test_two_scopes_that_overlap_are_switched_once(engine: Airflow) -> None:
    """A dag that the bulk call covers gets no call of its own."""
    plan = engine.plan_pause([*FINANCE, *dag("orders", "other")], Mode.FREEZE)
    assert [call.target_id for call in plan.calls] == ["tag:finance", "dag:other"]


def test_drain_is_refused_in_words_that_say_what_to_do(engine: Airflow) -> None:
    """Airflow 3.3 freezes what is in flight: drain is refused for each scope, and no call is made."""
    plan = engine.plan_pause([*dag("orders"), *FINANCE, *GPU], Mode.DRAIN)
    assert plan.calls == ()
    assert set(plan.cannot) == {"orders", "finance", "pool:gpu"}
    assert "airflow.example:8080 cannot drain workflow orders" in plan.cannot["orders"]
    assert "choose freeze" in plan.cannot["orders"]


@pytest.mark.parametrize("feature", ["scheduling_state", "is_draining"])
def test_draining_is_found_by_feature(server: FakeAirflow, feature: str) -> None:
    """An Airflow whose dags tell a draining state gets drain calls, whatever its version says."""
    for row in server.dags.values():
        row[feature] = "active" if feature == "scheduling_state" else False
    engine = server.engine()
    (call,) = engine.plan_pause(dag("orders"), Mode.DRAIN).calls
    assert call.body == {"scheduling_state": "draining"}
    can = {(c.scope_kind, c.mode): c for c in engine.capabilities()}[ScopeKind.WORKFLOW, Mode.DRAIN]
    effects = {effect.work_class: effect.on_pause for effect in can.effects}
    assert (can.cannot, effects[WorkClass.RUNNING]) == ("", OnPause.CONTINUES)


def test_a_draining_dag_lets_its_runs_end(server: FakeAirflow) -> None:
    """While it drains a dag counts as paused, and its runs as running, not as frozen."""
    run_id = server.begin("orders")
    server.dags["orders"] |= {"scheduling_state": "draining"}
    engine = server.engine()
    (reading,) = engine.state(dag("orders"))
    assert (reading.is_paused, reading.running_ids, reading.frozen_ids) == (True, (run_id,), ())
    assert engine.verify(engine.plan_pause(dag("orders"), Mode.DRAIN)).unmet == {}
    (call,) = engine.plan_pause(dag("orders"), Mode.FREEZE).calls
    assert call.body == {"is_paused": True}, "a freeze would let its runs go on"


def test_a_frozen_run_is_told_apart(engine: Airflow, server: FakeAirflow) -> None:
    """Trap: a paused dag's run says `running` for ever: with a task at work it runs, without one it is frozen."""
    run_id = server.begin("orders")
    paused(engine, dag("orders"))
    (reading,) = engine.state(dag("orders"))
    assert (reading.running_ids, reading.frozen_ids) == ((run_id,), ())
    server.step()
    (reading,) = engine.state(dag("orders"))
    assert (reading.running_ids, reading.frozen_ids) == ((), (run_id,))
    assert "1 run that Airflow calls running cannot go on" in reading.note


def test_a_halt_ends_what_is_in_flight_with_the_reason(
    engine: Airflow, server: FakeAirflow
) -> None:
    """First the pause, then each run: failed for good, with hold, person and reason as its note; queued ones wait."""
    frozen = server.begin("attic")
    server.step()
    at_work, waits = server.begin("orders"), server.queue("orders")
    plan, _ = paused(engine, [*dag("orders"), *dag("attic")], Mode.HALT)
    assert [(c.stage, c.run_id, c.is_lossy) for c in plan.calls] == [
        (1, "", False), (2, at_work, True), (2, frozen, True),
    ]  # fmt: skip
    assert engine.verify(plan).unmet == {}
    states = {f"{r['dag_id']}/{r['dag_run_id']}": (r["state"], r["note"]) for r in server.runs}
    assert states[at_work] == states[frozen] == ("failed", "H-1 by ops-lead: wrong amounts")
    assert states[waits] == ("queued", None)
    assert [row.status for row in engine.runs_by_id([at_work], BEGAN)] == ["cancelled"]


def test_a_run_that_slips_in_is_an_unmet_halt(engine: Airflow, server: FakeAirflow) -> None:
    """What began between plan and pause is found when it is read back."""
    plan = engine.plan_pause(dag("orders"), Mode.HALT)
    run_id = server.begin("orders")
    carry_out(engine, plan)
    assert run_id in engine.verify(plan).unmet["dag:orders"]


def test_one_run_is_halted_and_nothing_else(engine: Airflow, server: FakeAirflow) -> None:
    """A run scope ends that run; holding a single run is refused in words, and so is a run that is not there."""
    one, other = server.begin("orders"), server.begin("orders")
    scope = [EngineScope(ScopeKind.RUN, one)]
    assert set(engine.plan_pause(scope, Mode.FREEZE).cannot) == {one}
    plan, _ = paused(engine, scope, Mode.HALT)
    assert engine.verify(plan).unmet == {}
    assert engine.state([EngineScope(ScopeKind.RUN, other)])[0].running_ids == (other,)
    gone = [EngineScope(ScopeKind.RUN, "orders/none"), EngineScope(ScopeKind.RUN, "nonsense")]
    assert set(engine.plan_pause(gone, Mode.HALT).cannot) == {"orders/none", "nonsense"}


def test_a_trigger_and_an_empty_category_are_refused(engine: Airflow) -> None:
    """What stands for nothing is said: a schedule alone, a tag of no dag, a pool that is not there."""
    scopes = [
        EngineScope(ScopeKind.TRIGGER, "orders.daily"),
        EngineScope(ScopeKind.CATEGORY, "nobody"),
        EngineScope(ScopeKind.CATEGORY, "pool:none"),
    ]
    plan = engine.plan_pause(scopes, Mode.FREEZE)
    assert plan.calls == ()
    assert {key: "airflow.example:8080" in why for key, why in plan.cannot.items()} == {
        "orders.daily": True, "nobody": True, "pool:none": True,
    }  # fmt: skip


def test_a_pool_is_closed_with_collateral_and_opened_again(
    engine: Airflow, server: FakeAirflow
) -> None:
    """Zero slots hold tasks, also of dags that nobody asked about: they are named; the resume gives the slots back."""
    run_id = server.begin("other")
    server.steps[0]["pool"] = server.steps[1]["pool"] = "gpu"
    plan, receipts = paused(engine, GPU)
    assert "seen in it: other" in plan.collateral[0]
    assert server.pools["gpu"]["slots"] == 0
    assert {e.work_class: e.on_pause for e in plan.effects}[WorkClass.QUEUED] is OnPause.FINISHES_STEP_THEN_WAITS  # fmt: skip
    server.steps[0]["state"] = "success"
    server.steps[1]["state"] = "scheduled"
    (reading,) = engine.state(GPU)
    assert (reading.is_paused, reading.frozen_ids) == (True, (run_id,))
    resume = engine.plan_resume(receipts, CatchUp.ALL)
    assert [(f.count, f.run_ids) for f in resume.forecast] == [(1, (run_id,))]
    carry_out(engine, resume)
    assert (server.pools["gpu"]["slots"], engine.verify(resume).unmet) == (4, {})


def test_a_pool_cannot_be_halted_or_drained(engine: Airflow) -> None:
    """A pool holds starts of tasks alone; other modes are refused and say what to name instead."""
    for mode in (Mode.DRAIN, Mode.HALT):
        plan = engine.plan_pause(GPU, mode)
        assert (plan.calls, set(plan.cannot)) == ((), {"pool:gpu"})


def test_backfills_are_targets_of_their_own(engine: Airflow, server: FakeAirflow) -> None:
    """An open backfill of a paused dag is paused too and brought back; one that was paused before is not."""
    server.backfills = [
        backfill_row(3, "orders"),
        backfill_row(4, "orders", is_paused=True),
        backfill_row(5, "orders", completed_at="2026-11-27T08:00:00Z"),
    ]
    server.queue("orders", run_type="backfill")
    plan, receipts = paused(engine, dag("orders"))
    assert [call.target_id for call in plan.calls] == ["dag:orders", "backfill:3"]
    assert plan.members["orders"] == ("dag:orders", "backfill:3", "backfill:4")
    resume = engine.plan_resume(receipts, CatchUp.ALL)
    told = {firing.target_id: firing for firing in resume.forecast}
    assert set(told) == {"dag:orders", "backfill:3"}
    assert told["backfill:3"].count is None
    assert "does not tell how many runs" in told["backfill:3"].sentence
    carry_out(engine, resume)
    assert engine.verify(resume).unmet == {}
    assert [one["is_paused"] for one in server.backfills] == [False, True, False]


def test_who_switched_last_is_read_from_the_log(engine: Airflow, server: FakeAirflow) -> None:
    """A bulk pause and a refused request lie in between: the person who changed the switch is told, with instant."""
    server.flip("orders", True, by="olga")
    server._write(
        "patch_dags", "bob", {"tags": "finance", "dag_id_pattern": "%", "is_paused": True}
    )
    server._write("patch_dag", "bob", {"is_paused": "maybe"}, dag_id="orders")
    (reading,) = engine.state(dag("orders"))
    assert reading.changed_by == "olga"
    assert to_text(reading.changed_at or BEGAN) == server.log[1]["when"]


def test_a_log_that_tells_what_is_not_so_is_not_believed(
    engine: Airflow, server: FakeAirflow
) -> None:
    """Trap: the log is written before the change is tried; the switch itself counts."""
    server._write("patch_dag", "olga", {"is_paused": True}, dag_id="orders")
    (reading,) = engine.state(dag("orders"))
    assert (reading.is_paused, reading.changed_by) == (False, "")
    assert "but it is not so" in reading.note


def test_without_sight_of_the_log_the_switch_alone_counts(server: FakeAirflow) -> None:
    """A user who may not read the audit log can pause and resume; who switched is then not known."""
    forbidden = httpx.Response(403, json={"detail": "Forbidden"})
    server.overrides["GET", "/api/v2/eventLogs"] = lambda _: forbidden
    engine = server.engine()
    _, receipts = paused(engine, [*dag("orders"), *GPU])
    plan = engine.plan_resume(receipts, CatchUp.ALL)
    assert len(plan.calls) == 2
    assert plan.before[0].changed_by == ""


def test_a_pause_by_somebody_after_ours_is_not_undone(engine: Airflow, server: FakeAirflow) -> None:
    """Unpaused and paused again by olga: it looks as we left it, and is hers now. The sentence says so."""
    _, receipts = paused(engine, dag("orders"))
    server.flip("orders", False)
    server.flip("orders", True)
    plan = engine.plan_resume(receipts, CatchUp.ALL)
    assert plan.calls == ()
    assert "orders paused by olga at 2026-11-27 09:00" in plan.cannot["dag:orders"]


def test_our_own_second_pause_stays_ours(engine: Airflow, server: FakeAirflow) -> None:
    """Somebody unpaused it, we paused it again: the resume is ours to make."""
    _, receipts = paused(engine, dag("orders"))
    server.flip("orders", False)
    paused(engine, dag("orders"))
    assert len(engine.plan_resume(receipts, CatchUp.ALL).calls) == 1


def test_a_pool_that_others_changed_is_left(engine: Airflow, server: FakeAirflow) -> None:
    """Other slots than we left, or none again by another hand, are not ours to give back."""
    _, receipts = paused(engine, GPU)
    server.pools["gpu"]["slots"] = 2
    assert set(engine.plan_resume(receipts, CatchUp.ALL).cannot) == {"pool:gpu"}
    said = {"pool_name": "gpu", "pool": "gpu", "slots": 0, "include_deferred": False}
    server._write("patch_pool", "olga", said)
    server.pools["gpu"]["slots"] = 0
    assert "olga" in engine.plan_resume(receipts, CatchUp.ALL).cannot["pool:gpu"]


def test_what_is_gone_is_said(engine: Airflow, server: FakeAirflow) -> None:
    """A dag that was deleted is unmet when read back, and nothing to resume."""
    plan, receipts = paused(engine, dag("orders"))
    del server.dags["orders"]
    assert "does not list orders any more" in engine.verify(plan).unmet["dag:orders"]
    assert set(engine.plan_resume(receipts, CatchUp.ALL).cannot) == {"dag:orders"}


@pytest.mark.parametrize(
    ("catch_up", "count", "ended"),
    [(CatchUp.ALL, 6, 0), (CatchUp.LATEST, 5, 1), (CatchUp.SKIP, 3, 3)],
)
def test_the_forecast_counts_what_waits_and_what_was_missed(
    server: FakeAirflow, catch_up: CatchUp, count: int, ended: int
) -> None:
    """Queued runs and missed times are counted; unwanted queued runs are ended first, missed times cannot be."""
    due = [to_text(BEGAN + timedelta(seconds=n)) for n in range(3)]
    server.dags["orders"] |= {"next_dagrun_run_after": due[0], "next_dagrun_logical_date": due[0]}
    server.details["orders"] = {"catchup": True}
    server.missed["orders"] = [*due, "2026-11-28T00:00:00Z"]
    engine = server.engine()
    server.clock.at += timedelta(minutes=1)
    _, receipts = paused(engine, dag("orders"))
    server.queue("orders"), server.queue("orders"), server.queue("orders", run_type="scheduled")
    server.queue("orders", run_after="2026-11-28T00:00:00Z")
    plan = engine.plan_resume(receipts, catch_up)
    (firing,) = plan.forecast
    assert (firing.count, len([c for c in plan.calls if c.run_id])) == (count, ended)
    assert [c.stage for c in plan.calls] == [*[1] * ended, 2]
    assert "starts 1 run later, as planned" in firing.sentence
    assert ("which Airflow cannot leave out" in firing.sentence) == (catch_up is not CatchUp.ALL)
    assert bool(firing.cannot) == (catch_up is not CatchUp.ALL)


@pytest.mark.parametrize(
    ("row", "details", "count"),
    [
        ({}, {}, 0),
        ({"next_dagrun_run_after": "2026-11-28T00:00:00Z"}, {"catchup": True}, 0),
        ({"next_dagrun_run_after": "2026-11-27T08:00:00Z"}, {"catchup": False}, 1),
    ],
)
def test_missed_times_by_kind_of_schedule(
    server: FakeAirflow, row: dict[str, str], details: dict[str, bool], count: int
) -> None:
    """No schedule or none due: nothing is made up for; without catchup one run starts at once."""
    server.dags["orders"] |= row
    server.details["orders"] = details
    engine = server.engine()
    _, receipts = paused(engine, dag("orders"))
    assert engine.plan_resume(receipts, CatchUp.ALL).forecast[0].count == count


def test_an_unknown_number_of_missed_times_is_said(server: FakeAirflow) -> None:
    """Where Airflow does not tell how many times were missed the forecast has no number, never a guess."""
    server.dags["orders"]["next_dagrun_run_after"] = "2026-11-27T08:00:00Z"
    server.details["orders"] = {"catchup": True}
    forbidden = httpx.Response(403, json={"detail": "Forbidden"})
    server.overrides["POST", "/api/v2/backfills/dry_run"] = lambda _: forbidden
    engine = server.engine()
    _, receipts = paused(engine, dag("orders"))
    (firing,) = engine.plan_resume(receipts, CatchUp.ALL).forecast
    assert firing.count is None
    assert "as many runs for missed times as Airflow does not tell" in firing.sentence


HTML = {"content-type": "text/html"}
JSON = {"content-type": "application/json"}


def slow(_: httpx.Request) -> httpx.Response:
    """Answer too late."""
    raise httpx.ReadTimeout("slow")


def unreachable(_: httpx.Request) -> httpx.Response:
    """Answer nothing at all."""
    raise httpx.ConnectError("Connection refused")


@pytest.mark.parametrize(
    ("answer", "result", "can_retry"),
    [
        (slow, CallResult.UNKNOWN, True),
        (unreachable, CallResult.REFUSED, True),
        (lambda _: httpx.Response(503, json={}), CallResult.UNKNOWN, True),
        (lambda _: httpx.Response(200, headers=HTML, text="<h1>Log in</h1>"), CallResult.UNKNOWN, True),
        (lambda _: httpx.Response(200, headers=JSON, content=b'{"is_paused": tr'), CallResult.UNKNOWN, True),
        (lambda _: httpx.Response(403, json={"detail": "Forbidden"}), CallResult.REFUSED, False),
        (lambda _: httpx.Response(404, json={"detail": "gone"}), CallResult.REFUSED, False),
        (lambda _: httpx.Response(200, json={"is_paused": False}), CallResult.REFUSED, False),
    ],
)  # fmt: skip
def test_no_answer_that_is_none_counts_as_done(
    engine: Airflow, server: FakeAirflow, answer, result: CallResult, can_retry: bool
) -> None:
    """F40: slow, down, busy, a login page, cut JSON, a viewer's 403, 404 and a 200 that says no."""
    plan = engine.plan_pause(dag("orders"), Mode.FREEZE)
    server.overrides["PATCH", "/api/v2/dags/orders"] = answer
    (outcome,) = carry_out(engine, plan)
    assert (outcome.result, outcome.can_retry) == (result, can_retry)
    assert list(engine.verify(plan).unmet) == ["dag:orders"]


def test_a_lost_reply_is_unknown_and_read_back_as_paused(
    engine: Airflow, server: FakeAirflow
) -> None:
    """F42: the call took effect and its answer was lost: nothing is claimed until it is read back; a repeat is safe."""

    def lost(_: httpx.Request) -> httpx.Response:
        server.dags["orders"]["is_paused"] = True
        raise httpx.RemoteProtocolError("peer closed")

    plan = engine.plan_pause(dag("orders"), Mode.FREEZE)
    server.overrides["PATCH", "/api/v2/dags/orders"] = lost
    assert [one.result for one in carry_out(engine, plan)] == [CallResult.UNKNOWN]
    assert engine.verify(plan).unmet == {}
    server.overrides.clear()
    assert [one.result for one in carry_out(engine, plan)] == [CallResult.DONE]


def test_a_delayed_effect_is_unmet_until_it_is_there(engine: Airflow, server: FakeAirflow) -> None:
    """F42: yes comes before the effect; reading back says no, and yes later."""
    plan = engine.plan_pause(dag("orders"), Mode.FREEZE)
    server.forgets_pause_of = {"orders"}
    assert [one.result for one in carry_out(engine, plan)] == [CallResult.DONE]
    assert set(engine.verify(plan).unmet) == {"dag:orders"}
    server.dags["orders"]["is_paused"] = True
    assert engine.verify(plan).unmet == {}


def test_an_engine_that_forgets_its_pause_is_found_out(
    engine: Airflow, server: FakeAirflow
) -> None:
    """F44: restored from a copy, or deleted and read again, a dag is back unpaused: verify says so, by asking anew."""
    plan, _ = paused(engine, dag("orders"))
    assert engine.verify(plan).unmet == {}
    server.dags["orders"]["is_paused"] = False
    assert "orders at airflow.example:8080 is not paused" in engine.verify(plan).unmet["dag:orders"]


def test_an_engine_that_falls_silent_is_an_error_not_a_yes(
    engine: Airflow, server: FakeAirflow
) -> None:
    """Reading back without an answer raises; it never says that all is as wanted."""
    plan, _ = paused(engine, dag("orders"))
    server.overrides["GET", "/api/v2/dags"] = unreachable
    with pytest.raises(EngineError, match=r"airflow\.example:8080 cannot be reached"):
        engine.verify(plan)


def test_a_token_that_is_over_at_the_moment_of_the_emergency(
    engine: Airflow, server: FakeAirflow
) -> None:
    """F47: the pause itself meets a stale token: one login, one pause, sent once."""
    plan = engine.plan_pause(dag("orders"), Mode.FREEZE)
    server.good_tokens.clear()
    assert [one.result for one in carry_out(engine, plan)] == [CallResult.DONE]
    assert is_paused(server) == {"attic", "orders"}
    assert len([row for row in server.log if row["owner"] == "ops"]) == 1


def test_what_it_can_do_is_told_without_the_engine(server: FakeAirflow) -> None:
    """A card can be printed while Airflow is down; drain is then not promised."""
    server.overrides["GET", "/api/v2/dags"] = unreachable
    found = {(c.scope_kind, c.mode): c.cannot for c in server.engine().capabilities()}
    assert found[ScopeKind.WORKFLOW, Mode.FREEZE] == ""
    assert "cannot drain" in found[ScopeKind.WORKFLOW, Mode.DRAIN]


def test_the_adapter_is_found_by_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry point of pyproject.toml makes the adapter; nothing is asked yet."""
    import tomllib
    from importlib.metadata import EntryPoint
    from pathlib import Path

    from workbench.clock import SystemClock
    from workbench.engines import connecting
    from workbench.engines.binding import RegistryBinding

    project = Path(__file__).parents[2] / "pyproject.toml"
    named = tomllib.loads(project.read_text())["project"]["entry-points"]["workbench.engines"]
    point = EntryPoint("airflow", named["airflow"], "workbench.engines")
    monkeypatch.setattr(connecting, "entry_points", lambda group: [point])
    address = EngineAddress("airflow", "airflow", "http://airflow.example/api/v2", token="x.y.z")
    engine = connecting.connect(address, RegistryBinding([], "airflow"), clock=SystemClock())
    assert isinstance(engine, Airflow)
    assert "x.y.z" not in repr(address)


def test_an_engine_that_paused_itself_is_told_and_left(
    engine: Airflow, server: FakeAirflow
) -> None:
    """Trap: after failures in a row Airflow pauses a dag by itself: it is named, and never unpaused by us."""
    server.dags["orders"]["is_paused"] = True
    server._write("paused", "scheduler", {}, dag_id="orders")
    plan, receipts = paused(engine, dag("orders"))
    assert (plan.calls, receipts) == ((), [])
    assert plan.before[0].changed_by == "scheduler"


def test_a_switch_without_any_entry_is_seen_all_the_same(
    engine: Airflow, server: FakeAirflow
) -> None:
    """Trap: a switch that left no trace in the log (it is purged, or set in the database) is read from the switch."""
    _, receipts = paused(engine, dag("orders"))
    server.dags["orders"]["is_paused"] = False
    server.log.clear()
    (reading,) = engine.state(dag("orders"))
    assert (reading.is_paused, reading.changed_by, reading.changed_at) == (False, "", None)
    why = engine.plan_resume(receipts, CatchUp.ALL).cannot["dag:orders"]
    assert "unpaused already: somebody did that" in why


def test_a_silent_engine_is_not_taken_for_one_without_the_run(
    engine: Airflow, server: FakeAirflow
) -> None:
    """Only a 404 says that there is no such run; no answer is an error."""
    server.overrides["GET", "/api/v2/dags/orders/dagRuns/ended"] = unreachable
    with pytest.raises(EngineError, match="cannot be reached"):
        engine.state([EngineScope(ScopeKind.RUN, "orders/ended")])

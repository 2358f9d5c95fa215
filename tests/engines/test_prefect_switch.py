"""Pausing Prefect: what its own pause leaves running, what others do meanwhile, and answers that prove nothing."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from tests.engines.contract import NOTE, Ground
from tests.engines.prefect_ground import engine_over, flip, ground_over
from tests.engines.prefect_server import PrefectServer, new_id
from workbench.engines.prefect_sight import HOLD_LIMIT
from workbench.engines.switching import (
    CallResult,
    CatchUp,
    EngineScope,
    NativeCall,
    OnPause,
    OnResume,
    Plan,
    ScopeKind,
    WorkClass,
)
from workbench.errors import EngineError
from workbench.records import Mode

EVERYTHING = EngineScope(ScopeKind.ENGINE, "*")


@pytest.fixture
def server() -> PrefectServer:
    """A server with three deployments, the last one paused by somebody."""
    return PrefectServer()


@pytest.fixture
def ground(server: PrefectServer) -> Ground:
    """The adapter over it."""
    return ground_over(server)


def starts(server: PrefectServer, seconds: int = 60) -> set[str]:
    """Let time pass and return the runs that began in it."""
    before = {run["id"] for run in server.runs if run["start_time"]}
    for _ in range(seconds // 5):
        server.tick()
    return {run["id"] for run in server.runs if run["start_time"]} - before


def pause(ground: Ground, scope: EngineScope, mode: Mode = Mode.DRAIN) -> Plan:
    """Carry a pause out and return its plan."""
    plan = ground.engine.plan_pause([scope], mode)
    assert set(ground.carry_out(plan)) <= {CallResult.DONE}
    return plan


# What Prefect's own pause leaves running.


def test_prefects_own_pause_lets_runs_made_by_hand_start(server: PrefectServer) -> None:
    """The trap: a paused deployment starts what is made by hand, at once and at its time."""
    key = server.deploy("orders")
    server._native_switch(key, "pause", body=None)
    made = {server.make("orders"), server.make("orders", after_seconds=30)}
    assert starts(server) == made


def test_our_pause_holds_runs_made_by_hand(ground: Ground, server: PrefectServer) -> None:
    """Before or during the pause, now or later: none starts, and all start after the resume."""
    made = {server.make("orders", after_seconds=30)}
    _, receipts = ground.pause("orders")
    made |= {server.make("orders"), server.make("orders", after_seconds=20)}
    assert starts(server) == set()
    plan = ground.resume(receipts)
    (firing,) = plan.forecast
    assert set(firing.run_ids) == made
    assert firing.count == 3
    assert starts(server, 30) == made


def test_a_run_that_a_worker_took_already_ends_by_itself(
    ground: Ground, server: PrefectServer
) -> None:
    """A run that is Pending when the pause comes is in flight: it is counted as such, and drained."""
    run_id = server.make("orders")
    server.tick()
    assert server.run(run_id)["state_type"] == "PENDING"
    ground.pause("orders")
    assert ground.reading("orders").running_ids == (run_id,)
    starts(server)
    assert server.run(run_id)["state_name"] == "Completed"
    assert ground.reading("orders").running_ids == ()


def test_planned_starts_go_and_are_never_made_up(ground: Ground, server: PrefectServer) -> None:
    """A pause deletes what its schedule planned ahead; a resume plans from then on and says so."""
    soon = ground.reading("orders").next_start_at
    assert soon is not None
    _, receipts = ground.pause("orders")
    assert ground.reading("orders").next_start_at is None
    server.tick(3_600)
    plan = ground.resume(receipts)
    assert plan.forecast[0].count == 0
    assert "not made up" in plan.forecast[0].sentence
    again = ground.reading("orders").next_start_at
    assert again is not None
    assert again > server.clock.now()


def test_a_start_that_was_already_late_is_kept(ground: Ground, server: PrefectServer) -> None:
    """Unlike Prefect's own pause ours keeps what is due and not begun, for the resume to decide."""
    server.worker_is_alive = False
    schedule = server.deployment("orders")["schedules"][0]["id"]
    late = server.make("orders", auto=schedule)
    server.tick()
    _, receipts = ground.pause("orders")
    assert ground.reading("orders").waiting_ids == (late,)
    plan = ground.engine.plan_resume(receipts, CatchUp.ALL)
    assert plan.forecast[0].run_ids == (late,)


def test_retries_go_on_under_a_drain_and_end_under_a_halt(
    ground: Ground, server: PrefectServer
) -> None:
    """A process that waits for its next attempt is in flight, and only halt ends it."""
    run_id = server.begin("orders")
    server.run(run_id)["empirical_policy"] = {"retry_type": "in_process"}
    server._set(
        server.run(run_id),
        "SCHEDULED",
        "AwaitingRetry",
        next_scheduled_start_time="2099-01-01T00:00:00Z",
    )
    server.run(run_id)["infrastructure_pid"] = "77"
    ground.pause("orders")
    assert ground.reading("orders").running_ids == (run_id,)
    plan = ground.engine.plan_pause(ground.scope("orders"), Mode.HALT)
    assert [(c.run_id, c.body["state"]["type"], c.is_lossy) for c in plan.calls if c.body] == [
        (run_id, "CANCELLING", True)
    ]


# Three calls, and each answer read.


def test_a_pause_is_a_limit_and_a_switch(ground: Ground) -> None:
    """The plan names both calls and their order, and a stronger mode adds one for each run in flight."""
    run_id = ground.work("orders")
    plan = ground.engine.plan_pause(ground.scope("orders"), Mode.FREEZE)
    assert [
        (c.stage, c.method, c.path.split("/")[1]) for c in sorted(plan.calls, key=lambda c: c.stage)
    ] == [
        (1, "POST", "v2"),
        (2, "PATCH", "deployments"),
        (3, "POST", "flow_runs"),
    ]
    assert plan.calls[-1].run_id == run_id
    assert all("orders/orders" in c.sentence or run_id in c.sentence for c in plan.calls)


def test_a_refusal_with_status_200_is_a_refusal(ground: Ground, server: PrefectServer) -> None:
    """Prefect answers 200 and REJECT: the verdict in the body counts, and the reason is passed on."""
    run_id = ground.work("orders")
    call = ground.engine.plan_pause(ground.scope("orders"), Mode.FREEZE).calls[-1]
    server._set(
        server.run(run_id),
        "SCHEDULED",
        "AwaitingRetry",
        next_scheduled_start_time="2099-01-01T00:00:00Z",
    )
    outcome = ground.engine.apply(call, NOTE)
    assert outcome.result is CallResult.REFUSED
    assert "Cannot suspend flows that are not currently running" in outcome.answer


def test_a_run_that_ended_meanwhile_needs_nothing(ground: Ground, server: PrefectServer) -> None:
    """What is to be halted and has ended is left as it ended, and the call counts as done."""
    run_id = ground.work("orders")
    call = ground.engine.plan_pause(ground.scope("orders"), Mode.HALT).calls[-1]
    server._set(server.run(run_id), "COMPLETED")
    assert ground.engine.apply(call, NOTE).result is CallResult.DONE
    assert server.run(run_id)["state_name"] == "Completed"


def test_a_halt_never_sets_cancelled(ground: Ground, server: PrefectServer) -> None:
    """CANCELLED would leave a starting run to start, and rewrite one that has ended: CANCELLING is sent alone."""
    running, pending = ground.work("orders"), server.make("orders")
    server._set(server.run(pending), "PENDING", "Submitting", next_scheduled_start_time=None)
    plan = ground.engine.plan_pause(ground.scope("orders"), Mode.HALT)
    sent = {c.run_id: c.body["state"]["type"] for c in plan.calls if c.body and c.run_id}
    assert sent == {running: "CANCELLING", pending: "CANCELLING"}
    ground.carry_out(plan)
    assert starts(server) == set()
    # The server leaves it Cancelling; it did nothing and never will, so it is not in flight.
    assert server.run(pending)["state_name"] == "Cancelling"
    assert ground.reading("orders").running_ids == ()
    assert ground.engine.verify(plan).unmet == {}


def test_a_suspended_run_works_until_its_step_ends(ground: Ground, server: PrefectServer) -> None:
    """Prefect says Suspended at once; until the step has ended the run still counts as working."""
    run_id = ground.work("orders")
    plan = pause(ground, ground.scope("orders")[0], Mode.FREEZE)
    assert server.run(run_id)["state_name"] == "Suspended"
    assert ground.reading("orders").running_ids == (run_id,)
    assert "end the step" in next(iter(ground.engine.verify(plan).unmet.values()))
    server.tick()
    assert ground.engine.verify(plan).unmet == {}
    reading = ground.reading("orders")
    assert (reading.running_ids, reading.waiting_ids) == ((), (run_id,))


def test_a_suspended_run_has_no_time_out(ground: Ground) -> None:
    """Prefect fails a paused run when its time-out passes: time may not end what is paused."""
    ground.work("orders")
    call = ground.engine.plan_pause(ground.scope("orders"), Mode.FREEZE).calls[-1]
    assert call.body is not None
    assert call.body["state"]["state_details"] == {"pause_reschedule": True}


def test_what_cannot_be_suspended_is_said(ground: Ground, server: PrefectServer) -> None:
    """A run inside another flow run, and one without a deployment, are named before anything is sent."""
    run_id = ground.work("orders")
    server.run(run_id)["parent_task_run_id"] = new_id()
    plan = ground.engine.plan_pause(ground.scope("orders"), Mode.FREEZE)
    assert run_id not in {c.run_id for c in plan.calls}
    assert "inside another flow run" in plan.cannot[run_id]
    ground.carry_out(plan)
    assert "halt can cancel it" in next(iter(ground.engine.verify(plan).unmet.values()))


def test_the_engine_is_told_why(ground: Ground, server: PrefectServer) -> None:
    """The state that stops a run carries hold, person and reason, at most 500 characters of it."""
    run_id = ground.work("orders")
    long = replace(NOTE, reason="wrong amounts " * 100)
    call = ground.engine.plan_pause(ground.scope("orders"), Mode.FREEZE).calls[-1]
    assert ground.engine.apply(call, long).result is CallResult.DONE
    message = server.run(run_id)["state"]["message"]
    assert message.startswith("workbench H-1 by ops-lead: wrong amounts")
    assert len(message) <= 520


# What others do meanwhile.


def test_deploying_again_opens_it_and_is_found(ground: Ground, server: PrefectServer) -> None:
    """A redeploy unpauses, deletes our limit and lets what waited go; reading back finds it, and the plan mends it."""
    plan, _ = ground.pause("orders")
    server.redeploy(server.deployment("orders")["id"])
    assert list(ground.engine.verify(plan).unmet.values()) == [
        "orders/orders is not paused at prefect.example: send the pause again, or pause it there"
    ]
    ground.pause("orders")
    assert ground.engine.verify(plan).unmet == {}


def test_somebody_who_unpauses_in_the_page_opens_only_half(
    ground: Ground, server: PrefectServer
) -> None:
    """Our limit still holds every run; it reads as not paused, and the resume takes the limit away."""
    _, receipts = ground.pause("orders")
    server._native_switch(server.deployment("orders")["id"], "resume", body=None)
    made = server.make("orders")
    assert starts(server) == set()
    reading = ground.reading("orders")
    assert reading.is_paused is False
    assert "our limit of 0" in reading.note
    ground.resume(receipts)
    assert starts(server, 20) == {made}
    assert server.limits == []


def test_what_somebody_else_paused_starts_runs_by_hand_and_says_so(
    ground: Ground, server: PrefectServer
) -> None:
    """It stays as it was found, but it is not called paused while a run made by hand will still start."""
    made = server.make("attic", after_seconds=3_600)
    plan = ground.engine.plan_pause(ground.scope("attic"), Mode.DRAIN)
    assert plan.calls == ()
    (why,) = ground.engine.verify(plan).unmet.values()
    assert made in why
    assert "cancel them in Prefect" in why
    assert "made by hand still starts" in ground.reading("attic").note


def test_its_own_limit_comes_back(ground: Ground, server: PrefectServer) -> None:
    """A deployment that may run three at a time may do so again afterwards, and waits instead of cancelling meanwhile."""
    own = {"id": new_id(), "name": "shared", "limit": 3, "active": True}
    server.limits.append(own)
    options = {"collision_strategy": "CANCEL_NEW"}
    server.deployment("orders").update(global_concurrency_limit=own, concurrency_options=options)
    _, receipts = ground.pause("orders")
    during = server.deployment("orders")
    assert during["global_concurrency_limit"]["limit"] == 0
    assert during["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    assert own["limit"] == 3
    ground.resume(receipts)
    after = server.deployment("orders")
    assert (after["global_concurrency_limit"], after["concurrency_options"]) == (own, options)


def test_a_limit_that_is_gone_does_not_keep_it_closed(
    ground: Ground, server: PrefectServer
) -> None:
    """Its own limit was deleted meanwhile: it is let go without one, and the plan says so."""
    own = {"id": new_id(), "name": "shared", "limit": 3, "active": True}
    server.limits.append(own)
    server.deployment("orders")["global_concurrency_limit"] = own
    _, receipts = ground.pause("orders")
    server.limits.remove(own)
    plan = ground.resume(receipts)
    assert any("its own limit was deleted meanwhile" in c.sentence for c in plan.calls)
    assert ground.reading("orders").is_paused is False


def test_a_suspended_run_that_somebody_resumed_still_waits(
    ground: Ground, server: PrefectServer
) -> None:
    """A person presses Resume under the hold: the run is due and no worker gets it until we let go."""
    run_id = ground.work("orders")
    _, receipts = ground.pause("orders", mode=Mode.FREEZE)
    server._resume(run_id, body=None)
    starts(server, 20)
    assert server.run(run_id)["state_type"] == "SCHEDULED"
    plan = ground.resume(receipts, CatchUp.SKIP)
    assert plan.forecast[0].run_ids == (run_id,)
    starts(server)
    assert server.run(run_id)["state_name"] == "Completed"


def test_a_target_that_is_gone_is_said(ground: Ground, server: PrefectServer) -> None:
    """A deployment deleted under the hold is neither paused nor resumed in silence."""
    plan, receipts = ground.pause("orders")
    server.deployments.remove(server.deployment("orders"))
    assert "is not at prefect.example any more" in next(
        iter(ground.engine.verify(plan).unmet.values())
    )
    assert (
        "any more" in ground.engine.plan_resume(receipts, CatchUp.ALL).cannot[receipts[0].target_id]
    )


def test_what_a_schedule_missed_cannot_be_made_up_for(
    ground: Ground, server: PrefectServer
) -> None:
    """Prefect plans nothing while it is paused: to make up for one or all is refused before, to skip is not; without schedules all go."""
    _, receipts = ground.pause("orders")
    for policy in (CatchUp.ALL, CatchUp.LATEST):
        (told,) = ground.engine.plan_resume(receipts, policy).forecast
        assert "so none can be made up for" in told.cannot
    (told,) = ground.engine.plan_resume(receipts, CatchUp.SKIP).forecast
    assert told.cannot == ""
    server.deploy("by-hand", schedule=False)
    _, receipts = ground.pause("by-hand")
    (told,) = ground.engine.plan_resume(receipts, CatchUp.ALL).forecast
    assert told.cannot == ""


def test_schedules_that_changed_under_the_hold_are_said(
    ground: Ground, server: PrefectServer
) -> None:
    """The receipt keeps which schedules were active; a resume says where that is different now."""
    _, receipts = ground.pause("orders")
    assert receipts[0].before["schedules"] == {
        server.deployment("orders")["schedules"][0]["id"]: True
    }
    server.deployment("orders")["schedules"][0]["active"] = False
    plan = ground.engine.plan_resume(receipts, CatchUp.ALL)
    assert "schedules were changed" in plan.forecast[0].sentence


# What is to become of starts that fell into the pause.


@pytest.mark.parametrize(
    ("catch_up", "starting", "dropped", "left"),
    [(CatchUp.ALL, 4, 0, 0), (CatchUp.LATEST, 1, 2, 1), (CatchUp.SKIP, 0, 2, 2)],
)
def test_the_forecast_is_what_then_starts(
    ground: Ground,
    server: PrefectServer,
    catch_up: CatchUp,
    *,
    starting: int,
    dropped: int,
    left: int,
) -> None:
    """Starts of schedules are cancelled where they are not caught up; what people made stays put off."""
    server.worker_is_alive = False
    schedule = server.deployment("orders")["schedules"][0]["id"]
    for _ in range(2):
        server.make("orders", auto=schedule)
        server.tick()
    for _ in range(2):
        server.make("orders")
        server.tick()
    _, receipts = ground.pause("orders")
    server.worker_is_alive = True
    plan = ground.resume(receipts, catch_up)
    (firing,) = plan.forecast
    states = [
        run["state_name"]
        for run in server.runs
        if run["deployment_id"] == server.deployment("orders")["id"]
    ]
    assert (firing.count, states.count("Cancelled"), states.count("Held")) == (
        starting,
        dropped,
        left,
    )
    assert starts(server, 20) == set(firing.run_ids)
    assert all(call.is_lossy for call in plan.calls if call.run_id and "cancels" in call.sentence)


def test_a_start_that_has_begun_meanwhile_is_not_cancelled(
    ground: Ground, server: PrefectServer
) -> None:
    """A run is looked at once more before it is put off or cancelled: the server would set even one that has ended."""
    server.worker_is_alive = False
    run_id = server.make("orders", auto=server.deployment("orders")["schedules"][0]["id"])
    server.tick()
    _, receipts = ground.pause("orders")
    call = next(c for c in ground.engine.plan_resume(receipts, CatchUp.SKIP).calls if c.run_id)
    server._set(server.run(run_id), "COMPLETED")
    outcome = ground.engine.apply(call, NOTE)
    assert (outcome.result, server.run(run_id)["state_name"]) == (CallResult.REFUSED, "Completed")


# Other scopes.


def test_a_pool_names_what_else_it_holds_and_floods_at_the_resume(
    ground: Ground, server: PrefectServer
) -> None:
    """A paused pool deletes nothing: its planned starts turn Late, and all that waits starts together."""
    scope = EngineScope(ScopeKind.CATEGORY, "pool:main")
    plan = ground.engine.plan_pause([scope], Mode.DRAIN)
    assert "orders/orders" in plan.collateral[0]
    found = {e.work_class: (e.on_pause, e.on_resume) for e in plan.effects}
    assert found[WorkClass.SCHEDULED] == (OnPause.WAITS, OnResume.CATCH_UP_ALL)
    ground.carry_out(plan)
    assert ground.engine.verify(plan).unmet == {}
    server.tick(650)
    assert starts(server) == set()
    receipt = receipt_for(ground, plan, "pool:main")
    resume = ground.engine.plan_resume([receipt], CatchUp.ALL)
    assert resume.forecast[0].count == 2
    ground.carry_out(resume)
    assert starts(server, 20) == set(resume.forecast[0].run_ids)


def test_a_queue_holds_its_runs_alone(ground: Ground, server: PrefectServer) -> None:
    """Only what goes through the queue waits."""
    server.add_queue("main", "slow")
    scope = EngineScope(ScopeKind.CATEGORY, "queue:main/slow")
    pause(ground, scope)
    held, free = server.make("orders", work_queue_name="slow"), server.make("orders")
    assert starts(server, 20) == {free}
    (reading,) = ground.engine.state([scope])
    assert (reading.target_id, reading.is_paused, reading.waiting_ids) == (
        "queue:main/slow",
        True,
        (held,),
    )


def test_a_tag_is_each_deployment_that_has_it(ground: Ground, server: PrefectServer) -> None:
    """A category is its deployments, one by one; what has no such tag goes on."""
    server.deployment("orders")["tags"] = ["finance"]
    plan = pause(ground, EngineScope(ScopeKind.CATEGORY, "finance"))
    assert [r.name for r in plan.before] == ["orders/orders"]
    assert ground.reading("invoices").is_paused is False


def test_everything_is_every_pool_and_every_deployment(
    ground: Ground, server: PrefectServer
) -> None:
    """Prefect has no one switch: what is served without a pool is held too, and what was paused stays."""
    server.deploy("served", work_pool_name=None, work_queue_name=None)
    plan = pause(ground, EVERYTHING)
    assert {r.name for r in plan.before} == {
        "pool main", "orders/orders", "invoices/invoices", "attic/attic", "workbench-probe/staging", "served/served",
    }  # fmt: skip
    assert ground.engine.verify(plan).unmet == {}
    for name in ("orders", "served"):
        server.make(name)
    assert starts(server) == set()
    changed = {c.target_id for c in plan.calls}
    receipts = [
        receipt_for(ground, plan, r.target_id) for r in plan.before if r.target_id in changed
    ]
    resume = ground.engine.plan_resume(receipts, CatchUp.ALL)
    assert sum(f.count or 0 for f in resume.forecast) == 2
    ground.carry_out(resume)
    assert ground.engine.verify(resume).unmet == {}
    assert len(starts(server, 20)) == 2
    assert ground.reading("attic").is_paused is True


def test_nothing_is_missed_on_a_later_page(ground: Ground, server: PrefectServer) -> None:
    """Prefect lists at most 200 at once: all 250 others are planned for and read back too."""
    for number in range(250):
        server.deploy(f"f{number:03}", schedule=False)
    plan = pause(ground, EVERYTHING)
    assert len(plan.before) == 1 + 4 + 250
    server.deployment("f249")["paused"] = False
    assert list(ground.engine.verify(plan).unmet.values()) == [
        "f249/f249 is not paused at prefect.example: send the pause again, or pause it there"
    ]


def test_one_schedule_stops_and_its_deployment_goes_on(
    ground: Ground, server: PrefectServer
) -> None:
    """A trigger is one schedule; runs made by hand start, as its effects say."""
    schedule = server.deployment("orders")["schedules"][0]["id"]
    scope = EngineScope(ScopeKind.TRIGGER, schedule)
    plan = pause(ground, scope)
    told = {e.work_class: e.on_pause for e in plan.effects}
    assert told[WorkClass.NEW_MANUAL] is OnPause.CONTINUES
    made = server.make("orders")
    server.tick(600)
    began = starts(server, 20)
    own = {r["id"] for r in server.runs if r["deployment_id"] == server.deployment("orders")["id"]}
    assert began & own == {made}
    assert began - own, "the schedule of its neighbour goes on"
    receipt = receipt_for(ground, plan, plan.before[0].target_id)
    ground.carry_out(ground.engine.plan_resume([receipt], CatchUp.ALL))
    assert server.deployment("orders")["schedules"][0]["active"] is True


def test_one_run_is_put_off_and_comes_back_at_its_time(
    ground: Ground, server: PrefectServer
) -> None:
    """A run made for later waits without a date, and a resume plans it for its own time again."""
    run_id = server.make("orders", after_seconds=600)
    due = server.run(run_id)["next_scheduled_start_time"]
    scope = EngineScope(ScopeKind.RUN, run_id)
    plan = pause(ground, scope)
    assert server.run(run_id)["state_name"] == "Held"
    assert ground.engine.verify(plan).unmet == {}
    assert ground.engine.plan_pause([scope], Mode.DRAIN).calls == ()
    receipt = receipt_for(ground, plan, f"run:{run_id}", run_id)
    ground.carry_out(ground.engine.plan_resume([receipt], CatchUp.ALL))
    assert server.run(run_id)["next_scheduled_start_time"] == due


def test_a_run_that_is_about_to_start_is_only_halted(ground: Ground, server: PrefectServer) -> None:
    """A worker may have it already: it is not put off, the sentence says what to do, and halt cancels it."""
    run_id = server.make("orders", after_seconds=20)
    scope = EngineScope(ScopeKind.RUN, run_id)
    plan = ground.engine.plan_pause([scope], Mode.DRAIN)
    assert plan.calls == ()
    assert "pause its workflow, or halt the run" in plan.cannot[run_id]
    pause(ground, scope, Mode.HALT)
    assert server.run(run_id)["state_name"] == "Cancelled"


def test_one_run_drains_freezes_and_halts(ground: Ground, server: PrefectServer) -> None:
    """A run in flight may end, stops after its step and goes on, or is cancelled; its neighbour goes on."""
    one, other = ground.work("orders"), ground.work("orders")
    scope = EngineScope(ScopeKind.RUN, one)
    assert ground.engine.verify(pause(ground, scope)).unmet == {}
    frozen = pause(ground, scope, Mode.FREEZE)
    server.tick()
    assert ground.engine.verify(frozen).unmet == {}
    receipt = receipt_for(ground, frozen, f"run:{one}", one)
    ground.carry_out(ground.engine.plan_resume([receipt], CatchUp.ALL))
    server.tick()
    server.tick()
    assert server.run(one)["state_type"] in ("RUNNING", "COMPLETED")
    pause(ground, EngineScope(ScopeKind.RUN, other), Mode.HALT)
    server.tick()
    assert server.run(other)["state_name"] in ("Cancelled", "Completed")


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        (EngineScope(ScopeKind.CATEGORY, "finanse"), "name a tag of deployments, pool:NAME"),
        (EngineScope(ScopeKind.CATEGORY, "pool:mian"), "pool:NAME or queue:POOL/NAME"),
        (EngineScope(ScopeKind.CATEGORY, "queue:main/no"), "queue:POOL/NAME"),
        (EngineScope(ScopeKind.TRIGGER, "nightly"), "a schedule's id"),
        (EngineScope(ScopeKind.RUN, "../../admin"), "the id of a flow run"),
        (EngineScope(ScopeKind.WORKFLOW, "script"), "has no deployment"),
    ],
)
def test_what_it_does_not_have_is_said_with_what_to_write(
    ground: Ground, server: PrefectServer, scope: EngineScope, *, words: str
) -> None:
    """An unknown name of any kind plans nothing and says what names there are."""
    server.flows.append({"id": new_id(), "name": "script"})
    plan = ground.engine.plan_pause([scope], Mode.DRAIN)
    assert plan.calls == ()
    assert words in plan.cannot[scope.key]
    assert ground.engine.state([scope]) == ()


# Answers that prove nothing.


def test_a_lost_reply_is_unknown_and_reading_back_tells(
    ground: Ground, server: PrefectServer
) -> None:
    """The call took effect and the answer was lost: nobody claims to know, and verify finds it paused."""
    plan = ground.engine.plan_pause(ground.scope("orders"), Mode.DRAIN)
    right = server.answer

    def lost(request: httpx.Request) -> httpx.Response:
        answer = right(request)
        if request.method == "PATCH":
            raise httpx.ReadTimeout("lost", request=request)
        return answer

    engine = engine_through(server, lost)
    results = [engine.apply(call, NOTE) for call in sorted(plan.calls, key=lambda c: c.stage)]
    assert (results[-1].result, results[-1].can_retry) == (CallResult.UNKNOWN, True)
    assert ground.engine.verify(plan).unmet == {}


def test_a_busy_server_is_asked_again_by_who_delivers(
    ground: Ground, server: PrefectServer
) -> None:
    """503 is what Prefect on SQLite says under load: unknown, worth another try, and the limit is made then."""
    plan = ground.engine.plan_pause(ground.scope("orders"), Mode.DRAIN)
    first, second = sorted(plan.calls, key=lambda c: c.stage)
    server.overrides["/v2/concurrency_limits/"] = lambda _: httpx.Response(503, json={})
    assert ground.engine.apply(first, NOTE).result is CallResult.UNKNOWN
    refused = ground.engine.apply(second, NOTE)
    assert (refused.result, refused.can_retry) == (CallResult.REFUSED, True)
    assert ground.reading("orders").is_paused is False
    server.overrides.clear()
    assert ground.engine.apply(second, NOTE).result is CallResult.DONE
    assert ground.engine.verify(plan).unmet == {}


def test_a_resume_that_is_refused_halfway_is_still_ours(
    ground: Ground, server: PrefectServer
) -> None:
    """Busy at the switch alone: our limit stays on it, nobody else is blamed, and the next resume opens it."""
    _, receipts = ground.pause("orders")
    plan = ground.engine.plan_resume(receipts, CatchUp.ALL)

    path = f"/deployments/{server.deployment('orders')['id']}"
    server.overrides[path] = lambda _: httpx.Response(503, json={})
    calls = sorted(plan.calls, key=lambda call: call.stage)
    results = {call.method: ground.engine.apply(call, NOTE).result for call in calls}
    assert results == {"PATCH": CallResult.UNKNOWN, "DELETE": CallResult.REFUSED}
    server.overrides.clear()
    assert ground.reading("orders").is_paused
    again = ground.engine.plan_resume(receipts, CatchUp.ALL)
    assert not again.cannot
    assert set(ground.carry_out(again)) == {CallResult.DONE}
    assert not ground.reading("orders").is_paused


def test_a_limit_whose_deletion_was_lost_is_deleted_later(
    ground: Ground, server: PrefectServer
) -> None:
    """The switch is open and our limit is left: nobody else is blamed, and the next resume deletes it and no more."""
    _, receipts = ground.pause("orders")
    plan = ground.engine.plan_resume(receipts, CatchUp.ALL)
    path = f"/v2/concurrency_limits/{HOLD_LIMIT}{server.deployment('orders')['id']}"
    server.overrides[path] = lambda _: httpx.Response(503, json={})
    assert set(ground.carry_out(plan)) == {CallResult.DONE, CallResult.UNKNOWN}
    server.overrides.clear()
    assert not ground.reading("orders").is_paused
    assert len(server.limits) == 1
    again = ground.engine.plan_resume(receipts, CatchUp.ALL)
    assert not again.cannot
    assert [call.method for call in again.calls] == ["DELETE"]
    assert "left over" in again.forecast[0].sentence
    assert ground.carry_out(again) == [CallResult.DONE]
    assert server.limits == []
    assert ground.engine.verify(again).unmet == {}


def test_without_limits_half_a_stop_is_made_and_said(ground: Ground, server: PrefectServer) -> None:
    """Who may make no limits still stops the schedules, and reading back says what starts all the same."""
    plan = ground.engine.plan_pause(ground.scope("orders"), Mode.DRAIN)
    server.overrides["/v2/concurrency_limits/"] = lambda _: httpx.Response(
        403, json={"detail": "no"}
    )
    results = [
        ground.engine.apply(call, NOTE).result for call in sorted(plan.calls, key=lambda c: c.stage)
    ]
    assert results == [CallResult.REFUSED, CallResult.DONE]
    assert ground.reading("orders").is_paused is True
    assert "a run made by hand still starts" in next(
        iter(ground.engine.verify(plan).unmet.values())
    )


def test_a_limit_that_is_there_already_is_set_to_nought(
    ground: Ground, server: PrefectServer
) -> None:
    """Left from a crash, or raised by somebody: it is used, not made twice."""
    key = server.deployment("orders")["id"]
    server.limits.append({"id": new_id(), "name": f"{HOLD_LIMIT}{key}", "limit": 5, "active": True})
    ground.pause("orders")
    assert [one["limit"] for one in server.limits] == [0]
    assert server.deployment("orders")["global_concurrency_limit"]["limit"] == 0


def _limit_readings(server: PrefectServer) -> int:
    return sum(path == "/v2/concurrency_limits/filter" for path, _ in server.asked)


def test_many_targets_do_not_read_all_limits_each(ground: Ground, server: PrefectServer) -> None:
    """Between plan and reading back the limits are read once, for all; two questions a target were seconds."""
    for number in range(40):
        server.deploy(f"job-{number}")
    plan = ground.engine.plan_pause([EVERYTHING], Mode.DRAIN)
    server.asked.clear()
    assert set(ground.carry_out(plan)) == {CallResult.DONE}
    assert _limit_readings(server) == 1
    assert len(server.asked) == len(plan.calls) + 1
    assert set(ground.engine.verify(plan).unmet) == set()


def test_a_server_that_makes_no_limits_is_not_asked_for_them_again_and_again(
    ground: Ground, server: PrefectServer
) -> None:
    """Where every limit is refused, they are looked for once and each target gets its half stop."""
    for number in range(10):
        server.deploy(f"job-{number}")
    plan = ground.engine.plan_pause([EVERYTHING], Mode.DRAIN)
    server.overrides["/v2/concurrency_limits/"] = lambda _: httpx.Response(403, json={})
    server.asked.clear()
    ground.carry_out(plan)
    assert _limit_readings(server) == 1
    assert all(row["paused"] for row in server.deployments)


def test_a_limit_that_is_gone_by_now_is_no_pause(ground: Ground, server: PrefectServer) -> None:
    """Deleted by somebody since it was read: the call is refused, nothing is claimed, and the next plan makes it."""
    server.limits.append(
        {"id": new_id(), "name": f"{HOLD_LIMIT}{server.deployment('orders')['id']}", "limit": 0, "active": True}
    )  # fmt: skip
    plan = ground.engine.plan_pause(ground.scope("orders"), Mode.DRAIN)
    server.limits.clear()
    (outcome,) = [ground.engine.apply(call, NOTE) for call in plan.calls]
    assert outcome.result is not CallResult.DONE
    assert ground.engine.verify(plan).unmet
    again = pause(ground, ground.scope("orders")[0])
    assert ground.engine.verify(again).unmet == {}
    assert [one["limit"] for one in server.limits] == [0]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda _: httpx.Response(401, json={}), "refuses to answer"),
        (
            lambda _: httpx.Response(
                200, text="<html>Log in</html>", headers={"content-type": "text/html"}
            ),
            "login page",
        ),
        (
            lambda _: httpx.Response(
                200, text='[{"id": "7', headers={"content-type": "application/json"}
            ),
            "broken or cut",
        ),
        (
            lambda _: httpx.Response(200, json={"detail": "moved"}),
            "does not answer like a Prefect server",
        ),
        (
            lambda _: httpx.Response(
                200, text="null", headers={"content-type": "application/json"}
            ),
            "does not answer like a Prefect server",
        ),
        (lambda _: httpx.Response(302, headers={"location": "/login"}), "elsewhere"),
    ],
)
def test_reading_back_needs_an_answer(
    ground: Ground, server: PrefectServer, answer, *, words: str
) -> None:  # type: ignore[no-untyped-def] # parametrized
    """What is no answer is an error that names the place, never a target that counts as paused."""
    plan, receipts = ground.pause("orders")
    server.overrides["/deployments/filter"] = answer
    for asked in (
        lambda: ground.engine.verify(plan),
        lambda: ground.engine.state(ground.scope("orders")),
        lambda: ground.engine.plan_pause(ground.scope("orders"), Mode.DRAIN),
        lambda: ground.engine.plan_resume(receipts, CatchUp.ALL),
    ):
        with pytest.raises(EngineError, match=words) as found:
            asked()
        assert "prefect.example" in found.value.message


def test_credentials_that_expire_midway_are_a_refusal(
    ground: Ground, server: PrefectServer
) -> None:
    """A 401 to one call is told as such and not tried again; nothing counts as paused by it."""
    plan = ground.engine.plan_pause(ground.scope("orders"), Mode.DRAIN)
    ground.engine.apply(plan.calls[0], NOTE)
    server.overrides[f"/deployments/{server.deployment('orders')['id']}"] = lambda _: (
        httpx.Response(401, json={})
    )
    outcome = ground.engine.apply(plan.calls[1], NOTE)
    assert (outcome.result, outcome.can_retry) == (CallResult.REFUSED, False)
    assert "401" in outcome.answer
    server.overrides.clear()
    assert ground.engine.verify(plan).unmet


def test_a_page_that_comes_for_ever_stops_the_reading(
    ground: Ground, server: PrefectServer
) -> None:
    """A server that repeats a page of runs is found out, and no pause is claimed."""
    page = [{**server.runs[0], "id": new_id()} for _ in range(200)]
    server.overrides["/flow_runs/filter"] = lambda _: httpx.Response(200, json=page)
    with pytest.raises(EngineError, match="repeats a page"):
        ground.engine.state(ground.scope("orders"))


def test_an_effect_that_comes_late_is_not_taken_for_one(
    ground: Ground, server: PrefectServer
) -> None:
    """200 and nothing changed yet: verify says not paused, and says paused once it is."""
    plan = ground.engine.plan_pause(ground.scope("orders"), Mode.DRAIN)
    server.overrides[f"/deployments/{server.deployment('orders')['id']}"] = lambda _: (
        httpx.Response(204)
    )
    assert set(ground.carry_out(plan)) == {CallResult.DONE}
    assert ground.engine.verify(plan).unmet
    server.overrides.clear()
    ground.carry_out(plan)
    assert ground.engine.verify(plan).unmet == {}


def test_an_engine_that_forgets_is_found_out(ground: Ground, server: PrefectServer) -> None:
    """Restored from a backup of before: reading back finds it open, and the same plan closes it again."""
    plan, _ = ground.pause("orders")
    server.deployment("orders").update(paused=False, global_concurrency_limit=None)
    server.limits.clear()
    assert ground.engine.verify(plan).unmet
    ground.pause("orders")
    assert ground.engine.verify(plan).unmet == {}


def test_a_resume_that_did_nothing_is_found_out(ground: Ground, server: PrefectServer) -> None:
    """Seeded: the server says yes and keeps it paused; the resume's reading back says so."""
    run_id = ground.work("orders")
    _, receipts = ground.pause("orders", mode=Mode.FREEZE)
    plan = ground.engine.plan_resume(receipts, CatchUp.ALL)
    unmet = ground.engine.verify(plan).unmet
    assert unmet
    ground.carry_out(replace(plan, calls=tuple(c for c in plan.calls if not c.run_id)))
    (why,) = ground.engine.verify(plan).unmet.values()
    assert f"run {run_id} is still suspended" in why


def receipt_for(ground: Ground, plan: Plan, target_id: str, *run_ids: str):  # type: ignore[no-untyped-def] # of the test
    """Return the receipt that delivery would keep for a target."""
    from workbench.engines.switching import Receipt

    before = next(r for r in plan.before if r.target_id == target_id)
    after = next(r for r in ground.engine.verify(plan).readings if r.target_id == target_id)
    kept = (before.settings, after.settings, before.observed_at, "H-1", tuple(run_ids))
    return Receipt(plan.engine, target_id, before.name, *kept)


def engine_through(server: PrefectServer, answer):  # type: ignore[no-untyped-def] # a server with a fault
    """Return the adapter over a server that answers through a fault."""
    from workbench.engines.http import JsonClient

    engine = engine_over(server)
    client = JsonClient(
        "http://prefect.example/api", transport=httpx.MockTransport(answer), sleep=lambda _: None
    )
    engine._client = client
    engine._api.client = client
    return engine


def test_the_note_and_the_body_of_a_plan_stay_apart(ground: Ground) -> None:
    """A plan can be shown and kept before anybody gave a reason: applying it changes no plan."""
    ground.work("orders")
    plan = ground.engine.plan_pause(ground.scope("orders"), Mode.FREEZE)
    kept: list[NativeCall] = list(plan.calls)
    ground.carry_out(plan)
    assert list(plan.calls) == kept
    assert "message" not in plan.calls[-1].body["state"]  # type: ignore[index] # it has a body


def test_flipping_is_what_people_do(ground: Ground, server: PrefectServer) -> None:
    """The contract's `flip` deploys again, which opens; what the page does opens only half, and has its own test."""
    ground.pause("orders")
    flip(server, "orders", False)
    assert server.deployment("orders")["global_concurrency_limit"] is None

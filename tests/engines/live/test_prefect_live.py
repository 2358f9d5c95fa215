"""The contract, and each trap that was met, over a real Prefect server with a worker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engines.contract import *  # noqa: F403 - the same promises as for the fake
from tests.engines.contract import NOTE, Ground
from tests.engines.live.prefect_live import (
    PATIENCE_SECONDS,
    Server,
    end_group,
    plugin_environment,
    running,
    until,
)
from tests.engines.prefect_ground import NameBinding
from tests.unit.published import a_hold, publish
from workbench.clock import SystemClock
from workbench.engines.interface import EngineAddress
from workbench.engines.prefect import connect
from workbench.engines.switching import (
    CallResult,
    CatchUp,
    EngineScope,
    Plan,
    Receipt,
    ScopeKind,
    WorkClass,
)
from workbench.records import Mode

pytestmark = [pytest.mark.live, pytest.mark.engine_prefect, pytest.mark.slow]


@dataclass
class LiveGround(Ground):
    """The contract's ground over a server that may be busy for a moment."""

    def carry_out(self, plan: Plan) -> list[CallResult]:
        """Send each call, again where that may help, as delivery does."""
        results = []
        for call in sorted(plan.calls, key=lambda c: c.stage):
            for _ in range(20):
                outcome = self.engine.apply(call, NOTE)
                if not outcome.can_retry:
                    break
                time.sleep(1)
            assert outcome.result is CallResult.DONE, f"{call.sentence}: {outcome.answer}"
            results.append(outcome.result)
        return results


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server and worker for all tests of this file."""
    with running(tmp_path_factory.mktemp("prefect")) as found:
        yield found


@pytest.fixture
def ground(server: Server) -> Iterator[Ground]:
    """Two deployments that run, and one that somebody paused before."""
    for flow in ("orders", "invoices"):
        server.deploy(flow)
    paused = server.deployment("attic")["id"]
    server.send("POST", f"/deployments/{paused}/pause_deployment", {})
    options = {"probe": "workbench-probe/staging"}
    address = EngineAddress("prefect", "prefect", server.url, options=options)
    engine = connect(address, NameBinding(), clock=SystemClock())
    yield LiveGround(
        engine,
        ("orders", "invoices"),
        "attic",
        work=server.begin,
        flip=lambda name, is_paused: flip(server, name, is_paused),
        settle=lambda: time.sleep(1),
        patience_seconds=PATIENCE_SECONDS,
    )
    engine.close()


def flip(server: Server, name: str, is_paused: bool) -> None:
    """Switch a deployment as people do: pause it in the page, or deploy it again."""
    if is_paused:
        server.send("POST", f"/deployments/{server.deployment(name)['id']}/pause_deployment", {})
    else:
        server.deploy(name)


# Each trap that was met.


def test_prefects_own_pause_lets_runs_made_by_hand_start(ground: Ground, server: Server) -> None:
    """Paused by its own call, a deployment still starts what people make; ours has to be more than that."""
    flip(server, "invoices", True)
    server.wait_for(server.make("invoices"), "Running", "Completed")


def test_runs_made_by_hand_wait_and_the_forecast_is_what_starts(
    ground: Ground, server: Server
) -> None:
    """Made before the pause for later, or during it: none starts, and the forecast names what starts afterwards."""
    made = [server.make("orders", after_seconds=25)]
    _, receipts = ground.pause("orders")
    made.append(server.make("orders"))
    time.sleep(45)
    assert [server.run(one)["state_type"] for one in made] == ["SCHEDULED", "SCHEDULED"]
    assert set(ground.reading("orders").waiting_ids) == set(made)
    plan = ground.resume(receipts)
    assert (plan.forecast[0].count, set(plan.forecast[0].run_ids)) == (2, set(made))
    for one in made:
        server.wait_for(one, "Completed")


def test_planned_starts_are_deleted_and_planned_anew(ground: Ground, server: Server) -> None:
    """A pause deletes what the schedule planned; a resume plans from then on, and nothing is made up."""
    until(lambda: server.planned("orders") > 0, lambda: "nothing was ever planned")
    _, receipts = ground.pause("orders")
    assert server.planned("orders") == 0
    plan = ground.resume(receipts)
    assert plan.forecast[0].count == 0
    until(lambda: server.planned("orders") > 0, lambda: "nothing is planned after the resume")


def test_deploying_again_opens_it_and_is_found(ground: Ground, server: Server) -> None:
    """A redeploy unpauses and deletes our limit; reading back says so, and the same plan closes it again."""
    plan, _ = ground.pause("orders")
    server.deploy("orders")
    (why,) = ground.engine.verify(plan).unmet.values()
    assert why.startswith("orders/orders is not paused at 127.0.0.1:")
    ground.pause("orders")
    assert ground.engine.verify(plan).unmet == {}


def test_somebody_who_unpauses_in_the_page_opens_only_half(ground: Ground, server: Server) -> None:
    """Our limit still holds every run, it reads as not paused, and the resume takes the limit away."""
    _, receipts = ground.pause("orders")
    server.send("POST", f"/deployments/{server.deployment('orders')['id']}/resume_deployment", {})
    made = server.make("orders")
    time.sleep(20)
    assert server.run(made)["state_type"] == "SCHEDULED"
    assert ground.reading("orders").is_paused is False
    ground.resume(receipts)
    server.wait_for(made, "Completed")


def test_a_suspended_run_repeats_its_steps_unless_they_are_kept(
    ground: Ground, server: Server
) -> None:
    """Frozen after its first step and let go: the steps are done again, or taken from their kept results."""
    runs = {flow: server.make(flow, seconds=10.0) for flow in ("orders", "kept")}
    for run_id in runs.values():
        until(
            lambda run_id=run_id: ("step", "Completed") in server.steps(run_id),
            lambda: "no step ends",
        )
    _, receipts = ground.pause(*runs, mode=Mode.FREEZE)
    ground.resume(receipts)
    for run_id in runs.values():
        server.wait_for(run_id, "Completed")
    repeated = [state for _, state in server.steps(runs["orders"])]
    assert len(repeated) > 3
    assert "Cached" not in repeated
    assert "Cached" in [state for _, state in server.steps(runs["kept"])]


def test_a_run_cancelled_before_it_begins_does_nothing(ground: Ground, server: Server) -> None:
    """A worker has taken it and it is halted: its process starts, does no step, and counts as not in flight."""
    run_id = server.make("orders")
    server.wait_for(run_id, "Pending", "Submitting")
    plan, receipts = ground.pause("orders", mode=Mode.HALT)
    assert run_id in {call.run_id for call in plan.calls}
    time.sleep(60)
    assert server.steps(run_id) == []
    assert server.run(run_id)["state_type"] in ("CANCELLING", "CANCELLED")
    assert ground.reading("orders").running_ids == ()
    ground.resume(receipts)


def test_a_retry_goes_on_under_a_drain_and_ends_under_a_halt(
    ground: Ground, server: Server
) -> None:
    """Its process makes the next attempt itself, whatever is paused; only a cancellation ends it."""
    run_id = server.make("shaky")
    server.wait_for(run_id, "AwaitingRetry")
    _, receipts = ground.pause("shaky")
    assert ground.reading("shaky").running_ids == (run_id,)
    attempts = server.run(run_id)["run_count"]
    until(lambda: server.run(run_id)["run_count"] > attempts, lambda: "no further attempt")
    ground.pause("shaky", mode=Mode.HALT)
    server.wait_for(run_id, "Cancelled")
    ground.resume(receipts)


def test_the_audit_names_the_switch(ground: Ground, server: Server) -> None:
    """Our pause and resume are updates, which Prefect records; its own pause call leaves no event."""
    since = SystemClock().now()
    _, receipts = ground.pause("orders")
    ground.resume(receipts)
    key = server.deployment("orders")["id"]

    def acts() -> set[str]:
        rows = ground.engine.audit(since, SystemClock().now())
        return {row.action for row in rows if row.target_id in ("orders", key)}

    until(
        lambda: acts() >= {"deployment.paused", "deployment.resumed"},
        lambda: f"the audit has {acts()}",
    )


def test_a_paused_pool_floods_as_forecast(ground: Ground, server: Server) -> None:
    """What waited in a pool starts together when it is let go; each start is forecast."""
    scope = EngineScope(ScopeKind.CATEGORY, "pool:main")
    plan = ground.engine.plan_pause([scope], Mode.DRAIN)
    ground.carry_out(plan)
    assert ground.engine.verify(plan).unmet == {}
    made = {server.make("orders"), server.make("invoices")}
    time.sleep(30)
    (after,) = ground.engine.verify(plan).readings
    assert made <= set(after.waiting_ids)
    (before,) = plan.before
    receipt = Receipt(
        "prefect",
        "pool:main",
        "pool main",
        before.settings,
        after.settings,
        before.observed_at,
        "H-1",
    )
    resume = ground.engine.plan_resume([receipt], CatchUp.ALL)
    assert made <= set(resume.forecast[0].run_ids)
    ground.carry_out(resume)
    for one in made:
        server.wait_for(one, "Completed")


def test_what_is_served_without_a_pool_waits_until_it_is_served_again(
    ground: Ground, server: Server
) -> None:
    """The limit holds a served flow too; when its program starts again, it opens the flow, and that is found."""
    program = server.spawn("served", "python", "-m", "tests.engines.live.prefect_flows")
    try:
        until(lambda: "served" in names(ground), lambda: server.log("served"), program)
        plan, _ = ground.pause("attic/served")
        made = server.make_of(server.deployment("attic", "served")["id"])
        time.sleep(20)
        assert server.run(made)["state_type"] == "SCHEDULED"
        end_group(program)
        program = server.spawn("served", "python", "-m", "tests.engines.live.prefect_flows")
        server.wait_for(made, "Running", "Completed")
        (why,) = ground.engine.verify(plan).unmet.values()
        assert why.startswith("attic/served is not paused at 127.0.0.1:")
    finally:
        end_group(program)


def test_a_drill_finds_its_work_running_queued_and_retrying(ground: Ground, server: Server) -> None:
    """The flow that ships for drills comes as far as each class says, on a real worker."""
    try:
        wanted = {
            WorkClass.RUNNING: ("Running",),
            WorkClass.RETRYING: ("AwaitingRetry",),
            WorkClass.WAITING: ("Paused",),
        }
        works = {one: ground.engine.start(one) for one in (*wanted, WorkClass.QUEUED)}
        for one, names_of_states in wanted.items():
            server.wait_for(works[one].run_id, *names_of_states)
        queued = server.run(works[WorkClass.QUEUED].run_id)
        assert queued["work_queue_name"] == "workbench-drill"
    finally:
        left = ground.engine.clean_up()
    assert left == []


# The gate inside Prefect: tests/hooks has the same hook in memory.


def test_a_run_stops_at_its_next_step_while_its_automation_is_held(
    server: Server, tmp_path: Path
) -> None:
    """Only variables are set: a run at work waits before its next step, a new one waits to begin, no step is repeated."""
    publish(tmp_path, 1, automations={"shop-orders": []})
    variables = plugin_environment(server.home, tmp_path)
    key = server.deploy(
        "orders",
        "gated",
        schedules=[],
        tags=["automation:shop-orders"],
        job_variables={"env": variables},
    )
    run_id = server.make_of(key, {"parameters": {"seconds": 4.0}})
    until(lambda: bool(server.steps(run_id)), lambda: server.log("worker"))
    publish(tmp_path, 2, automations={"shop-orders": [a_hold()]})
    new = server.make_of(key, {"parameters": {"seconds": 0.2}})
    until(
        lambda: "Running" not in [state for _, state in server.steps(run_id)],
        lambda: "the step that it was in does not end",
    )
    done = server.steps(run_id)
    time.sleep(60)
    # The next step is written down before it is asked for, and waits as Pending.
    assert server.steps(run_id) == done
    assert ("step", "Pending") in done
    assert len(done) < 4
    assert server.run(run_id)["state_name"] == "Running"
    assert (server.run(new)["state_type"], server.steps(new)) == ("PENDING", [])
    assert "Waiting at the gate: shop-orders is paused by H-1" in server.log("worker")
    publish(tmp_path, 3, automations={"shop-orders": []})
    for one in (run_id, new):
        server.wait_for(one, "Completed")
        assert server.steps(one) == [("step", "Completed")] * 3


def names(ground: Ground) -> set[str]:
    """Return all names that the engine lists."""
    return {name for target in ground.engine.targets() for name in target.names}

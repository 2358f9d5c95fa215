"""A real Airflow keeps the promises of every engine, and plays the tricks that the adapter has to see through.

`make test-engines` makes its environment and runs this; another interpreter with Airflow is named in
WORKBENCH_TEST_AIRFLOW. One server is started for all tests and ended with its whole process groups.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.engines.contract import *  # noqa: F403 - the same promises as for every engine
from tests.engines.contract import NOTE, Ground, in_flight
from tests.engines.live.airflow_server import AirflowServer
from tests.postgres_server import running_server
from tests.unit.published import a_hold, publish
from workbench.clock import SystemClock, to_text
from workbench.engines.airflow import Airflow, connect
from workbench.engines.airflow_client import AirflowClient
from workbench.engines.binding import RegistryBinding
from workbench.engines.interface import EngineAddress
from workbench.engines.switching import (
    CallResult,
    CatchUp,
    EngineScope,
    NativeCall,
    Receipt,
    ScopeKind,
    WorkClass,
)
from workbench.errors import EngineError
from workbench.presence import read_presences
from workbench.records import Mode
from workbench.warehouse import Warehouse
from workbench.warehouse.syncing import sync_engine

pytestmark = [pytest.mark.live, pytest.mark.engine_airflow]

REPOSITORY = Path(__file__).parents[3]
PYTHON = Path(
    os.environ.get("WORKBENCH_TEST_AIRFLOW") or REPOSITORY / ".venv-airflow" / "bin" / "python"
)
PATIENCE_SECONDS = 90.0
"""A task of two seconds takes up to half a minute on a machine that does much besides."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowServer]:
    """The server, with the dags of these tests and those of a drill."""
    if not PYTHON.exists():
        pytest.skip(f"no Airflow at {PYTHON}: `make test-engines` installs it")
    folders = (Path(__file__).parent / "airflow_dags", REPOSITORY / "workbench/engines/probes")
    place = tmp_path_factory.mktemp("airflow")
    publish(place / "gate", automations={"gated": []})
    with running_server() as postgres:
        home, gate = place / "home", place / "gate"
        server = AirflowServer(PYTHON, home, postgres.database(), folders, gate=gate)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="module")
def olga(server: AirflowServer) -> Iterator[AirflowClient]:
    """A person at the engine's own pages, once all dags are read."""
    client = AirflowClient(address(server, "olga"))
    until(
        lambda: (
            {"orders", "tick_all", "asks", "herd_54", "workbench_probe_run"} <= set(dag_ids(client))
        )
    )
    sent(client, "POST", "/api/v2/pools", {"name": "gpu", "slots": 2, "include_deferred": False})
    flip(client, "tick_all", False)
    flip(client, "tick_one", False)
    yield client
    client.close()


@pytest.fixture(scope="module")
def engine(server: AirflowServer, olga: AirflowClient) -> Iterator[Airflow]:
    """The adapter as the user `ops`."""
    with adapter(server, "ops") as engine:
        yield engine


@pytest.fixture
def ground(engine: Airflow, olga: AirflowClient) -> Ground:
    """Two dags of two steps without runs in flight, and one that olga paused before."""
    for dag_id in ("orders", "invoices"):
        flip(olga, dag_id, False)
        end_all(olga, dag_id)
    flip(olga, "attic", True)
    return Ground(
        engine,
        ("orders", "invoices"),
        "attic",
        work=lambda dag_id: at_work(olga, dag_id),
        flip=lambda dag_id, is_paused: flip(olga, dag_id, is_paused),
        settle=lambda: time.sleep(0.3),
        patience_seconds=PATIENCE_SECONDS,
        mildest=Mode.FREEZE,
    )


@pytest.fixture(autouse=True)
def alive(server: AirflowServer) -> Iterator[None]:
    """Tell at once where a part of the server has ended, instead of at the end of everybody's patience."""
    yield
    server.assert_alive()


def address(server: AirflowServer, user: str, **other: str) -> EngineAddress:
    """Return where the server is and who asks it."""
    own = {"user": user, "password": server.passwords.get(user, ""), **other}
    return EngineAddress("airflow", "airflow", server.url, **own)  # type: ignore[arg-type]  # texts


def adapter(
    server: AirflowServer, user: str, **other: str
) -> contextlib.AbstractContextManager[Airflow]:
    """Give the adapter as a user, and close it."""
    binding = RegistryBinding([], "airflow")
    return contextlib.closing(connect(address(server, user, **other), binding, clock=SystemClock()))


def until(question: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """Ask until there is an answer."""
    end = time.monotonic() + seconds
    while not (found := question()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.3)
    return found


def dag_ids(client: AirflowClient) -> list[str]:
    """Return the dags that the server has read."""
    query = {"order_by": "dag_id"}
    return [row["dag_id"] for row in client.listed("/api/v2/dags", key="dags", query=query)]


def sent(client: AirflowClient, method: str, path: str, body: Any = None) -> Any:
    """Send a call as a person does and return its answer."""
    answer = client.send(method, path, body=body)
    assert answer.status < 300, answer.text
    return answer.body


def flip(client: AirflowClient, dag_id: str, is_paused: bool) -> None:
    """Set a switch, where it is not so already."""
    if client.get(f"/api/v2/dags/{dag_id}/details")["is_paused"] != is_paused:
        sent(client, "PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": is_paused})


def trigger(client: AirflowClient, dag_id: str) -> str:
    """Trigger a run by hand; returns its id as ours."""
    body = sent(client, "POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None})
    return f"{dag_id}/{body['dag_run_id']}"


def steps_of(client: AirflowClient, run_id: str) -> dict[str, str | None]:
    """Return the state of each task of a run."""
    dag_id, _, own = run_id.partition("/")
    found = client.get(f"/api/v2/dags/{dag_id}/dagRuns/{own.replace('+', '%2B')}/taskInstances")
    return {one["task_id"]: one["state"] for one in found["task_instances"]}


def at_work(client: AirflowClient, dag_id: str) -> str:
    """Trigger a run and wait until its first task is at work."""
    run_id = trigger(client, dag_id)
    until(lambda: "running" in steps_of(client, run_id).values())
    return run_id


def end_all(client: AirflowClient, dag_id: str) -> None:
    """End every run of a dag that has not ended."""
    query = {"state": ["running", "queued"]}
    path = f"/api/v2/dags/{dag_id}/dagRuns"
    for run in client.pages(path, key="dag_runs", query=query):
        own = run["dag_run_id"].replace("+", "%2B")
        sent(client, "PATCH", f"{path}/{own}", {"state": "failed"})


def scopes(kind: ScopeKind, *keys: str) -> list[EngineScope]:
    """Return scopes of one kind."""
    return [EngineScope(kind, key) for key in keys]


def receipts_of(engine: Airflow, wanted: Sequence[EngineScope], mode: Mode) -> list[Receipt]:
    """Pause, read back, and return the receipts of what we changed."""
    plan = engine.plan_pause(wanted, mode)
    assert {engine.apply(call, NOTE).result for call in plan.calls} == {CallResult.DONE}
    verified = engine.verify(plan)
    assert not verified.unmet
    after = {r.target_id: r for r in verified.readings}
    changed = {target for call in plan.calls for target in call.covers or (call.target_id,)}
    return [
        Receipt("airflow", r.target_id, r.name, r.settings, after[r.target_id].settings, r.observed_at, "H-1")
        for r in plan.before
        if r.target_id in changed and not r.is_paused
    ]  # fmt: skip


def test_a_living_airflow_has_no_findings(engine: Airflow) -> None:
    """Scheduler and dag processor are alive, what is due is started, and no file is broken."""
    health = until(lambda: (found := engine.probe()) and not found.findings and found)
    assert health.version.startswith("3.3.")


def test_a_bulk_pause_reaches_what_its_answer_does_not_list(
    engine: Airflow, olga: AirflowClient
) -> None:
    """Trap: the answer lists 50 of 55; all are paused, and the resume leaves the one that olga paused before."""
    flip(olga, "herd_07", True)
    receipts = receipts_of(engine, scopes(ScopeKind.CATEGORY, "herd"), Mode.FREEZE)
    assert len(receipts) == 54
    plan = engine.plan_resume(receipts, CatchUp.ALL)
    assert {engine.apply(call, NOTE).result for call in plan.calls} == {CallResult.DONE}
    assert not engine.verify(plan).unmet
    found = engine.state(scopes(ScopeKind.CATEGORY, "herd"))
    assert [r.name for r in found if r.is_paused] == ["herd_07"]


def test_a_bulk_pause_without_a_pattern_is_answered_and_does_nothing(
    engine: Airflow, olga: AirflowClient
) -> None:
    """Trap: 200, no dag, and an entry in the log like any other; the adapter tells the call as refused."""
    call = NativeCall("x", "tag:herd", "PATCH", "/api/v2/dags?tags=herd", {"is_paused": True}, "x", covers=("x",))  # fmt: skip
    outcome = engine.apply(call, NOTE)
    assert (outcome.result, "matched no dag" in outcome.answer) == (CallResult.REFUSED, True)
    now = datetime.now(UTC)
    last = engine.audit(None, now)[-1]
    assert (last.raw_action, last.outcome, last.actor) == ("patch_dags", "failure", "ops")


def test_the_whole_engine_is_paused_by_one_call_and_brought_back(
    engine: Airflow, ground: Ground
) -> None:
    """More than 60 dags in one call; those that were paused before stay paused after the resume."""
    was_paused = {r.target_id for r in engine.state(scopes(ScopeKind.ENGINE, "*")) if r.is_paused}
    assert "dag:attic" in was_paused
    receipts = receipts_of(engine, scopes(ScopeKind.ENGINE, "*"), Mode.FREEZE)
    plan = engine.plan_resume(receipts, CatchUp.ALL)
    for call in plan.calls:
        engine.apply(call, NOTE)
    assert not engine.verify(plan).unmet
    now_paused = {r.target_id for r in engine.state(scopes(ScopeKind.ENGINE, "*")) if r.is_paused}
    assert now_paused == was_paused


def test_the_forecast_is_what_then_starts(engine: Airflow, olga: AirflowClient) -> None:
    """With catchup every missed time starts, without it one run does: as many as were forecast."""
    wanted = scopes(ScopeKind.WORKFLOW, "tick_all", "tick_one")
    until(lambda: len(engine.runs_by_id(ticks(olga, "tick_all"), datetime.now(UTC))) > 2)
    receipts = receipts_of(engine, wanted, Mode.FREEZE)
    before = {name: set(ticks(olga, name)) for name in ("tick_all", "tick_one")}
    time.sleep(17)
    assert {name: set(ticks(olga, name)) for name in before} == before, "started while paused"
    plan = engine.plan_resume(receipts, CatchUp.ALL)
    planned_at, resumed_at = to_text(plan.before[0].observed_at), to_text(datetime.now(UTC))
    for call in plan.calls:
        engine.apply(call, NOTE)
    forecast = {firing.name: firing for firing in plan.forecast}
    assert (forecast["tick_all"].count or 0) >= 2
    # Without catchup Airflow sets the time of the one run anew until it is made.
    for name, at in (("tick_all", planned_at), ("tick_one", resumed_at)):
        waited = len(forecast[name].run_ids)
        wanted = (forecast[name].count or 0) - waited
        until(lambda n=name, a=at, c=wanted: len(due(olga, n, a) - before[n]) >= c)
        time.sleep(2)
        assert len(due(olga, name, at) - before[name]) == wanted, forecast[name].sentence
    flip(olga, "tick_all", True)
    flip(olga, "tick_one", True)


def ticks(client: AirflowClient, dag_id: str) -> list[str]:
    """Return the runs of a dag."""
    path = f"/api/v2/dags/{dag_id}/dagRuns"
    return [f"{dag_id}/{run['dag_run_id']}" for run in client.pages(path, key="dag_runs")]


def due(client: AirflowClient, dag_id: str, at: str) -> set[str]:
    """Return the runs of a dag that were due at an instant."""
    query = {"run_after_lte": at}
    found = client.pages(f"/api/v2/dags/{dag_id}/dagRuns", key="dag_runs", query=query)
    return {f"{dag_id}/{run['dag_run_id']}" for run in found}


def test_a_trigger_during_a_pause_is_accepted_and_waits(
    ground: Ground, olga: AirflowClient
) -> None:
    """Trap: the engine says 200 and the run sits queued; the forecast counts it, and it starts at the resume."""
    _, receipts = ground.pause("orders")
    run_id = trigger(olga, "orders")
    time.sleep(3)
    assert ground.reading("orders").waiting_ids == (run_id,)
    plan = ground.resume(receipts)
    assert [(f.count, f.run_ids) for f in plan.forecast] == [(1, (run_id,))]
    ground.eventually(lambda: run_id in in_flight(ground.reading("orders")), "never started")


def test_unwanted_starts_are_ended_before_the_resume(ground: Ground, olga: AirflowClient) -> None:
    """With catch-up `skip` a run that was triggered during the pause never starts."""
    _, receipts = ground.pause("orders")
    run_id = trigger(olga, "orders")
    ground.resume(receipts, CatchUp.SKIP)
    (row,) = ground.engine.runs_by_id([run_id], datetime.now(UTC))
    assert (row.status, row.started_at) == ("cancelled", None)


def test_a_retry_waits_for_the_end_of_the_pause(engine: Airflow, olga: AirflowClient) -> None:
    """A retry that falls due during the pause is not made; after the resume it is, and both tries are steps."""
    run_id = trigger(olga, "flaky")
    until(lambda: steps_of(olga, run_id)["fail_once"] == "up_for_retry")
    receipts = receipts_of(engine, scopes(ScopeKind.WORKFLOW, "flaky"), Mode.FREEZE)
    time.sleep(8)
    assert steps_of(olga, run_id)["fail_once"] == "up_for_retry"
    (row,) = engine.runs_by_id([run_id], datetime.now(UTC))
    assert (row.status, row.raw_status) == ("held", "running")
    for call in engine.plan_resume(receipts, CatchUp.ALL).calls:
        engine.apply(call, NOTE)
    until(lambda: steps_of(olga, run_id)["fail_once"] == "success")
    assert [(s.attempt, s.status) for s in engine.steps([run_id])] == [
        (1, "failed"),
        (2, "succeeded"),
    ]


def test_a_halt_kills_the_task_and_keeps_the_reason(
    engine: Airflow, server: AirflowServer, olga: AirflowClient
) -> None:
    """Not only the state says so: the task never comes to its end, and the run's note has hold, person and reason."""
    run_id = trigger(olga, "writes")
    mark = server.home / run_id.partition("/")[2]
    until(lambda: mark.with_name(f"{mark.name}.began").exists())
    receipts_of(engine, scopes(ScopeKind.WORKFLOW, "writes"), Mode.HALT)
    time.sleep(10)
    assert not mark.with_name(f"{mark.name}.ended").exists()
    (row,) = engine.runs_by_id([run_id], datetime.now(UTC))
    assert (row.status, row.labels["note"]) == ("cancelled", "H-1 by ops-lead: wrong amounts")


def test_a_closed_pool_holds_what_looks_alive(engine: Airflow, olga: AirflowClient) -> None:
    """Trap: the run starts and says running; its task waits at the pool until the slots are back."""
    receipts = receipts_of(engine, scopes(ScopeKind.CATEGORY, "pool:gpu"), Mode.FREEZE)
    run_id = trigger(olga, "pooled")
    until(lambda: engine.state(scopes(ScopeKind.CATEGORY, "pool:gpu"))[0].frozen_ids == (run_id,))
    plan = engine.plan_resume(receipts, CatchUp.ALL)
    for call in plan.calls:
        engine.apply(call, NOTE)
    assert not engine.verify(plan).unmet
    until(lambda: steps_of(olga, run_id)["train"] == "success")


def test_an_open_backfill_is_paused_and_brought_back(engine: Airflow, olga: AirflowClient) -> None:
    """A backfill of a paused dag has a switch of its own."""
    asked = {
        "dag_id": "tick_all",
        "from_date": "2026-01-01T00:00:00Z",
        "to_date": "2026-01-01T00:00:16Z",
        "max_active_runs": 1,
    }
    flip(olga, "tick_all", True)
    number = sent(olga, "POST", "/api/v2/backfills", asked)["id"]
    receipts = receipts_of(engine, scopes(ScopeKind.WORKFLOW, "tick_all"), Mode.FREEZE)
    assert [receipt.target_id for receipt in receipts] == [f"backfill:{number}"]
    plan = engine.plan_resume(receipts, CatchUp.ALL)
    for call in plan.calls:
        engine.apply(call, NOTE)
    assert not engine.verify(plan).unmet
    sent(olga, "PUT", f"/api/v2/backfills/{number}/cancel")


def test_an_event_during_a_pause_is_lost(engine: Airflow, olga: AirflowClient) -> None:
    """Trap: what an asset's event would have started is not made up for after the resume."""
    wanted = scopes(ScopeKind.WORKFLOW, "workbench_probe_event")
    receipts = receipts_of(engine, wanted, Mode.FREEZE)
    assert not engine.start(WorkClass.NEW_EVENT).cannot
    for call in engine.plan_resume(receipts, CatchUp.ALL).calls:
        engine.apply(call, NOTE)
    time.sleep(4)
    assert ticks(olga, "workbench_probe_event") == []
    engine.start(WorkClass.NEW_EVENT)
    until(lambda: ticks(olga, "workbench_probe_event"))
    assert len(engine.clean_up()) == 2
    assert ticks(olga, "workbench_probe_event") == []


def test_what_a_task_asks_of_people_is_read(engine: Airflow, olga: AirflowClient) -> None:
    """Awaited input is an open approval. Answered during a pause, what follows waits; who and when are told."""
    run_id = trigger(olga, "asks")
    until(lambda: steps_of(olga, run_id)["may_i"] == "awaiting_input")
    (found,) = [a for a in engine.approvals() if a.run_id == run_id]
    assert (found.action, found.decided_at) == ("Send 12 refunds?", None)
    own = run_id.partition("/")[2].replace("+", "%2B")
    path = f"/api/v2/dags/asks/dagRuns/{own}/taskInstances/may_i/-1/hitlDetails"
    perhaps = {"chosen_options": ["Perhaps"], "params_input": {}}
    refused = olga.send("PATCH", path, body=perhaps)
    assert refused.status == 400
    receipts = receipts_of(engine, scopes(ScopeKind.WORKFLOW, "asks"), Mode.FREEZE)
    sent(olga, "PATCH", path, {"chosen_options": ["Reject"], "params_input": {}})
    time.sleep(4)
    assert steps_of(olga, run_id)["may_i"] == "scheduled", "went on although its dag is paused"
    for call in engine.plan_resume(receipts, CatchUp.ALL).calls:
        engine.apply(call, NOTE)
    until(lambda: steps_of(olga, run_id)["may_i"] == "success")
    (found,) = [a for a in engine.approvals() if a.run_id == run_id]
    assert (found.decision, found.decided_by) == ("Reject", "olga")
    said = [a for a in engine.audit(None, datetime.now(UTC)) if a.correlation_id == run_id]
    assert {a.outcome for a in said if a.action == "approval.answered"} == {"unknown"}


def test_refused_requests_are_logged_and_not_believed(engine: Airflow, olga: AirflowClient) -> None:
    """Trap: 400, 404 and 422 lie in the engine's log as if done; the adapter calls none of them a success."""
    began = datetime.now(UTC)
    pool = "/api/v2/pools/gpu"
    for path, body in (
        ("/api/v2/dags/orders", {"is_paused": "maybe"}),
        ("/api/v2/dags/orders", {"is_paused": True, "surprise": 1}),
        ("/api/v2/dags/orders?update_mask=tags", {"is_paused": True}),
        ("/api/v2/dags/orders/dagRuns/none", {"state": "failed"}),
        (pool, {"pool": "gpu", "slots": 0}),
        (pool, {"pool": "gpu", "slots": -7, "include_deferred": False}),
        ("/api/v2/pools/none", {"pool": "none", "slots": 0, "include_deferred": False}),
    ):
        assert olga.send("PATCH", path, body=body).status >= 400
    seen = [a for a in engine.audit(began, datetime.now(UTC)) if a.actor == "olga"]
    assert [a.outcome for a in seen] == [
        "failure", "unknown", "failure", "unknown", "failure", "failure", "unknown",
    ]  # fmt: skip
    (reading,) = engine.state(scopes(ScopeKind.WORKFLOW, "orders"))
    assert reading.is_paused is False


def test_a_bulk_pause_is_told_for_each_dag(engine: Airflow, olga: AirflowClient) -> None:
    """Trap: its entry names no dag; each dag with the tag gets one of its own, with the person."""
    began = datetime.now(UTC)
    sent(olga, "PATCH", "/api/v2/dags?tags=nightly&dag_id_pattern=%25", {"is_paused": True})
    found = {a.target_id: (a.actor, a.outcome) for a in engine.audit(began, datetime.now(UTC))}
    assert found["invoices"] == ("olga", "success")
    assert "orders" not in found
    (reading,) = engine.state(scopes(ScopeKind.WORKFLOW, "invoices"))
    assert (reading.is_paused, reading.changed_by) == (True, "olga")
    flip(olga, "invoices", False)


def test_somebodys_own_pause_after_ours_stays(ground: Ground, olga: AirflowClient) -> None:
    """Unpaused and paused again by olga: the same switch, and not ours any more."""
    _, receipts = ground.pause("orders")
    flip(olga, "orders", False)
    flip(olga, "orders", True)
    plan = ground.engine.plan_resume(receipts, CatchUp.ALL)
    assert plan.calls == ()
    assert "paused by olga" in plan.cannot["dag:orders"]


def test_a_viewer_reads_and_cannot_pause(server: AirflowServer, ground: Ground) -> None:
    """403 is told as refused, nothing is paused, and reading back says so."""
    with adapter(server, "bob") as viewer:
        plan = viewer.plan_pause(ground.scope("orders"), Mode.FREEZE)
        outcome = viewer.apply(plan.calls[0], NOTE)
        assert (outcome.result, outcome.can_retry) == (CallResult.REFUSED, False)
        assert set(viewer.verify(plan).unmet) == {"dag:orders"}


def test_a_stale_token_is_renewed_and_wrong_credentials_are_said(server: AirflowServer) -> None:
    """F47: a token that Airflow does not take costs one login; without a password it is an error in words."""
    with adapter(server, "ops", token="head.body.tail") as renewed:
        assert renewed.probe().version
    for user, other, said in (
        ("ops", {"password": "wrong"}, "does not let ops in"),
        ("", {"token": "head.body.tail"}, "refuses to answer"),
    ):
        with adapter(server, user, **other) as shut_out, pytest.raises(EngineError, match=said):
            shut_out.probe()


def inside(client: AirflowClient, gate: Path) -> str:
    """Trigger a run of `gated` and wait until its first task has passed the gate."""
    run_id = trigger(client, "gated")
    until(lambda: any(run_id in p.in_flight for p in read_presences(gate).get("gated", [])))
    return run_id


def test_a_hold_stops_a_dag_that_knows_nothing_of_it(
    server: AirflowServer, olga: AirflowClient
) -> None:
    """The hook asks the gate before each task: a held one rests without a worker or a try, and goes on when clear."""
    gate = server.gate or Path()
    run_id = inside(olga, gate)
    publish(gate, seq=2, automations={"gated": [a_hold()]})
    until(lambda: steps_of(olga, run_id)["step_1"] == "up_for_reschedule")
    assert steps_of(olga, run_id)["step_0"] == "success"
    publish(gate, seq=3, automations={"gated": []})
    until(lambda: steps_of(olga, run_id)["step_1"] == "success")


def test_a_drain_at_the_gate_lets_runs_end_that_airflow_would_freeze(
    server: AirflowServer, engine: Airflow, olga: AirflowClient
) -> None:
    """Drain, which Airflow 3.3 cannot: a run in flight goes on to its end, and a new one rests at its first task."""
    gate = server.gate or Path()
    run_id = inside(olga, gate)
    publish(gate, seq=4, automations={"gated": [a_hold(mode="drain")]})
    held = trigger(olga, "gated")
    until(lambda: steps_of(olga, held)["step_0"] == "up_for_reschedule")
    until(lambda: steps_of(olga, run_id)["step_1"] == "success")
    publish(gate, seq=5, automations={"gated": []})
    until(lambda: steps_of(olga, held)["step_1"] == "success")
    attempts = {step.attempt for step in engine.steps([held])}
    assert attempts == {1}, "waiting at the gate spent a try"


def test_reading_twice_changes_nothing(
    engine: Airflow, olga: AirflowClient, tmp_path: Path
) -> None:
    """All that these tests left is loaded without a reject, and loaded again without a change."""
    for dag_id in ("tick_all", "tick_one", "workbench_probe_tick"):
        flip(olga, dag_id, True)
        until(lambda d=dag_id: not engine.state(scopes(ScopeKind.WORKFLOW, d))[0].running_ids)
    warehouse = Warehouse.open(tmp_path, SystemClock())
    first = sync_engine(warehouse, engine, source_id="airflow", now=datetime.now(UTC))
    assert {load.table for load in first.loads if load.accepted_count} >= {"run", "run_state", "step", "audit_event", "approval"}  # fmt: skip
    assert [load.rejected_count for load in first.loads] == [0] * len(first.loads)
    again = sync_engine(warehouse, engine, source_id="airflow", now=datetime.now(UTC))
    assert [load.rejected_count for load in again.loads] == [0] * len(again.loads)
    assert {load.table: load.changed_count for load in again.loads if load.table != "run"} == {
        "run_state": 0, "step": 0, "audit_event": 0, "approval": 0,
    }  # fmt: skip

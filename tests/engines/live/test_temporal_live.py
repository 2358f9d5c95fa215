"""A real Temporal server keeps the promises that every engine keeps, and plays the tricks that the adapter expects."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.engines.contract import *  # noqa: F403 - the same promises as for the fake
from tests.engines.contract import NOTE, Ground
from tests.engines.live.temporal_server import Server, serving, until
from tests.engines.temporal_ground import TemporalGround
from tests.store.ground import a_control, an_automation, break_glass, settings_in
from workbench.clock import SystemClock
from workbench.control import Control
from workbench.control.placing import PauseRequest
from workbench.engines.binding import RegistryBinding
from workbench.engines.interface import EngineAddress
from workbench.engines.rows import RunRow, StepRow
from workbench.engines.switching import (
    CallResult,
    CatchUp,
    EngineScope,
    Plan,
    Receipt,
    ScopeKind,
    WorkClass,
)
from workbench.engines.temporal import Temporal, connect
from workbench.engines.temporal_asking import ACCEPT
from workbench.errors import EngineError
from workbench.records import Automation, Mode, RunStatus

pytestmark = [pytest.mark.live, pytest.mark.engine_temporal, pytest.mark.slow]
KINDS = ("orders", "invoices", "attic")


@pytest.fixture(scope="module")
def gate_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the store and gate of the worker are that asks."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def gated(gate_root: Path) -> Control:
    """A store whose gate folder the worker asks on its queue `gated`."""
    return a_control(gate_root, SystemClock(), [an_automation("orders", "workflow")])


@pytest.fixture
def free_again(gated: Control) -> Iterator[Control]:
    """The store, with every hold released after the test."""
    yield gated
    for view in gated.holds():
        gated.resume_full(break_glass(view.hold.hold_id))


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, gated: Control, gate_root: Path
) -> Iterator[Server]:
    """One server for the module, with a worker for the workflow types and one for probes."""
    with serving(tmp_path_factory.mktemp("temporal")) as found:
        worker = str(Path(__file__).with_name("temporal_worker.py"))
        found.work(worker, found.address, str(settings_in(gate_root).gate))
        found.work("-m", "workbench.hooks.temporal_probes", found.address, name="probes")
        for kind in KINDS:
            found.add_schedule(f"s-{kind}", kind, notes="as deployed", paused=kind == "attic")
        yield found


@pytest.fixture(scope="module")
def engine(server: Server) -> Iterator[Temporal]:
    """The adapter, made as the registry's address says."""
    address = EngineAddress("temporal", "temporal", f"{server.url}/api/v1")
    triage = Automation("orders", "workflow", "commerce", "staging", "ops-lead")
    found = connect(address, RegistryBinding([triage], "temporal"), clock=SystemClock())
    until(lambda: len(found.targets()) >= len(KINDS), "the schedules are never listed")
    yield found
    found._namespace.client.close()


@pytest.fixture(autouse=True)
def as_found(server: Server, engine: Temporal) -> Iterator[None]:
    """Leave nothing in flight and each schedule as it was, for the next test."""
    yield
    found = engine.state([EngineScope(ScopeKind.ENGINE, "*")])
    for reading in found:
        kind, _, key = reading.target_id.partition(":")
        if kind == "run":
            body = {"reason": "the test is over"}
            httpx.post(
                f"{server.url}/api/v1/namespaces/default/workflows/{key.rpartition('/')[0]}/terminate",
                json=body,
                trust_env=False,
            )
        elif kind == "schedule" and reading.is_paused != (key == "s-attic"):
            server.patch(key, {"unpause": "as deployed"}, who="the test")

    def gone() -> bool:
        return not any(r.running_ids for r in engine.state([EngineScope(ScopeKind.ENGINE, "*")]))

    until(gone, "runs are left in flight")


@pytest.fixture
def ground(server: Server, engine: Temporal) -> Ground:
    """What the suite asks for."""

    def work(name: str) -> str:
        run_id = server.begin(name)
        until(lambda: listed(engine, run_id), "the run is never listed")
        return run_id

    def flip(name: str, is_paused: bool) -> None:
        server.patch(f"s-{name}", {"pause" if is_paused else "unpause": "by hand"}, who="somebody")

    return TemporalGround(
        engine,
        ("orders", "invoices"),
        "attic",
        work=work,
        flip=flip,
        settle=lambda: time.sleep(0.3),
        patience_seconds=40,
    )


def listed(engine: Temporal, run_id: str) -> bool:
    """Tell whether the engine's list has a run by now."""
    kind = run_id.split("-")[0]
    found = engine.state([EngineScope(ScopeKind.WORKFLOW, kind)])
    return f"run:{run_id}" in {reading.target_id for reading in found}


def row_of(engine: Temporal, run_id: str):  # type: ignore[no-untyped-def]
    """Return a run as it is now."""
    (row,) = engine.runs_by_id([run_id], datetime.now(UTC))
    return row


def scope(key: str, kind: ScopeKind = ScopeKind.WORKFLOW) -> list[EngineScope]:
    """Return one scope."""
    return [EngineScope(kind, key)]


def paused(engine: Temporal, scopes: list[EngineScope], mode: Mode) -> tuple[Plan, list[Receipt]]:
    """Pause, wait until that is read back, and return plan and receipts."""
    plan = engine.plan_pause(scopes, mode)
    results = [engine.apply(c, NOTE).result for c in sorted(plan.calls, key=lambda c: c.stage)]
    assert set(results) <= {CallResult.DONE}
    until(lambda: not engine.verify(plan).unmet, lambda: str(engine.verify(plan).unmet))
    after = {r.target_id: r for r in engine.verify(plan).readings}
    receipts = [
        Receipt("temporal", r.target_id, r.name, r.settings, after[r.target_id].settings, r.observed_at, "H-1")
        for r in plan.before
        if r.is_paused is False and after[r.target_id].is_paused
    ]  # fmt: skip
    return plan, receipts


def resumed(engine: Temporal, receipts: list[Receipt]) -> Plan:
    """Bring it back and wait until that is read back."""
    plan = engine.plan_resume(receipts, CatchUp.ALL)
    assert {engine.apply(call, NOTE).result for call in plan.calls} <= {CallResult.DONE}
    until(lambda: not engine.verify(plan).unmet, "never resumed")
    return plan


def test_history_attempts_and_causes_are_read(server: Server, engine: Temporal) -> None:
    """A failed run tells its cause, a retried one its attempts, in the words of every engine."""
    failed, retried = server.begin("failer"), server.begin("retrier", 3, 0.2)
    until(lambda: row_of(engine, failed).status == RunStatus.FAILED, "it never failed")
    until(lambda: row_of(engine, retried).status == RunStatus.SUCCEEDED, "it never succeeded")
    assert (
        row_of(engine, failed).error_message
        == "Activity task failed: HTTP 503 from acme-llm, attempt 2"
    )
    assert row_of(engine, failed).triggered_by == "api-client"
    steps = [
        (s.step_id, s.attempt, s.status, s.error_message) for s in engine.steps([failed, retried])
    ]
    assert steps == [
        ("stumble", 1, "failed", "HTTP 503 from acme-llm, attempt 1"),
        ("stumble", 2, "failed", "HTTP 503 from acme-llm, attempt 2"),
        ("stumble", 2, "failed", "HTTP 503 from acme-llm, attempt 2"),
        ("stumble", 3, "succeeded", None),
    ]
    states = [state.status for state in engine.states([failed])]
    assert states == ["queued", "running", "failed"]


def test_reading_again_is_the_same(server: Server, engine: Temporal) -> None:
    """With the overlap of an incremental reading, a run that is over comes again as the same row."""
    run_id = server.begin("orders", 1, 0.1)
    until(lambda: row_of(engine, run_id).status == RunStatus.SUCCEEDED, "it never ended")
    now = datetime.now(UTC)
    until(
        lambda: run_id in {r.run_id for r in engine.runs(now - timedelta(minutes=1), now)},
        "never listed",
    )
    first = {row.run_id: row for row in engine.runs(now - timedelta(minutes=1), now)}[run_id]
    again = {row.run_id: row for row in engine.runs(None, now)}[run_id]
    assert first == again
    assert (first.automation_id, first.kind, first.category) == ("orders", "workflow", "commerce")


def test_what_others_did_is_in_the_audit(server: Server, engine: Temporal) -> None:
    """Who paused a run and a schedule is read back from histories, with the reason that was given."""
    begun = datetime.now(UTC) - timedelta(seconds=1)
    run_id = server.begin("sleeper", 30)
    until(lambda: listed(engine, run_id), "never listed")
    paused(engine, scope("sleeper"), Mode.FREEZE)
    server.patch("s-invoices", {"pause": "look at it"}, who="bob")
    rows = [(r.action, r.actor, r.reason) for r in engine.audit(begun, datetime.now(UTC))]
    assert ("run.pause", "ops-lead through the workbench", "H-1 by ops-lead: wrong amounts") in rows
    assert ("schedule.pause", "bob", "look at it") in rows
    (reading,) = engine.state(scope("invoices"))
    assert reading.changed_by == "bob"
    assert (
        row_of(engine, run_id).raw_status == "PAUSED"
    )  # number 8, at which the Python client fails


def test_a_freeze_holds_retries_timers_and_signals(server: Server, engine: Temporal) -> None:
    """A retry is not made, a timer that fires and a signal move no code; after the resume all end well."""
    runs = {
        "retrier": server.begin("retrier", 3, 2.0),
        "sleeper": server.begin("sleeper", 2.0),
        "listener": server.begin("listener"),
    }
    for run_id in runs.values():
        until(lambda r=run_id: listed(engine, r), "never listed")
    until(lambda: row_of(engine, runs["retrier"]).status == RunStatus.RETRYING, "never retries")
    scopes = [EngineScope(ScopeKind.WORKFLOW, kind) for kind in runs]
    _, receipts = paused(engine, scopes, Mode.FREEZE)
    server.send(
        "POST", f"workflows/{runs['listener'].split('/')[0]}/signal/go", {"identity": "shop"}
    )
    attempts = [s.attempt for s in engine.steps([runs["retrier"]])]
    time.sleep(5)
    assert {row_of(engine, run_id).status for run_id in runs.values()} == {RunStatus.HELD}
    assert [s.attempt for s in engine.steps([runs["retrier"]])] == attempts
    assert "TIMER_FIRED" in {e["eventType"][11:] for e in engine._namespace.events(runs["sleeper"])}
    plan = resumed(engine, receipts)
    assert (
        sorted(firing.sentence for firing in plan.forecast)
        == ["1 paused runs go on where they stood, and start nothing new"] * 3
    )
    for run_id in runs.values():
        until(lambda r=run_id: row_of(engine, r).status == RunStatus.SUCCEEDED, "never went on")


def test_missed_starts_are_not_made_up(server: Server, engine: Temporal) -> None:
    """The forecast counts nothing for the starts that fell into a pause, and nothing of them starts."""
    server.add_schedule("s-ticks", "sleeper", every="2s", arguments=(0.1,))
    until(lambda: engine.state(scope("s-ticks", ScopeKind.TRIGGER)), "never there")
    _, receipts = paused(engine, scope("s-ticks", ScopeKind.TRIGGER), Mode.DRAIN)
    time.sleep(5)
    before = server.send("GET", "schedules/s-ticks")["info"].get("actionCount", "0")
    plan = engine.plan_resume(receipts, CatchUp.ALL)
    assert plan.forecast[0].count == 0
    assert int(plan.forecast[0].sentence.split()[0]) >= 2
    resumed(engine, receipts)
    time.sleep(1)
    after = server.send("GET", "schedules/s-ticks")["info"].get("actionCount", "0")
    server.send("DELETE", "schedules/s-ticks")
    assert int(after) - int(before) <= 1


def test_a_pause_loses_what_waits_in_the_buffer(server: Server, engine: Temporal) -> None:
    """Trap: starts that wait for the run before them are thrown away by a pause; the plan says so before."""
    policy = {"overlapPolicy": "SCHEDULE_OVERLAP_POLICY_BUFFER_ALL"}
    server.add_schedule("s-buffer", "orders", every="1s", arguments=(1, 8.0), policies=policy)
    place = scope("s-buffer", ScopeKind.TRIGGER)
    until(lambda: engine.plan_pause(place, Mode.DRAIN).collateral, "nothing is ever buffered")
    assert (
        "in the buffer of the schedule s-buffer are lost"
        in engine.plan_pause(place, Mode.DRAIN).collateral[0]
    )
    paused(engine, place, Mode.DRAIN)
    begun = server.send("GET", "schedules/s-buffer")["info"]["actionCount"]
    until(
        lambda: "bufferSize" not in server.send("GET", "schedules/s-buffer")["info"],
        "still buffered",
    )
    time.sleep(9)
    assert server.send("GET", "schedules/s-buffer")["info"]["actionCount"] == begun
    server.send("DELETE", "schedules/s-buffer")


def test_a_trigger_by_hand_runs_although_the_schedule_is_paused(
    server: Server, engine: Temporal
) -> None:
    """Trap: `trigger` passes a paused schedule by, and its run is covered by the next pass."""
    paused(engine, scope("orders"), Mode.FREEZE)
    server.patch("s-orders", {"triggerImmediately": {}}, who="bob")
    until(lambda: engine.plan_pause(scope("orders"), Mode.FREEZE).calls, "it never ran")
    plan, receipts = paused(engine, scope("orders"), Mode.FREEZE)
    assert [call.target_id.split(":")[0] for call in plan.calls] == ["run"]
    assert len(receipts) == 1


def test_a_delayed_run_cannot_be_paused_and_halt_cancels_it(
    server: Server, engine: Temporal
) -> None:
    """Trap: the server answers 500 to the pause of a run that has not begun, so it is said and not tried."""
    run_id = server.begin("orders", workflowStartDelay="60s")
    until(lambda: listed(engine, run_id), "never listed")
    workflow_id, execution = run_id.split("/")
    answer = httpx.post(
        f"{server.url}/api/v1/namespaces/default/workflows/{workflow_id}/pause",
        json={"runId": execution, "identity": "ana", "reason": "x", "requestId": "r"},
        trust_env=False,
    )
    assert answer.status_code == 500
    assert row_of(engine, run_id).status == RunStatus.SCHEDULED
    plan = engine.plan_pause(scope("orders"), Mode.FREEZE)
    assert f"run:{run_id}" not in {call.target_id for call in plan.calls}
    assert "begins at" in engine.verify(plan).unmet[f"run:{run_id}"]
    paused(engine, scope("orders"), Mode.HALT)
    assert row_of(engine, run_id).status == RunStatus.CANCELLED


def test_a_halt_ends_what_does_not_obey(
    server: Server, engine: Temporal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run whose code swallows the cancel is ended once its grace is over; a frozen one at once."""
    monkeypatch.setattr("workbench.engines.temporal_calls.GRACE", timedelta(seconds=2))
    deaf = server.begin("deaf")
    until(lambda: listed(engine, deaf), "never listed")
    plan = engine.plan_pause(scope("deaf"), Mode.HALT)
    assert [call.path.rsplit("/", 1)[1] for call in plan.calls] == ["cancel"]
    engine.apply(plan.calls[0], NOTE)
    time.sleep(2.5)
    assert "was asked to cancel and is not over" in next(iter(engine.verify(plan).unmet.values()))
    paused(engine, scope("deaf"), Mode.HALT)
    assert row_of(engine, deaf).raw_status == "TERMINATED"
    frozen = server.begin("deaf")
    until(lambda: listed(engine, frozen), "never listed")
    paused(engine, scope("deaf"), Mode.FREEZE)
    paused(engine, scope("deaf"), Mode.HALT)
    assert row_of(engine, frozen).raw_status == "TERMINATED"


def test_a_shut_queue_holds_new_runs_unless_workers_are_eager(
    server: Server, engine: Temporal
) -> None:
    """Trap: the limit of nought holds a new run before its first step only where activities are not eager."""
    place = scope("lazy", ScopeKind.CATEGORY)
    plan, receipts = paused(engine, place, Mode.FREEZE)
    new = server.begin("orders", 2, 0.5, queue="lazy")
    until(lambda: listed(engine, new), "never listed")
    time.sleep(2)
    assert [s.status for s in engine.steps([new])] == ["queued"]
    reading = next(r for r in engine.state(place) if r.target_id == f"run:{new}")
    assert reading.frozen_ids == (new,)
    resumed(engine, receipts)
    until(lambda: row_of(engine, new).status == RunStatus.SUCCEEDED, "it never went on")
    plan = engine.plan_pause(scope("main", ScopeKind.CATEGORY), Mode.FREEZE)
    limit = next(call for call in plan.calls if call.target_id == "task_queue:main")
    engine.apply(limit, NOTE)
    eager = server.begin("orders", 2, 0.5)
    until(lambda: row_of(engine, eager).status == RunStatus.SUCCEEDED, "it was held after all")
    body = {"taskQueueType": "TASK_QUEUE_TYPE_ACTIVITY", "updateQueueRateLimit": {"reason": "over"}}
    server.send("POST", "task-queues/main/update-config", body)


def test_the_server_drops_what_it_takes_for_seen(server: Server, engine: Temporal) -> None:
    """Trap: 200 for a patch with an old request id or an empty note, and nothing is switched."""
    old = {"patch": {"pause": "one"}, "identity": "ana", "requestId": "the-same"}
    server.send("POST", "schedules/s-invoices/patch", old)
    server.patch("s-invoices", {"unpause": "two"}, who="bob")
    server.send("POST", "schedules/s-invoices/patch", old)
    time.sleep(1)
    assert engine.state(scope("invoices"))[0].is_paused is False
    paused(engine, scope("invoices"), Mode.DRAIN)
    server.patch("s-invoices", {"unpause": ""}, who="bob")
    time.sleep(1)
    assert engine.state(scope("invoices"))[0].is_paused is True


def test_an_id_with_a_slash_is_read_and_not_called_held(server: Server, engine: Temporal) -> None:
    """Trap: over HTTP such a run cannot be named; where a program started it, it is told of all the same."""
    answer = httpx.get(
        f"{server.url}/api/v1/namespaces/default/workflows/a%2Fb",
        headers={"Accept": "application/json+no-payload-shorthand"},
        trust_env=False,
    )
    assert (answer.status_code, answer.json()["message"]) == (404, "Not Found")
    server.work(
        "-c",
        "import asyncio, sys\nfrom temporalio.client import Client\n"
        "async def main():\n"
        "    client = await Client.connect(sys.argv[1])\n"
        "    await client.start_workflow('sleeper', 8.0, id='a/b', task_queue='main')\n"
        "asyncio.run(main())",
        server.address,
        name="starter",
    )

    def found_runs() -> list[RunRow]:
        rows = engine.runs(datetime.now(UTC) - timedelta(seconds=30), datetime.now(UTC))
        return [row for row in rows if row.run_id.startswith("a/b/")]

    until(found_runs, "never listed")
    found = found_runs()
    assert [row.status for row in found] == [RunStatus.RUNNING]
    plan = engine.plan_pause(scope("sleeper"), Mode.FREEZE)
    assert plan.calls == ()
    assert "temporal workflow pause -w a/b" in engine.verify(plan).unmet[f"run:{found[0].run_id}"]
    assert engine.runs_by_id([found[0].run_id], datetime.now(UTC))


def test_json_is_only_named_where_a_variant_is_asked_for(server: Server) -> None:
    """Trap: a plain `application/json` is answered with the type `*`, which a careful client must refuse."""
    from workbench.engines.http import JsonClient

    place = "/api/v1/namespaces/default"
    plain = JsonClient(server.url, headers={"Accept": "application/json"})
    asking = JsonClient(server.url, headers={"Accept": ACCEPT})
    with pytest.raises(EngineError, match=r"with \* instead of JSON"):
        plain.get(place)
    assert asking.get(place)["namespaceInfo"]["name"] == "default"
    for one in (plain, asking):
        one.close()


def test_probes_of_every_class_obey_a_freeze(server: Server, engine: Temporal) -> None:
    """A drill's work of all classes is started, frozen with its schedule, let go on and removed."""
    made = {}
    try:
        for work_class in WorkClass:
            made[work_class] = engine.start(work_class)
        assert [one.cannot for one in made.values()] == [""] * len(WorkClass)
        everything = {one.target_id for one in made.values()}

        def members() -> set[str]:
            return {r.target_id for r in engine.state(scope("workbench-probe"))}

        until(lambda: everything <= members(), lambda: str(everything - members()))
        _, receipts = paused(engine, scope("workbench-probe"), Mode.FREEZE)
        waiting = row_of(engine, made[WorkClass.WAITING].run_id)
        assert (waiting.status, waiting.raw_status) == (RunStatus.HELD, "PAUSED")
        resumed(engine, receipts)
    finally:
        assert list(engine.clean_up()) == []
    until(
        lambda: not [r for r in engine.state(scope("workbench-probe")) if r.running_ids],
        "left in flight",
    )


def hold(control: Control, mode: Mode) -> str:
    """Pause the automation `orders`, as a person would; returns the hold."""
    request = PauseRequest("automation=orders", "wrong amounts", mode=mode)
    return control.pause(request, wait_seconds=0).hold.hold_id


def steps(engine: Temporal, run_id: str) -> Sequence[StepRow]:
    """Return the attempts at the activities of a run as they are now."""
    row_of(engine, run_id)
    return engine.steps([run_id])


def done(engine: Temporal, run_id: str) -> int:
    """Return how many activities of a run have ended well."""
    return sum(step.status == "succeeded" for step in steps(engine, run_id))


def refusal(engine: Temporal, run_id: str) -> str:
    """Return with what the last attempt of a run was refused, or an empty text."""
    failed = [s.error_message or "" for s in steps(engine, run_id) if s.status == "failed"]
    return failed[-1] if failed else ""


def test_a_worker_that_asks_the_gate_stops_at_its_next_step(
    server: Server, engine: Temporal, free_again: Control
) -> None:
    """What clients start is held too: before its first activity, and a run in flight before its next one."""
    old = server.begin("orders", 6, 1.0, queue="gated")
    until(lambda: done(engine, old) >= 1, "it never began")
    hold_id = hold(free_again, Mode.FREEZE)
    new = server.begin("orders", 1, 0.1, queue="gated")
    until(lambda: "is paused by" in refusal(engine, old), "the running one is never refused")
    until(lambda: "is paused by" in refusal(engine, new), "the new one is never refused")
    steps = done(engine, old)
    time.sleep(2.5)
    assert (done(engine, old), done(engine, new)) == (steps, 0)
    free_again.resume_full(break_glass(hold_id))
    for run_id in (old, new):
        until(lambda r=run_id: row_of(engine, r).status == RunStatus.SUCCEEDED, "never went on")


def test_an_activity_with_few_attempts_waits_and_spends_none(
    server: Server, engine: Temporal, free_again: Control
) -> None:
    """Where attempts are counted a hold costs none of them: the activity waits in its place."""
    hold_id = hold(free_again, Mode.FREEZE)
    run_id = server.begin("orders", 1, 0.1, 1, queue="gated")
    until(lambda: [s.status for s in steps(engine, run_id)] == ["running"], "never taken up")
    time.sleep(3)
    assert [(s.status, s.attempt) for s in steps(engine, run_id)] == [("running", 1)]
    free_again.resume_full(break_glass(hold_id))
    until(lambda: row_of(engine, run_id).status == RunStatus.SUCCEEDED, "never went on")
    assert [(s.status, s.attempt) for s in steps(engine, run_id)] == [("succeeded", 1)]


def test_under_a_drain_the_worker_lets_a_run_in_flight_finish(
    server: Server, engine: Temporal, free_again: Control
) -> None:
    """A run whose first step was let through goes on to its end; one that begins under the hold does not."""
    old = server.begin("orders", 4, 1.0, queue="gated")
    until(lambda: done(engine, old) >= 1, "it never began")
    hold_id = hold(free_again, Mode.DRAIN)
    new = server.begin("orders", 1, 0.1, queue="gated")
    until(lambda: row_of(engine, old).status == RunStatus.SUCCEEDED, "it was held under a drain")
    assert "is paused by" in refusal(engine, new)
    free_again.resume_full(break_glass(hold_id))
    until(lambda: row_of(engine, new).status == RunStatus.SUCCEEDED, "never went on")


def test_a_narrow_restart_counts_runs_not_steps(
    server: Server, engine: Temporal, free_again: Control
) -> None:
    """One ticket lets one run through with all its steps; the next run stays held."""
    hold_id = hold(free_again, Mode.FREEZE)
    request = break_glass(hold_id, "automation=orders", 1)
    free_again.resume_narrow(request)
    first = server.begin("orders", 3, 0.2, queue="gated")
    until(lambda: row_of(engine, first).status == RunStatus.SUCCEEDED, "it was held")
    second = server.begin("orders", 1, 0.1, queue="gated")
    until(lambda: "is paused by" in refusal(engine, second), "it was let through")

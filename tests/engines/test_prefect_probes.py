"""Made-up work for a drill: of each class that Prefect has, in a deployment meant for it, and gone afterwards."""

from __future__ import annotations

import httpx
import pytest

from tests.engines.contract import Ground
from tests.engines.prefect_ground import engine_over, ground_over
from tests.engines.prefect_server import PrefectServer
from workbench.engines.http import JsonClient
from workbench.engines.prefect import PrefectEngine
from workbench.engines.switching import WorkClass
from workbench.records import Mode


@pytest.fixture
def server() -> PrefectServer:
    """A server with a deployment for made-up work."""
    return PrefectServer()


@pytest.fixture
def ground(server: PrefectServer) -> Ground:
    """The adapter over it."""
    return ground_over(server)


def engine_of(ground: Ground) -> PrefectEngine:
    """Return the adapter with its probes."""
    assert isinstance(ground.engine, PrefectEngine)
    return ground.engine


@pytest.mark.parametrize("work_class", [one for one in WorkClass if one is not WorkClass.NEW_EVENT])
def test_each_class_is_started_in_the_deployment_for_it(
    ground: Ground, server: PrefectServer, work_class: WorkClass
) -> None:
    """What is started belongs to the probe's deployment alone, and names the scope that pauses it."""
    before = len(server.runs)
    work = engine_of(ground).start(work_class)
    assert work.cannot == ""
    assert work.scope_key == "workbench-probe/staging"
    probe = server.deployment("staging")["id"]
    assert probe in work.target_id
    assert {r["deployment_id"] for r in server.runs[before:]} <= {probe}


def test_queued_work_waits_behind_other_work(ground: Ground, server: PrefectServer) -> None:
    """A queue that hands out one at a time keeps the second run waiting for as long as the first works."""
    work = engine_of(ground).start(WorkClass.QUEUED)
    assert {q["name"]: q["concurrency_limit"] for q in server.queues}["workbench-drill"] == 1
    own = [r["id"] for r in server.runs if r["work_queue_name"] == "workbench-drill"]
    assert own[1] == work.run_id


def test_an_event_is_not_made_up(ground: Ground) -> None:
    """What cannot be started is said, not left out."""
    assert "automation of Prefect" in engine_of(ground).start(WorkClass.NEW_EVENT).cannot


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        ("", "python -m workbench.hooks.prefect_probe"),
        ("orders/orders", "has no tag workbench-probe"),
        ("no/such", "404"),
    ],
)
def test_work_is_never_made_up_elsewhere(server: PrefectServer, probe: str, *, words: str) -> None:
    """Without a deployment that is marked for it nothing is started, and the sentence says what to do."""
    ground_over(server)
    before = len(server.runs)
    engine = engine_over(server, probe=probe)
    for work_class in WorkClass:
        if work_class is not WorkClass.NEW_EVENT:
            assert words in engine.start(work_class).cannot
    assert len(server.runs) == before
    engine.clean_up()


def test_cleaning_up_leaves_nothing(ground: Ground, server: PrefectServer) -> None:
    """Runs, schedule and queue are gone, also those of a drill that ended before it could clean up."""
    runs, queues = [r["id"] for r in server.runs], list(server.queues)
    for work_class in WorkClass:
        engine_of(ground).start(work_class)
    server.tick(70)
    another = engine_over(server, probe="workbench-probe/staging")
    assert another.clean_up() == []
    assert [r["id"] for r in server.runs if r["id"] in runs] == runs
    probe = server.deployment("staging")
    assert [r for r in server.runs if r["deployment_id"] == probe["id"]] == []
    assert (probe["schedules"], server.queues) == ([], queues)


def test_a_run_that_does_not_end_is_left_and_said(ground: Ground, server: PrefectServer) -> None:
    """A worker that does not cancel keeps the run; a person is told which one."""
    work = engine_of(ground).start(WorkClass.RUNNING)
    server._set(server.run(work.run_id), "RUNNING")
    engine_of(ground)._sleep = lambda _: None  # type: ignore[method-assign,assignment] # nothing goes on meanwhile
    server.run(work.run_id)["run_count"] = 1
    (left,) = engine_of(ground).clean_up()
    assert work.run_id in left
    assert "delete it there" in left


def test_a_busy_server_is_asked_again(ground: Ground, server: PrefectServer) -> None:
    """503 means that another writer was quicker: making and removing work is tried again, not given up."""
    right, busy = server.answer, [httpx.Response(503, json={}) for _ in range(3)]

    def sometimes(request: httpx.Request) -> httpx.Response:
        return busy.pop() if busy and "create_flow_run" in request.url.path else right(request)

    client = JsonClient(
        "http://prefect.example/api", transport=httpx.MockTransport(sometimes), sleep=lambda _: None
    )
    engine_of(ground)._api.client = client
    assert engine_of(ground).start(WorkClass.NEW_MANUAL).run_id
    assert busy == []


def test_a_pause_holds_the_probes(ground: Ground, server: PrefectServer) -> None:
    """The scope that the work names is the one that stops it."""
    work = engine_of(ground).start(WorkClass.RUNNING)
    plan, _ = ground.pause(work.scope_key, mode=Mode.DRAIN)
    assert [r.name for r in plan.before] == ["workbench-probe/staging"]
    new = engine_of(ground).start(WorkClass.NEW_MANUAL)
    for _ in range(6):
        server.tick()
    assert server.run(new.run_id)["start_time"] is None
    assert engine_of(ground).clean_up() == []

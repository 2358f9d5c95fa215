"""A drill's work in Airflow: started where its dags are, said where they are not, and cleaned up with what stays."""

from __future__ import annotations

import ast

import httpx
import pytest

from tests.checks.tree import read
from tests.engines.fake_airflow import FakeAirflow
from workbench.engines.airflow_probes import ASSET, EVENT, PROBE_FILE, QUEUE, RUN, TICK
from workbench.engines.switching import WorkClass
from workbench.errors import EngineError

PROBES = tuple(f"workbench_probe_{n}" for n in ("run", "queue", "retry", "ask", "event"))


@pytest.fixture
def server() -> FakeAirflow:
    """Return a server that has read the probe file."""
    server = FakeAirflow()
    server.add(*PROBES)
    server.add(TICK, is_paused=True)
    server.assets = [{"id": 7, "name": ASSET}, {"id": 8, "name": f"{ASSET}-other"}]
    return server


def test_the_shipped_file_has_the_dags_that_are_started() -> None:
    """Names and asset of the file for the dag folder are those that the adapter asks for."""
    text = read(PROBE_FILE)
    named = {
        f"workbench_probe_{node.args[0].value}"  # type: ignore[attr-defined]  # a literal name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "probe"
    }
    assert named == {*PROBES, TICK}
    assert f'Asset("{ASSET}")' in text


def test_every_class_is_started(server: FakeAirflow) -> None:
    """A run is named where one is made; a queued one has another before it; a schedule is unpaused."""
    engine = server.engine()
    found = {work_class: engine.start(work_class) for work_class in WorkClass}
    assert all(work.cannot == "" for work in found.values())
    assert found[WorkClass.RUNNING].run_id.startswith(f"{RUN}/")
    assert len([run for run in server.runs if run["dag_id"] == QUEUE]) == 2
    assert found[WorkClass.SCHEDULED].target_id == f"dag:{TICK}"
    assert server.dags[TICK]["is_paused"] is False
    assert found[WorkClass.NEW_EVENT].target_id == f"dag:{EVENT}"


def test_new_work_is_started_on_a_paused_dag(server: FakeAirflow) -> None:
    """A drill triggers while paused; work that has to be there before needs an unpaused dag."""
    server.flip(RUN, True)
    engine = server.engine()
    assert engine.start(WorkClass.NEW_MANUAL).run_id
    assert "is paused: unpause it before the drill" in engine.start(WorkClass.RUNNING).cannot


def test_what_is_missing_is_said_with_the_file_to_copy(server: FakeAirflow) -> None:
    """Without its dags the drill says which file goes where, for each class."""
    server.dags.clear()
    engine = server.engine()
    for work_class in WorkClass:
        assert f"copy {PROBE_FILE} into its dag folder" in engine.start(work_class).cannot
    assert engine.clean_up() == []


def test_clean_up_ends_deletes_and_says_what_stays(server: FakeAirflow) -> None:
    """Runs at work are ended and all are deleted, those of the schedule too; the log and the event stay, said."""
    engine = server.engine()
    for work_class in WorkClass:
        engine.start(work_class)
    server.step()
    server.begin(TICK)
    mine = server.begin("workbench_probe_retry")
    left = engine.clean_up()
    assert ("DELETE", f"/api/v2/dags/{EVENT}/assets/queuedEvents") in server.asked
    assert [f"{run['dag_id']}/{run['dag_run_id']}" for run in server.runs] == [mine]
    assert server.dags[TICK]["is_paused"] is True
    assert len(left) == 2
    assert "keeps the drill's event" in left[0]
    assert "keeps the drill's entries" in left[1]
    assert engine.clean_up() == []


def test_a_run_that_cannot_be_deleted_is_named(server: FakeAirflow) -> None:
    """What the engine keeps against our wish is told with its status."""
    engine = server.engine()
    run_id = engine.start(WorkClass.RUNNING).run_id
    conflict = httpx.Response(409, json={"detail": "no"})
    path = "/api/v2/dags/{}/dagRuns/{}".format(*run_id.split("/"))
    server.overrides["DELETE", path] = lambda _: conflict
    other = engine.start(WorkClass.RETRYING).run_id
    assert f"run {run_id} of Airflow at airflow.example:8080 stays (409 " in engine.clean_up()[0]
    assert other not in [f"{run['dag_id']}/{run['dag_run_id']}" for run in server.runs]


def test_a_schedule_that_cannot_be_paused_again_is_named(server: FakeAirflow) -> None:
    """The one thing that would go on by itself after a drill is never left unsaid."""
    engine = server.engine()
    engine.start(WorkClass.SCHEDULED)
    busy = httpx.Response(500, json={"detail": "database is locked"})
    server.overrides["PATCH", f"/api/v2/dags/{TICK}"] = lambda _: busy
    assert f"the schedule of {TICK} goes on (500" in engine.clean_up()[0]


def test_a_user_who_may_not_trigger_is_told(server: FakeAirflow) -> None:
    """A refusal names call and status and what to look at."""
    forbidden = httpx.Response(403, json={"detail": "Forbidden"})
    server.overrides["POST", f"/api/v2/dags/{RUN}/dagRuns"] = lambda _: forbidden
    with pytest.raises(EngineError, match=r"refuses POST .*dagRuns \(403"):
        server.engine().start(WorkClass.RUNNING)

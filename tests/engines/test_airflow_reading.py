"""Reading Airflow: every run once, no state flattered, an audit that believes no request it can refute."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from tests.engines.fake_airflow import FakeAirflow, dag_row, run_row, step_row
from workbench.engines.airflow_audit import STEP_STATES
from workbench.engines.airflow_words import run_status, step_status
from workbench.engines.binding import RegistryBinding
from workbench.errors import EngineError
from workbench.records import Automation, RunStatus

NOW = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
TRIAGE = Automation(
    "invoice-triage", "agent", "commerce", "production", "agent-owner", provider="acme-llm", engine_ref="triage"
)  # fmt: skip


@pytest.fixture
def server() -> FakeAirflow:
    """Return a server with two dags."""
    server = FakeAirflow()
    server.add("triage", tags=("finance",))
    server.add("other")
    return server


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (None, "scheduled"),
        ("scheduled", "queued"),
        ("queued", "starting"),
        ("running", "running"),
        ("restarting", "running"),
        ("success", "succeeded"),
        ("failed", "failed"),
        ("up_for_retry", "retrying"),
        ("up_for_reschedule", "waiting"),
        ("deferred", "waiting"),
        ("awaiting_input", "waiting"),
        ("upstream_failed", "skipped"),
        ("skipped", "skipped"),
        ("removed", "skipped"),
        ("brand_new", "unknown"),
    ],
)
def test_a_tasks_state_becomes_our_word(state: str | None, status: str) -> None:
    """Each state of Airflow 3.3 has a word; a new one is unknown, never success."""
    assert step_status(state) == status
    assert status in set(RunStatus)


def test_a_runs_state_becomes_our_word() -> None:
    """A run in the future is planned, one that our halt ended is cancelled, an unknown state is unknown."""
    assert run_status({"state": "queued", "run_after": "2026-11-27T09:29:00Z"}, NOW) == "queued"
    assert run_status({"state": "queued", "run_after": "2026-11-27T09:31:00Z"}, NOW) == "scheduled"
    assert run_status({"state": "failed", "note": "H-7 by ops-lead: why"}, NOW) == "cancelled"
    assert run_status({"state": "failed", "note": "H-7"}, NOW) == "failed"
    assert run_status({"state": "success", "note": "H-7 by ops-lead: why"}, NOW) == "succeeded"
    assert run_status({"state": "brand_new"}, NOW) == "unknown"


def test_a_run_is_read_with_the_registrys_words(server: FakeAirflow) -> None:
    """Kind, category, environment and provider come from the registry, the rest from the engine."""
    server.runs = [run_row("triage", "manual__1", state="failed", note="checked")]
    engine = server.engine(RegistryBinding([TRIAGE], "airflow"))
    (row,) = engine.runs(None, NOW)
    assert (row.automation_id, row.kind, row.category, row.environment, row.provider) == (
        "invoice-triage", "agent", "commerce", "production", "acme-llm",
    )  # fmt: skip
    assert (row.run_id, row.status, row.raw_status) == ("triage/manual__1", "failed", "failed")
    assert (row.trigger, row.triggered_by, row.version) == ("manual", "olga", "3")
    assert row.labels == {"run_type": "manual", "note": "checked"}
    assert row.finished_at == datetime(2026, 11, 27, 8, 0, 6, 204548, tzinfo=UTC)


def test_the_tag_binds_too_and_what_is_not_bound_is_named(server: FakeAirflow) -> None:
    """The tag `automation:<id>` leads to the automation; dags that ran without one are told."""
    server.dags["other"] = dag_row("other", "automation:invoice-triage")
    server.add("loose", "idle")
    server.runs = [run_row("other", "a"), run_row("loose", "b")]
    engine = server.engine(RegistryBinding([TRIAGE], "airflow"))
    assert {row.run_id: row.automation_id for row in engine.runs(None, NOW)} == {
        "other/a": "invoice-triage",
        "loose/b": "loose",
    }
    assert engine.unbound == {"loose"}


def test_what_changed_since_is_asked_of_the_engine(server: FakeAirflow) -> None:
    """Only runs that the engine changed since come; a second reading gives the same rows."""
    server.runs = [
        run_row("triage", "old", updated_at="2026-11-27T08:00:00.000000Z"),
        run_row("triage", "new", updated_at="2026-11-27T09:20:00.000000Z"),
    ]
    engine = server.engine()
    since = datetime(2026, 11, 27, 9, tzinfo=UTC)
    first = engine.runs(since, NOW)
    assert [row.run_id for row in first] == ["triage/new"]
    assert engine.runs(since, NOW) == first


def test_runs_that_are_gone_are_left_out(server: FakeAirflow) -> None:
    """Of runs asked for by id only those come that the engine still has."""
    server.runs = [run_row("triage", "scheduled__2026-11-27T08:00:00+00:00")]
    wanted = ["triage/scheduled__2026-11-27T08:00:00+00:00", "triage/gone"]
    assert [row.run_id for row in server.engine().runs_by_id(wanted, NOW)] == wanted[:1]


def test_a_frozen_run_is_held_not_running(server: FakeAirflow) -> None:
    """Trap: Airflow says `running` for ever of a run that a pause keeps from its next task."""
    run_id = server.begin("triage")
    server.flip("triage", True)
    engine = server.engine()
    assert [row.status for row in engine.runs(None, NOW)] == ["running"]
    server.step()
    (row,) = engine.runs(None, NOW)
    assert (row.run_id, row.status, row.raw_status) == (run_id, "held", "running")


def test_pages_smaller_than_asked_for_lose_nothing(server: FakeAirflow) -> None:
    """Trap: a server may cut every page; a short page is not the last one."""
    server.largest_page = 3
    server.add(*(f"dag_{number}" for number in range(10)))
    server.runs = [run_row("triage", f"r{number}") for number in range(11)]
    server.steps = [step_row("triage", f"r{number}", "write") for number in range(11)]
    for number in range(8):
        server.flip(f"dag_{number}", True)
    engine = server.engine()
    rows = engine.runs(None, NOW)
    assert len(rows) == 11
    assert len(engine.targets()) == 12
    assert len(engine.steps([row.run_id for row in rows])) == 11
    assert len(engine.audit(None, NOW)) == 8


@pytest.mark.parametrize("path", ["/api/v2/dags/~/dagRuns", "/api/v2/dags"])
def test_a_page_that_comes_for_ever_is_found_out(server: FakeAirflow, path: str) -> None:
    """F41: a server that repeats its cursor, or ignores the offset, does not hang the reading."""
    rows = {
        "dags": [dag_row(f"d{number}") for number in range(100)],
        "dag_runs": [run_row("triage", "r")],
        "next_cursor": "again",
        "total_entries": 1_000,
    }
    server.overrides["GET", path] = lambda _: httpx.Response(200, json=rows)
    with pytest.raises(EngineError, match=f"airflow.example:8080 repeats a page of {path}"):
        server.engine().runs(None, NOW)


def test_every_attempt_is_a_step(server: FakeAirflow) -> None:
    """Tries before the present one are asked for where there were some; a mapped task is told by its index."""
    server.runs = [run_row("triage", "r1")]
    server.steps = [
        step_row("triage", "r1", "call", try_number=2),
        step_row("triage", "r1", "write", map_index=4),
        step_row("other", "r9", "not_asked_for"),
    ]
    server.tries["call"] = [
        step_row("triage", "r1", "call", try_number=1, state="failed"),
        step_row("triage", "r1", "call", try_number=2),
    ]
    engine = server.engine()
    engine.runs(None, NOW)
    assert [(s.step_id, s.attempt, s.status) for s in engine.steps(["triage/r1"])] == [
        ("call", 1, "failed"),
        ("call", 2, "succeeded"),
        ("write[4]", 1, "succeeded"),
    ]


def test_the_states_are_those_that_the_instants_tell(server: FakeAirflow) -> None:
    """Queued, begun and ended, each at its instant; a run that has not ended has no last state."""
    server.runs = [run_row("triage", "r1"), run_row("triage", "r2", state="running", end_date=None)]
    states = server.engine().states(["triage/r1", "triage/r2"])
    assert [(s.run_id[-2:], s.status) for s in states] == [
        ("r1", "queued"), ("r1", "running"), ("r1", "succeeded"), ("r2", "queued"), ("r2", "running"),
    ]  # fmt: skip


def test_what_a_task_asks_of_people_is_an_approval(server: FakeAirflow) -> None:
    """A task that awaits input is an approval with its subject; the answer has a name and an instant."""
    asked = {
        "subject": "Send 12 refunds?",
        "created_at": "2026-11-27T08:01:00Z",
        "chosen_options": None,
        "responded_at": None,
        "responded_by_user": None,
        "task_instance": step_row("triage", "r1", "may_i", state="awaiting_input"),
    }
    server.approvals = [asked]
    (open_one,) = server.engine().approvals()
    assert (open_one.approval_id, open_one.run_id) == ("triage/r1/may_i", "triage/r1")
    assert (open_one.action, open_one.decided_at, open_one.decision) == ("Send 12 refunds?", None, None)  # fmt: skip
    answered = {
        "chosen_options": ["Reject"],
        "responded_at": "2026-11-27T08:02:00Z",
        "responded_by_user": {"id": "olga", "name": "olga"},
    }
    server.approvals = [{**asked, **answered}]
    (row,) = server.engine().approvals()
    assert (row.decision, row.decided_by) == ("Reject", "olga")


def audit(server: FakeAirflow) -> dict[str, tuple[str, str | None, str]]:
    """Return what the audit tells: event id -> action, target, outcome."""
    rows = server.engine().audit(None, NOW)
    return {row.event_id: (row.action, row.target_id, row.outcome) for row in rows}


def test_refused_requests_are_never_told_as_done(server: FakeAirflow) -> None:
    """Trap: Airflow logs what it refuses. What the request's own words refute is a failure, else unknown."""
    engine = server.engine()
    client = engine._client
    pool = "/api/v2/pools/default_pool"
    for method, path, body in (
        ("PATCH", "/api/v2/dags/triage", {"is_paused": "maybe"}),
        ("PATCH", "/api/v2/dags/triage", {}),
        ("PATCH", pool, {"pool": "default_pool", "slots": 0}),
        ("PATCH", pool, {"pool": "default_pool", "slots": -5, "include_deferred": False}),
        ("PATCH", "/api/v2/dags/gone", {"is_paused": True}),
        ("PATCH", "/api/v2/dags/triage/dagRuns/none", {"state": "failed"}),
        ("PATCH", "/api/v2/pools/none", {"pool": "none", "slots": 0, "include_deferred": False}),
        ("PATCH", "/api/v2/dags/triage", {"is_paused": True, "surprise": 1}),
        ("PATCH", "/api/v2/dags/triage", {"is_paused": True}),
    ):
        client.send(method, path, body=body)
    outcomes = [row.outcome for row in engine.audit(None, NOW)]
    assert outcomes == [*["failure"] * 4, *["unknown"] * 4, "success"]


def test_a_bulk_pause_is_told_for_each_dag_that_it_matched(server: FakeAirflow) -> None:
    """Trap: the row of a bulk pause names no dag; dags born later were not matched."""
    server.dags["triage"]["born"] = "2026-11-01T00:00:00Z"
    server.add("late", tags=("finance",), born="2026-11-28T00:00:00Z")
    server.engine()._client.send(
        "PATCH", "/api/v2/dags?dag_id_pattern=%25&tags=finance", body={"is_paused": True}
    )
    assert audit(server) == {
        "1:triage": ("dag.paused", "triage", "success"),
        "1": ("dag.paused", "dag_id_pattern=% tags=finance", "success"),
    }


def test_a_bulk_pause_without_a_pattern_did_nothing(server: FakeAirflow) -> None:
    """Trap: it is answered with 200 and logged like any other."""
    server.engine()._client.send("PATCH", "/api/v2/dags?tags=finance", body={"is_paused": True})
    assert audit(server) == {"1": ("dag.paused", "tags=finance", "failure")}


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("%", {"triage", "other"}),
        ("~", {"triage", "other"}),
        ("RIA", {"triage"}),
        ("tri%ge", {"triage"}),
        ("t_i", {"triage"}),
        ("nothing|oth", {"other"}),
        ("t.i", set()),
    ],
)
def test_a_pattern_matches_as_in_the_engine(
    server: FakeAirflow, pattern: str, matched: set[str]
) -> None:
    """Part of a name, whatever its case, with SQL's signs, and several with a bar."""
    server._write("patch_dags", "olga", {"dag_id_pattern": pattern, "is_paused": True})
    assert {target for _, target, _ in audit(server).values()} - {f"dag_id_pattern={pattern}"} == matched  # fmt: skip


def test_ordinary_life_is_not_asked_for(server: FakeAirflow) -> None:
    """State changes of tasks lie in the same log; they are left to the attempts."""
    for state in STEP_STATES:
        server._write(state, "airflow", {}, dag_id="triage", task_id="t", run_id="r")
    server._write("paused", "scheduler", {}, dag_id="triage")
    assert audit(server) == {str(len(STEP_STATES) + 1): ("dag.paused", "triage", "success")}


def test_the_audit_is_the_same_when_read_again(server: FakeAirflow) -> None:
    """The warehouse keeps the first telling of an event: a later reading must not tell another."""
    server.engine()._client.send(
        "PATCH", "/api/v2/dags?dag_id_pattern=%25", body={"is_paused": True}
    )
    engine = server.engine(RegistryBinding([TRIAGE], "airflow"))
    first = engine.audit(None, NOW)
    server.flip("triage", False)
    assert list(engine.audit(None, NOW))[: len(first)] == list(first)
    assert {row.target_id for row in first} >= {"invoice-triage", "other"}


def test_reading_leaves_no_trace_in_the_engines_log(server: FakeAirflow) -> None:
    """Trap: the engine logs reading by POST as an act; everything is read by GET."""
    server.begin("triage")
    server.flip("triage", True)
    engine = server.engine()
    rows = engine.runs(None, NOW)
    engine.steps([row.run_id for row in rows])
    engine.states([row.run_id for row in rows])
    engine.audit(None, NOW)
    engine.approvals()
    engine.probe()
    assert [path for method, path in server.asked if method != "GET"] == ["/auth/token"]


def test_health_without_proof_of_scheduling_is_said(server: FakeAirflow) -> None:
    """Trap: all parts healthy, and what is due was not started; a dag that runs as often as it may is excused."""
    server.add("hourly", next_dagrun_run_after="2026-11-27T08:30:00Z")
    server.add("busy", next_dagrun_run_after="2026-11-27T08:30:00Z", max_active_runs=1)
    server.begin("busy")
    (finding,) = server.engine().probe().findings
    assert "has not started what is due: hourly (due 08:30:00)" in finding
    server.flip("hourly", True)
    assert server.engine().probe().findings == ()


@pytest.mark.parametrize(
    ("health", "said"),
    [
        ({"scheduler": {"status": "unhealthy"}}, "scheduler is unhealthy: nothing starts"),
        ({"scheduler": {"status": None}}, "scheduler is not there: nothing starts"),
        ({"dag_processor": {"status": None}}, "dag processor is not there: new and changed dags"),
        ({"metadatabase": {"status": "unhealthy"}}, "database does not answer"),
        ({"triggerer": {"status": "unhealthy"}}, "deferred tasks wait for ever"),
        (
            {"scheduler": {"status": "healthy", "latest_scheduler_heartbeat": "2026-11-27T09:10:00Z"}},
            "clock is 600 s ahead",
        ),
    ],
)  # fmt: skip
def test_what_makes_answers_doubtful_is_said(
    server: FakeAirflow, health: dict[str, dict[str, str | None]], said: str
) -> None:
    """Each part that is not well gives one sentence with what it means for a pause."""
    server.health |= health
    (finding,) = server.engine().probe().findings
    assert said in finding


def test_files_that_cannot_be_read_and_a_new_version_are_said(server: FakeAirflow) -> None:
    """Dags of a broken file stay out of any pause; a version that nobody tried is named."""
    server.import_errors = [{"filename": "dags/orders.py"}]
    server.version = "3.4.0"
    assert server.engine().probe().findings == (
        "Airflow 3.4.0 was never tried; 3.3 was",
        "1 of Airflow's dag files cannot be read, orders.py among them",
    )


def test_a_server_of_another_kind_is_found_out(server: FakeAirflow) -> None:
    """JSON that is not Airflow's is refused before anything is read from it."""
    server.overrides["GET", "/api/v2/version"] = lambda _: httpx.Response(200, json=["3"])
    with pytest.raises(EngineError, match=r"airflow\.example:8080 does not answer like Airflow 3"):
        server.engine().probe()


@pytest.mark.parametrize(
    "damage", [{"queued_at": "soon"}, {"run_after": None, "queued_at": None, "start_date": None}]
)
def test_a_run_with_a_broken_instant_stops_the_reading(
    server: FakeAirflow, damage: dict[str, str | None]
) -> None:
    """An answer that breaks the engine's own promise is an engine error, not a guess."""
    server.runs = [run_row("triage", "r1", **damage)]
    with pytest.raises(EngineError):
        server.engine().runs(None, NOW)


def test_a_token_that_is_over_is_renewed_midway(server: FakeAirflow) -> None:
    """F47: 401 and Airflow's own 403 for a stale token cost one login; the reading goes on."""
    server.runs = [run_row("triage", "r1")]
    engine = server.engine()
    engine.runs(None, NOW)
    server.good_tokens.clear()
    assert len(engine.runs(None, NOW)) == 1
    assert [path for _, path in server.asked].count("/auth/token") == 2


def test_what_the_user_may_not_read_is_no_stale_token(server: FakeAirflow) -> None:
    """A 403 that speaks of no token costs no login and is told."""
    forbidden = httpx.Response(403, json={"detail": "Forbidden"})
    server.overrides["GET", "/api/v2/dags/~/dagRuns"] = lambda _: forbidden
    with pytest.raises(EngineError, match=r"refuses to answer .*dagRuns \(403\)"):
        server.engine().runs(None, NOW)
    assert [path for _, path in server.asked].count("/auth/token") == 1


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ({"password": "wrong"}, r"does not let ops in \(401\)"),
        ({"user": "", "password": ""}, r"refuses to answer .* \(401\)"),
        ({"user": "", "token": "stale"}, r"refuses to answer .* \(403\)"),
    ],
)
def test_credentials_that_open_nothing_are_said(
    server: FakeAirflow, address: dict[str, str], said: str
) -> None:
    """F47: the sentence names place and user, and no password."""
    with pytest.raises(EngineError, match=said) as caught:
        server.engine(**address).probe()
    assert "canary" not in caught.value.message
    assert "wrong" not in caught.value.message


def test_a_token_alone_is_enough(server: FakeAirflow) -> None:
    """Where a token is given, no login is made, and the token tells whose acts are ours."""
    token = server._log_in({"username": "ops", "password": "canary"}).json()["access_token"]
    engine = server.engine(user="", password="", token=token)
    assert engine.probe().version == "3.3.2"
    assert engine._client.user == "ops"
    assert "/auth/token" not in [path for _, path in server.asked]


def test_a_long_reading_window_does_not_read_all_between(server: FakeAirflow) -> None:
    """Attempts of an old and of a new run are read by two windows, not by one over the weeks between."""
    server.runs = [
        run_row("triage", "old", run_after="2026-10-01T00:00:00Z"),
        run_row("triage", "new", run_after="2026-11-27T08:00:00Z"),
    ]
    engine = server.engine()
    engine.runs(None, NOW)
    engine.steps(["triage/old", "triage/new"])
    assert sum("run_after_gte" in path for _, path in server.asked) == 2

"""Reading Temporal: what its lists and histories mean in our words, page by page, exactly and again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.engines.fake_temporal import AT, JSON, FakeTemporal, attempt
from workbench.clock import FixedClock, to_text
from workbench.engines.binding import RegistryBinding
from workbench.engines.temporal_asking import Namespace
from workbench.engines.temporal_reading import TemporalReader
from workbench.engines.temporal_words import (
    decoded,
    encoded,
    failure_text,
    instant_of,
    quoted,
    status_of,
    word_of,
)
from workbench.errors import EngineError
from workbench.records import Automation, RunStatus
from workbench.warehouse import Warehouse
from workbench.warehouse.syncing import SyncReport, sync_engine

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
TRIAGE = Automation(
    "invoice-triage", "agent", "commerce", "production", "agent-owner", provider="acme-llm"
)


@pytest.fixture
def server() -> FakeTemporal:
    """One namespace with nothing in it."""
    return FakeTemporal()


def reader(server: FakeTemporal, *automations: Automation) -> TemporalReader:
    """Return a reader of this server that knows some automations."""
    binding = RegistryBinding(automations or [TRIAGE], "temporal")
    return TemporalReader(Namespace(server.client()), binding, clock=FixedClock(NOW))


@pytest.mark.parametrize(
    ("said", "word", "status"),
    [
        ("WORKFLOW_EXECUTION_STATUS_RUNNING", "RUNNING", "running"),
        ("WORKFLOW_EXECUTION_STATUS_PAUSED", "PAUSED", "held"),
        ("WORKFLOW_EXECUTION_STATUS_TIMED_OUT", "TIMED_OUT", "failed"),
        ("WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW", "CONTINUED_AS_NEW", "succeeded"),
        (8, "PAUSED", "held"),
        ("8", "PAUSED", "held"),
        (2, "COMPLETED", "succeeded"),
        ("TimedOut", "TIMED_OUT", "failed"),
        ("Terminated", "TERMINATED", "cancelled"),
        ("CANCELED", "CANCELED", "cancelled"),
        (9, "STATUS_9", "unknown"),
        ("WORKFLOW_EXECUTION_STATUS_RESTING", "RESTING", "unknown"),
        (None, "NONE", "unknown"),
    ],
)
def test_a_status_becomes_our_word(said: object, word: str, status: str) -> None:
    """By name, by number or as a bare word: each status has a word, and a new one is unknown, never success."""
    assert (word_of(said), status_of(word_of(said))) == (word, status)
    assert status in set(RunStatus)


def test_a_run_is_read_with_the_registrys_words(server: FakeTemporal) -> None:
    """Kind, category, environment and provider come from the registry, the rest from the engine."""
    run = server.begin("invoice-triage")
    failure = {"message": "Activity task failed", "cause": {"message": "HTTP 503 from acme-llm"}}
    run.end("FAILED", AT + timedelta(seconds=9), failure=failure)
    (row,) = reader(server).runs(None, NOW)
    assert (row.automation_id, row.kind, row.category, row.environment, row.provider) == (
        "invoice-triage", "agent", "commerce", "production", "acme-llm",
    )  # fmt: skip
    assert (row.status, row.raw_status) == ("failed", "FAILED")
    assert row.error_message == "Activity task failed: HTTP 503 from acme-llm"
    assert (row.trigger, row.attempt_count, row.engine) == ("manual", 1, "temporal")
    assert (row.triggered_by, row.run_id) == ("api-client", run.run_id)
    assert (row.first_seen_at, row.started_at) == (AT, AT)
    assert row.finished_at == row.updated_at == AT + timedelta(seconds=9)
    assert row.labels == {"workflow_type": "invoice-triage", "task_queue": "main"}


@pytest.mark.parametrize(
    ("pending", "status"),
    [
        ([attempt("STARTED", 1)], "running"),
        ([attempt("SCHEDULED", 1)], "running"),
        ([attempt("SCHEDULED", 3)], "retrying"),
        ([attempt("SCHEDULED", 3), attempt("STARTED", 1)], "running"),
        ([attempt("RESTING", 1)], "running"),
    ],
)
def test_what_a_running_run_does_is_told(server: FakeTemporal, pending: list, status: str) -> None:
    """Temporal calls it running; whether it works or waits for a retry is in its description."""
    server.begin("invoice-triage").pending = pending
    (row,) = reader(server).runs(None, NOW)
    assert (row.status, row.raw_status) == (status, "RUNNING")


def test_a_run_that_waits_for_nothing_of_ours_is_waiting(server: FakeTemporal) -> None:
    """With no activity and no turn to take, a run waits for a timer, a signal or a child."""
    run = server.begin("invoice-triage")
    run.events, run.pending = run.events[:4], []
    assert [row.status for row in reader(server).runs(None, NOW)] == ["waiting"]
    assert [s.status for s in reader(server).states([run.run_id])] == [
        "queued",
        "running",
        "waiting",
    ]


def test_a_run_that_no_worker_took_is_queued_and_a_delayed_one_scheduled(
    server: FakeTemporal,
) -> None:
    """Both are running in Temporal's words although no line of theirs was carried out."""
    server.begin("invoice-triage", workflow_id="q", queue="nobody")
    server.begin("invoice-triage", workflow_id="d", due_at=NOW + timedelta(hours=1))
    found = {row.run_id.split("/")[0]: row for row in reader(server).runs(None, NOW)}
    assert {name: (row.status, row.started_at) for name, row in found.items()} == {
        "q": ("queued", None),
        "d": ("scheduled", None),
    }
    assert found["d"].scheduled_at == NOW + timedelta(hours=1)


def test_what_began_ended_or_is_in_flight_is_read(server: FakeTemporal) -> None:
    """An old run that ended before is left out; each other comes once."""
    old, ended = server.begin("a", workflow_id="old"), server.begin("a", workflow_id="ended")
    server.begin("a", workflow_id="open")
    old.end("COMPLETED", AT + timedelta(minutes=1))
    ended.end("COMPLETED", AT + timedelta(hours=2))
    server.now = AT + timedelta(hours=2)
    server.begin("a", workflow_id="begun").end("COMPLETED", server.now)
    since = AT + timedelta(hours=1)
    found = [row.run_id.split("/")[0] for row in reader(server).runs(since, NOW)]
    assert found == ["begun", "ended", "open"]
    assert len(reader(server).runs(None, NOW)) == 4


def test_all_pages_are_read_and_a_row_on_two_pages_is_one_run(server: FakeTemporal) -> None:
    """Page tokens are followed to the end; when the list moves meanwhile, a row that comes twice counts once."""
    server.page_size = 3
    for _ in range(7):
        server.begin("a").end("COMPLETED", AT)
    assert len(reader(server).runs(None, NOW)) == 7
    rows = server._run_rows()
    pages = {
        "": {"executions": rows[:3], "nextPageToken": "x"},
        "x": {"executions": rows[2:5]},
    }
    server.overrides["/workflows"] = lambda request: httpx.Response(
        200, headers=JSON, json=pages[request.url.params.get("nextPageToken", "")]
    )
    assert len(reader(server).runs(None, NOW)) == 5


def test_a_page_that_comes_for_ever_is_found_out(server: FakeTemporal) -> None:
    """A server that repeats a token does not hang the reading."""
    server.begin("a").end("COMPLETED", AT)
    page = {"executions": server._run_rows(), "nextPageToken": "again"}
    server.overrides["/workflows"] = lambda _: httpx.Response(200, headers=JSON, json=page)
    with pytest.raises(EngineError, match=r"temporal\.example:7243 repeats a page of workflows"):
        reader(server).runs(None, NOW)


def test_a_schedule_a_type_or_a_memo_binds(server: FakeTemporal) -> None:
    """A schedule's id, `type/schedule`, the type, or the memo `automation` leads to the automation."""
    server.begin("shared", workflow_id="by-ref", schedule_id="nightly")
    server.begin("shared", workflow_id="by-memo").memo = {"automation": encoded("stock-watch")}
    server.begin("shared", workflow_id="unbound")
    watch = Automation("stock-watch", "watcher", "commerce", "production", "ops-lead")
    seo = Automation(
        "seo", "workflow", "content", "production", "ops-lead", engine_ref="shared/nightly"
    )
    one = reader(server, watch, seo)
    found = {
        row.run_id.split("/")[0]: (row.automation_id, row.trigger) for row in one.runs(None, NOW)
    }
    assert found == {
        "by-ref": ("seo", "schedule"),
        "by-memo": ("stock-watch", "manual"),
        "unbound": ("shared", "manual"),
    }
    assert one.unbound == {"shared"}


def test_targets_are_types_with_their_schedules(server: FakeTemporal) -> None:
    """A type is known by its schedules or its runs; paused is only what has schedules, all of them paused."""
    server.add_schedule("nightly", "orders", paused=True)
    server.add_schedule("hourly", "orders")
    server.add_schedule("weekly", "invoices", paused=True)
    server.begin("by-hand")
    found = {
        target.names[0]: (target.names[1:], target.is_paused) for target in reader(server).targets()
    }
    assert found == {
        "orders": (("orders/hourly", "orders/nightly", "hourly", "nightly"), False),
        "invoices": (("invoices/weekly", "weekly"), True),
        "by-hand": ((), None),
    }


def test_a_child_names_its_parent_and_root(server: FakeTemporal) -> None:
    """A run that another run started is told apart from one that a person started."""
    parent = server.begin("parent")
    child = server.begin("child", parent=parent)
    found = {row.run_id: row for row in reader(server).runs(None, NOW)}
    assert found[child.run_id].trigger == "parent"
    assert found[child.run_id].parent_run_id == found[child.run_id].root_run_id == parent.run_id
    assert found[parent.run_id].root_run_id is None


def test_the_history_tells_states_with_who_and_why(server: FakeTemporal) -> None:
    """A pause is a state with the reason and the identity that gave it; the run goes on after the unpause."""
    run = server.begin("a")
    for verb, who in (("PAUSED", "ana"), ("UNPAUSED", "bob")):
        server.now += timedelta(seconds=5)
        run.tell(f"WORKFLOW_EXECUTION_{verb}", server.now, identity=who, reason="H-1 by ana: wrong")
    run.end("TERMINATED", server.now + timedelta(seconds=1), identity="bob", reason="enough")
    found = [(s.status, s.actor, s.message) for s in reader(server).states([run.run_id])]
    assert found == [
        ("queued", None, None),
        ("running", None, None),
        ("held", "ana", "H-1 by ana: wrong"),
        ("running", "bob", "H-1 by ana: wrong"),
        ("cancelled", "bob", "enough"),
    ]


def test_attempts_are_read_as_far_as_temporal_keeps_them(server: FakeTemporal) -> None:
    """Of a retried activity the last attempt is known and the failure before it; a second call is `write#2`."""
    run = server.begin("a")
    earlier = {"message": "HTTP 503"}
    run.tell("ACTIVITY_TASK_STARTED", AT, scheduledEventId="5", attempt=3, lastFailure=earlier)
    run.tell("ACTIVITY_TASK_COMPLETED", AT + timedelta(seconds=2), scheduledEventId="5")
    run.tell(
        "ACTIVITY_TASK_SCHEDULED",
        AT + timedelta(seconds=2),
        activityId="2",
        activityType={"name": "write"},
    )
    run.pending = [
        attempt("SCHEDULED", 2, activityId="2", lastFailure={"message": "HTTP 429"},
                lastAttemptCompleteTime=to_text(AT + timedelta(seconds=4)))
    ]  # fmt: skip
    one = reader(server)
    (row,) = one.runs(None, NOW)
    steps = [(s.step_id, s.attempt, s.status, s.error_message) for s in one.steps([run.run_id])]
    assert steps == [
        ("write", 2, "failed", "HTTP 503"),
        ("write", 3, "succeeded", None),
        ("write#2", 1, "failed", "HTTP 429"),
        ("write#2", 2, "retrying", None),
    ]
    assert all(step.started_at for step in one.steps([run.run_id]))
    assert row.status == "retrying"
    assert row.updated_at == AT + timedelta(seconds=4)


def test_an_activity_that_outlives_its_run_is_unknown(server: FakeTemporal) -> None:
    """A terminated run leaves its worker at work: how that ends nobody records, so it is not said to be over."""
    run = server.begin("a")
    run.end("TERMINATED", AT + timedelta(seconds=1), identity="ana", reason="enough")
    one = reader(server)
    one.runs(None, NOW)
    assert [(s.status, s.raw_status) for s in one.steps([run.run_id])] == [("unknown", "ABANDONED")]


def test_a_run_that_retention_removed_is_not_there(server: FakeTemporal) -> None:
    """What Temporal has deleted is left out, which lets the sync mark it; what is there comes."""
    run = server.begin("a")
    gone = "b/01a21f43-0000-7f09-8cac-4fc77d0d1f78"
    assert [row.run_id for row in reader(server).runs_by_id([gone, run.run_id], NOW)] == [
        run.run_id
    ]
    assert reader(server).states([gone]) == []


def test_a_sync_is_idempotent_and_marks_what_vanished(server: FakeTemporal, tmp_path: Path) -> None:
    """Reading again changes nothing; a run in flight that retention took is kept and marked, not lost."""
    run = server.begin("invoice-triage")
    server.begin("invoice-triage").end("COMPLETED", AT + timedelta(seconds=9))
    server.add_schedule("nightly", "invoice-triage")
    warehouse = Warehouse.open(tmp_path, FixedClock(NOW))

    def synced(minutes: int) -> SyncReport:
        now = NOW + timedelta(minutes=minutes)
        return sync_engine(warehouse, reader(server), source_id="t", now=now)

    first = {load.table: load.changed_count for load in synced(0).loads}
    assert first == {"run": 2, "run_state": 5, "step": 2, "audit_event": 1, "approval": 0}
    assert [load.changed_count for load in synced(1).loads] == [0] * 5
    del server.runs[run.run_id]
    assert synced(2).vanished_count == 1
    assert synced(3).vanished_count == 0


def test_an_id_with_a_slash_is_read_from_the_list(server: FakeTemporal) -> None:
    """Over HTTP such a run cannot be asked about (404): it is in the list, and is not taken for deleted."""
    run = server.begin("a", workflow_id="orders/4711")
    assert [row.status for row in reader(server).runs(None, NOW)] == ["running"]
    assert [row.run_id for row in reader(server).runs_by_id([run.run_id], NOW)] == [run.run_id]


def test_the_audit_has_who_acted_on_runs_and_schedules(server: FakeTemporal) -> None:
    """Pauses, cancels, ends and signals with identity and reason; patches of schedules from their keepers."""
    run = server.begin("a")
    run.tell("WORKFLOW_EXECUTION_PAUSED", AT, identity="ana", reason="H-1")
    run.tell("WORKFLOW_EXECUTION_SIGNALED", AT, identity="shop", signalName="approve")
    run.tell("WORKFLOW_EXECUTION_CANCEL_REQUESTED", AT, identity="ana", cause="enough")
    run.tell(
        "WORKFLOW_TASK_FAILED",
        AT,
        identity="bob",
        cause="WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW",
    )
    run.tell(
        "WORKFLOW_TASK_FAILED", AT, identity="worker", cause="WORKFLOW_TASK_FAILED_CAUSE_PANIC"
    )
    server.add_schedule("nightly", "a")
    server.now = AT + timedelta(minutes=1)
    server.patch("nightly", {"pause": "H-1 by ana: " + "wrong " * 60}, who="ana")
    server.patch("nightly", {"triggerImmediately": {}}, who="bob")
    rows = reader(server).audit(None, NOW)
    assert [(row.action, row.actor) for row in rows if row.target_kind == "run"] == [
        ("run.pause", "ana"), ("run.signal", "shop"), ("run.cancel", "ana"), ("run.reset", "bob"),
    ]  # fmt: skip
    assert {row.correlation_id for row in rows if row.target_kind == "run"} == {run.run_id}
    switched = [(row.action, row.actor) for row in rows if row.target_kind == "schedule"]
    assert switched == [
        ("schedule.create", "deployer"), ("schedule.pause", "ana"), ("schedule.trigger", "bob"),
    ]  # fmt: skip
    assert next(row.reason for row in rows if row.action == "schedule.pause").startswith(
        "H-1 by ana"
    )
    later = reader(server).audit(AT + timedelta(seconds=30), NOW)
    assert [row.action for row in later] == ["schedule.pause", "schedule.trigger"]


def test_reading_again_asks_again(server: FakeTemporal) -> None:
    """What was kept of a run is dropped when the run is read anew."""
    run = server.begin("a")
    one = reader(server)
    one.runs(None, NOW)
    run.end("COMPLETED", AT + timedelta(seconds=1))
    assert [row.status for row in one.runs_by_id([run.run_id], NOW)] == ["succeeded"]
    assert one.states([run.run_id])[-1].status == "succeeded"


def test_what_a_list_says_late_is_asked_again(server: FakeTemporal) -> None:
    """A run that the list still calls running is read as it is now."""
    run = server.begin("a")
    server.freeze_lists()
    run.end("COMPLETED", AT + timedelta(seconds=1))
    (row,) = reader(server).runs(None, NOW)
    assert (row.status, row.finished_at) == ("succeeded", AT + timedelta(seconds=1))


def test_the_probe_says_what_makes_answers_doubtful(server: FakeTemporal) -> None:
    """An untried version, pausing that is off, and a schedule that is due and started nothing are findings."""
    assert reader(server).probe().findings == ()
    server.version, server.can_pause = "2.0.1", False
    server.add_schedule("nightly", "a", ticks=[AT])
    server.add_schedule("off", "a", ticks=[AT], paused=True)
    said = reader(server).probe().findings
    assert len(said) == 3
    assert "2.0.1 was never tried" in said[0]
    assert "frontend.WorkflowPauseEnabled" in said[1]
    assert "nightly was due at 2026-11-27T09:00:00" in said[2]


@pytest.mark.parametrize("answer", [[], "1.32.0", {"version": 1}, {"serverVersion": 1}])
def test_a_server_of_another_kind_is_found_out(server: FakeTemporal, answer: object) -> None:
    """JSON that is not Temporal's is refused before anything is read from it."""
    server.overrides["/api/v1/system-info"] = lambda _: httpx.Response(
        200, headers=JSON, json=answer
    )
    with pytest.raises(EngineError, match="does not answer like a Temporal server"):
        reader(server).probe()


@pytest.mark.parametrize(
    "row",
    [
        {"execution": {"workflowId": "a"}, "startTime": "2026-11-27T09:00:00Z"},
        {"execution": {"workflowId": "a", "runId": "b"}, "closeTime": "2026-11-27T09:00:00Z"},
        {"execution": {"workflowId": "a", "runId": "b"}, "startTime": "soon"},
        "a",
    ],
)
def test_a_row_that_breaks_the_engines_promise_stops_the_reading(
    server: FakeTemporal, row: object
) -> None:
    """A run without id, begin or a true instant is an engine error, not a guess."""
    server.overrides["/workflows"] = lambda _: httpx.Response(
        200, headers=JSON, json={"executions": [row]}
    )
    with pytest.raises(EngineError):
        reader(server).runs(None, NOW)


def test_small_words() -> None:
    """Times of the year 1 are none, foreign payloads are not looked into, failures end, quotes are escaped."""
    assert instant_of("0001-01-01T00:00:00Z") is None
    assert instant_of("2026-11-27T09:00:00.123456789Z") == AT + timedelta(microseconds=123456)
    assert decoded(encoded({"a": [1]})) == {"a": [1]}
    for payload in (None, {}, {"metadata": {"encoding": "eA=="}, "data": "!"}, {"metadata": 1}):
        assert decoded(payload) is None
    endless: dict[str, object] = {"message": "m"}
    endless["cause"] = endless
    assert failure_text(endless) == ": ".join("m" * 8)
    assert quoted("it's\\") == "'it\\'s\\\\'"

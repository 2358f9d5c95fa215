"""Reading Prefect: every run once, plans left out, states never flattered, and an audit of what people did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.engines.fake_prefect import FLOW_ID, FakePrefect, event, flow_run, task_run
from workbench.engines.binding import RegistryBinding
from workbench.engines.prefect import PrefectReader
from workbench.engines.prefect_api import PAGE
from workbench.engines.prefect_words import status_of
from workbench.errors import EngineError
from workbench.records import Automation, RunStatus

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
TRIAGE = Automation(
    "invoice-triage", "agent", "commerce", "production", "agent-owner", provider="acme-llm"
)


@pytest.fixture
def server() -> FakePrefect:
    """Return an empty server that knows one flow."""
    return FakePrefect()


def reader(server: FakePrefect, *automations: Automation) -> PrefectReader:
    """Return a reader bound to a registry of one automation, or of those given."""
    return PrefectReader(server.client(), RegistryBinding(automations or (TRIAGE,), "prefect"))


@pytest.mark.parametrize(
    ("state_type", "state_name", "status"),
    [
        ("SCHEDULED", "Scheduled", "scheduled"),
        ("SCHEDULED", "Late", "queued"),
        ("SCHEDULED", "AwaitingRetry", "retrying"),
        ("PENDING", "Pending", "queued"),
        ("PENDING", "Submitting", "starting"),
        ("RUNNING", "Running", "running"),
        ("RUNNING", "Retrying", "running"),
        ("PAUSED", "Paused", "held"),
        ("PAUSED", "Suspended", "held"),
        ("CANCELLING", "Cancelling", "running"),
        ("COMPLETED", "Completed", "succeeded"),
        ("COMPLETED", "Cached", "succeeded"),
        ("COMPLETED", "RolledBack", "failed"),
        ("COMPLETED", "Skipped", "skipped"),
        ("FAILED", "TimedOut", "failed"),
        ("CRASHED", "Crashed", "crashed"),
        ("CANCELLED", "Cancelled", "cancelled"),
        ("FINISHED", "Completed", "unknown"),
        (None, None, "unknown"),
    ],
)
def test_a_state_becomes_our_word(state_type: str, state_name: str, status: str) -> None:
    """Each state that Prefect was seen to give has a word; a new one is unknown, never success."""
    assert status_of(state_type, state_name) == status
    assert status in set(RunStatus)


def test_a_run_is_read_with_the_registrys_words(server: FakePrefect) -> None:
    """Kind, category, environment and provider come from the registry, the rest from the engine."""
    server.runs = [
        flow_run("r1", state_type="FAILED", message="HTTP 503 from acme-llm", run_count=2)
    ]
    (row,) = reader(server).runs(None, NOW)
    assert (row.automation_id, row.kind, row.category, row.environment, row.provider) == (
        "invoice-triage", "agent", "commerce", "production", "acme-llm",
    )  # fmt: skip
    assert (row.status, row.raw_status, row.error_message) == (
        "failed",
        "Failed",
        "HTTP 503 from acme-llm",
    )
    assert (row.trigger, row.attempt_count, row.engine) == ("manual", 2, "prefect")
    assert row.first_seen_at == datetime(2026, 11, 20, 9, 0, 0, 1, tzinfo=UTC)
    assert row.finished_at == datetime(2026, 11, 20, 9, 0, 5, tzinfo=UTC)


def test_planned_starts_are_no_history(server: FakePrefect) -> None:
    """Prefect writes starts ahead and deletes them on a pause: only what is due counts, hand-made ones always."""
    later, earlier = "2026-11-20T10:00:00Z", "2026-11-20T09:10:00Z"
    planned = {"state_type": "SCHEDULED", "start_time": None, "end_time": None}
    server.runs = [
        flow_run("plan", auto_scheduled=True, expected_start_time=later, **planned),
        flow_run(
            "late", auto_scheduled=True, expected_start_time=earlier, state_name="Late", **planned
        ),
        flow_run("hand", expected_start_time=later, **planned),
    ]
    found = {row.run_id: (row.status, row.trigger) for row in reader(server).runs(None, NOW)}
    assert found == {"late": ("queued", "schedule"), "hand": ("scheduled", "manual")}


def test_three_questions_find_what_changed(server: FakePrefect) -> None:
    """Begun since, ended since, or not over: each such run comes once; an old finished one does not."""
    since = datetime(2026, 11, 20, 9, 20, tzinfo=UTC)
    server.runs = [
        flow_run("old"),
        flow_run(
            "begun", expected_start_time="2026-11-20T09:21:00Z", end_time="2026-11-20T09:22:00Z"
        ),
        flow_run("ended", end_time="2026-11-20T09:25:00Z"),
        flow_run("open", state_type="RUNNING", end_time=None),
    ]
    assert [row.run_id for row in reader(server).runs(since, NOW)] == ["begun", "ended", "open"]


def test_all_pages_are_read(server: FakePrefect) -> None:
    """More runs than one page holds come in as many questions as it takes."""
    server.runs = [flow_run(f"r{number:04}") for number in range(2 * PAGE + 1)]
    assert len(reader(server).runs(None, NOW)) == 2 * PAGE + 1
    offsets = [body["offset"] for path, body in server.asked if path == "/flow_runs/filter"]
    assert offsets == [0, PAGE, 2 * PAGE]


def test_a_row_that_stands_on_two_pages_is_one_run(server: FakePrefect) -> None:
    """When the list moves while it is read, a row that comes twice counts once."""
    server.runs = [flow_run(f"r{number:04}") for number in range(PAGE)] + [
        flow_run("r0000"),
        flow_run("r0999"),
    ]
    assert len(reader(server).runs(None, NOW)) == PAGE + 1


def test_a_page_that_comes_for_ever_is_found_out(server: FakePrefect) -> None:
    """A server that ignores the offset does not hang the reading."""
    import httpx

    page = [flow_run(f"r{number:04}") for number in range(PAGE)]
    server.overrides["/flow_runs/filter"] = lambda _: httpx.Response(200, json=page)
    with pytest.raises(
        EngineError, match=r"prefect\.example:4200 repeats a page of /flow_runs/filter"
    ):
        reader(server).runs(None, NOW)


def test_deployments_bind_by_name_and_tag(server: FakePrefect) -> None:
    """A deployment's name, `flow/deployment`, or the tag `automation:<id>` leads to the automation."""
    server.deployments = [
        {"id": "d1", "flow_id": FLOW_ID, "name": "nightly", "tags": [], "paused": True},
        {
            "id": "d2",
            "flow_id": FLOW_ID,
            "name": "other",
            "tags": ["automation:stock-watch"],
            "paused": False,
        },
    ]
    server.flows = [{"id": FLOW_ID, "name": "shared-flow"}]
    server.runs = [
        flow_run("by-ref", deployment_id="d1"),
        flow_run("by-tag", deployment_id="d2"),
        flow_run("by-run-tag", tags=["automation:invoice-triage"]),
        flow_run("unbound"),
    ]
    watch = Automation("stock-watch", "watcher", "commerce", "production", "ops-lead")
    seo = Automation(
        "seo", "workflow", "content", "production", "ops-lead", engine_ref="shared-flow/nightly"
    )
    one = reader(server, TRIAGE, watch, seo)
    found = {row.run_id: (row.automation_id, row.kind) for row in one.runs(None, NOW)}
    assert found == {
        "by-ref": ("seo", "workflow"),
        "by-tag": ("stock-watch", "watcher"),
        "by-run-tag": ("invoice-triage", "agent"),
        "unbound": ("shared-flow", "unknown"),
    }
    assert one.unbound == {"shared-flow"}
    (target,) = one.targets()
    assert set(target.names) == {
        "shared-flow",
        "shared-flow/nightly",
        "nightly",
        "shared-flow/other",
        "other",
    }
    assert target.is_paused is False


def test_steps_keep_a_stable_name(server: FakePrefect) -> None:
    """A task has the same step id in every run; its second call in a run is `write#2`."""
    server.runs = [flow_run("r1")]
    server.tasks = [
        task_run("t2", "r1", expected_start_time="2026-11-20T09:00:03Z", state_type="FAILED", run_count=3,
                 state={"message": "HTTP 503"}),
        task_run("t1", "r1"),
        task_run("t3", "r1", task_key="classify-step-0011aabb"),
    ]  # fmt: skip
    one = reader(server)
    one.runs(None, NOW)
    steps = {row.step_id: (row.attempt, row.status, row.error_message) for row in one.steps(["r1"])}
    assert steps == {
        "write": (1, "succeeded", None),
        "write#2": (3, "failed", "HTTP 503"),
        "classify-step": (1, "succeeded", None),
    }


def test_the_audit_has_acts_not_ordinary_life(server: FakePrefect) -> None:
    """Pool and queue events and suspensions are acts; a run that starts and ends is history, not audit."""
    server.events = [
        event("e1", "prefect.work-pool.paused"),
        event("e2", "prefect.flow-run.Running"),
        event("e3", "prefect.flow-run.heartbeat"),
        event("e4", "prefect.flow-run.Suspended"),
        event("e5", "prefect.deployment.updated"),
    ]
    server.event_page_size = 2
    rows = {row.event_id: row for row in reader(server).audit(None, NOW)}
    assert {event_id: row.action for event_id, row in rows.items()} == {
        "e1": "work_pool.paused",
        "e4": "flow_run.suspended",
        "e5": "deployment.updated",
    }
    assert rows["e1"].actor is None
    assert (rows["e1"].target_kind, rows["e1"].target_id) == ("work_pool", "main")


def test_the_next_page_is_asked_of_the_same_server(server: FakePrefect) -> None:
    """The link in an answer may name any address; only its token is used."""
    server.events = [event(f"e{number}", "prefect.work-pool.paused") for number in range(5)]
    server.event_page_size = 2
    assert len(reader(server).audit(NOW - timedelta(days=1), NOW)) == 5
    assert [path for path, _ in server.asked] == ["/events/filter", *["/events/filter/next"] * 2]


def test_an_end_never_lies_before_its_start(server: FakePrefect) -> None:
    """Server and worker clocks differ by milliseconds; that is no reason to reject the run."""
    server.runs = [
        flow_run("r1", start_time="2026-11-20T09:00:01.010000Z", end_time="2026-11-20T09:00:01Z")
    ]
    (row,) = reader(server).runs(None, NOW)
    assert row.finished_at == row.started_at


def test_a_server_of_another_kind_is_found_out(server: FakePrefect) -> None:
    """JSON that is not Prefect's is refused before anything is read from it."""
    import httpx

    server.overrides["/health"] = lambda _: httpx.Response(200, json={"status": "ok"})
    with pytest.raises(EngineError, match="does not answer like a Prefect server"):
        reader(server).probe()


def test_a_version_that_was_never_tried_is_said(server: FakePrefect) -> None:
    """A new major version is read, and the report says that it was never tried."""
    import httpx

    assert reader(server).probe().findings == ()
    server.overrides["/admin/version"] = lambda _: httpx.Response(200, json="4.0.1")
    assert reader(server).probe().findings == ("version 4.0.1 was never tried; 3.8 was",)


@pytest.mark.parametrize(
    "damage", [{"created": None}, {"created": "2026-11-20T09:00:00"}, {"start_time": "soon"}]
)
def test_a_run_with_a_broken_instant_stops_the_reading(
    server: FakePrefect, damage: dict[str, str | None]
) -> None:
    """An answer that breaks the engine's own promise is an engine error, not a guess."""
    server.runs = [flow_run("r1", **damage)]
    with pytest.raises(EngineError):
        reader(server).runs(None, NOW)

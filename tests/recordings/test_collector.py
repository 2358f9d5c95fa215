"""The recorder's collector writes what was known at an instant, and each row again only when it changed."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.record.place import Place, to_text
from tests.record.prefect_rows import error_of, status_of, step_rows
from tests.record.snapshot import Collector
from tests.record.world import World

Row = dict[str, Any]
NOW = datetime.now(UTC)


def text(seconds: float) -> str:
    """Return an instant so many seconds from now, as an engine writes it."""
    return to_text(NOW + timedelta(seconds=seconds))


class FakePrefect:
    """Answers as the engine does, from lists that a test changes."""

    def __init__(self) -> None:
        self.runs: dict[str, Row] = {}
        self.states: dict[str, list[Row]] = {}
        self.tasks: list[Row] = []

    def enter(self, run_id: str, kind: str, seconds: float, *, message: str = "") -> None:
        """Let a run enter a state."""
        states = self.states.setdefault(run_id, [])
        states.append(
            {"type": kind, "name": kind.title(), "timestamp": text(seconds), "message": message}
        )
        self.runs[run_id] = {
            "id": run_id,
            "flow_id": "f1",
            "name": f"invoice-triage-{run_id}",
            "created": text(-60),
            "updated": text(seconds),
            "auto_scheduled": False,
            "state_type": kind,
            "state_name": kind.title(),
            "expected_start_time": text(-60),
            "start_time": text(-50) if kind != "PENDING" else None,
            "end_time": text(seconds) if kind in ("COMPLETED", "FAILED") else None,
            "run_count": 1,
            "parameters": {},
            "tags": [],
        }

    def pages(self, path: str, body: Row) -> list[Row]:
        """Return the rows of a filter; every run asked for by id or by time."""
        if path == "/flows/filter":
            return [{"id": "f1", "name": "invoice-triage"}]
        if path == "/task_runs/filter":
            wanted = body["flow_runs"]["id"]["any_"]
            return [task for task in self.tasks if task["flow_run_id"] in wanted]
        ids = body["flow_runs"].get("id", {}).get("any_", list(self.runs))
        return [self.runs[run_id] for run_id in ids if run_id in self.runs]

    def call(self, method: str, path: str) -> list[Row]:
        """Return the states of one run."""
        return list(self.states[path.partition("=")[2]])


@pytest.fixture
def prefect() -> FakePrefect:
    """Return an engine with one run in flight."""
    engine = FakePrefect()
    engine.enter("r1", "PENDING", -55)
    engine.enter("r1", "RUNNING", -50)
    return engine


@pytest.fixture
def collector(tmp_path: Path, prefect: FakePrefect) -> Collector:
    """Return a collector over the engine and an empty world."""
    world = World(tmp_path / "world.sqlite")
    return Collector(Place(tmp_path), prefect, world=world, every_seconds=60)  # type: ignore[arg-type]  # a fake with the same calls


def batch(collector: Collector, name: str, table: str) -> list[Row]:
    """Return the rows of one table of a batch."""
    path = collector.place.batches / name / f"{table}.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_a_run_is_written_again_when_it_has_ended(
    collector: Collector, prefect: FakePrefect
) -> None:
    """In flight at the first instant, the run is running there, and succeeded in the next batch."""
    collector.take("01")
    prefect.enter("r1", "COMPLETED", -1)
    collector.take("02")
    collector.take("03")
    statuses = [[r["status"] for r in batch(collector, n, "run")] for n in ("01", "02", "03")]
    assert statuses == [["running"], ["succeeded"], []]


def test_each_state_is_written_once(collector: Collector, prefect: FakePrefect) -> None:
    """Facts that never change come in the batch in which they were first known."""
    collector.take("01")
    prefect.enter("r1", "COMPLETED", -1)
    collector.take("02")
    entered = [[r["status"] for r in batch(collector, n, "run_state")] for n in ("01", "02")]
    assert entered == [["starting", "running"], ["succeeded"]]


def test_a_run_that_the_engine_lost_is_marked(collector: Collector, prefect: FakePrefect) -> None:
    """A run that was open and is not found any more keeps its row, with the instant it was missed."""
    collector.take("01")
    prefect.runs.clear()
    collector.take("02")
    (row,) = batch(collector, "02", "run")
    assert (row["run_id"], row["status"]) == ("r1", "running")
    assert row["vanished_at"] is not None


def test_evidence_is_as_it_was_at_the_instant(collector: Collector) -> None:
    """A row revised after an instant keeps its first form in that batch and comes again in the next."""
    collector.world.add("alert", "AL-1", {"alert_id": "AL-1", "resolved_at": None})
    collector.take("01")
    collector.world.revise("alert", "AL-1", resolved_at=text(0))
    collector.take("02")
    seen = [[r["resolved_at"] for r in batch(collector, n, "alert")] for n in ("01", "02")]
    assert seen == [[None], [text(0)]]


def test_what_only_the_recorder_needs_stays_out(collector: Collector) -> None:
    """The columns with which the recorder carries out approvals are in no batch."""
    row = {"approval_id": "A-1", "decided_at": None, "apply": {}, "target": [], "is_applied": False}
    collector.world.add("approval", "A-1", row)
    collector.take("01")
    (approval,) = batch(collector, "01", "approval")
    assert approval == {
        "source_id": "acme-approvals",
        "approval_id": "A-1",
        "decided_at": None,
    }


def test_watermarks_say_how_far_the_engine_was_read(collector: Collector) -> None:
    """The engine is loaded until the poll began, not until the batch was written."""
    at = collector.take("01")
    marks = {
        r["table_name"]: r["loaded_until_at"] for r in batch(collector, "01", "source_watermark")
    }
    assert marks["run"] == marks["step"] == to_text(collector.read_until or NOW)
    assert marks["run"] <= marks["alert"] == at


def test_a_write_keeps_before_and_after(collector: Collector) -> None:
    """Two writes of one run to one record give two rows, the second beginning where the first ended."""
    world, run, target = collector.world, ("r1", "invoice-triage"), ("invoice", "INV-1")
    how = {"change": "update", "reversibility": "reversible", "customer_facing": False}
    for amount in ("10.00", "11.70"):
        world.write(run, target, alter=lambda _, amount=amount: {"amount": amount}, **how)
    rows = sorted(world.latest("affected_record").values(), key=lambda row: row["change_seq"])
    assert [(r["change_seq"], r["before"], r["after"]) for r in rows] == [
        (1, None, {"amount": "10.00"}),
        (2, {"amount": "10.00"}, {"amount": "11.70"}),
    ]
    assert world.read(*target) == {"amount": "11.70"}


def task(name: str, state: str, seconds: float, message: str | None = None) -> Row:
    """Return a task run as the engine tells it."""
    return {
        "name": f"{name}-a1b",
        "run_count": 1,
        "state_type": state,
        "state_name": state.title(),
        "state": {"message": message},
        "start_time": text(seconds),
        "created": text(seconds),
        "end_time": text(seconds + 1),
    }


def test_a_repeated_step_counts_its_attempts() -> None:
    """The second call of a step in a run is its second attempt, in the order of their starts."""
    tasks = [task("book", "COMPLETED", 5), task("read", "COMPLETED", 0), task("book", "FAILED", 2)]
    rows = step_rows("invoice-triage", "r1", tasks=tasks)
    assert [(r["step_id"], r["attempt"], r["status"]) for r in rows] == [
        ("read", 1, "succeeded"),
        ("book", 1, "failed"),
        ("book", 2, "succeeded"),
    ]


def test_a_step_stopped_by_the_gate_is_cancelled_not_failed() -> None:
    """A hold is no fault of the step that met it; the sentence stays."""
    message = "Task run encountered an exception Paused: invoice-triage is paused by H-1"
    (row,) = step_rows("invoice-triage", "r1", tasks=[task("book", "FAILED", 0, message)])
    assert (row["status"], row["error_message"]) == (
        "cancelled",
        "Paused: invoice-triage is paused by H-1",
    )


@pytest.mark.parametrize(
    ("kind", "name", "word"),
    [
        ("COMPLETED", "Completed", "succeeded"),
        ("SCHEDULED", "Late", "queued"),
        ("SCHEDULED", "AwaitingRetry", "retrying"),
        ("NEW_STATE", "New", "unknown"),
    ],
)
def test_states_get_our_words(kind: str, name: str, word: str) -> None:
    """A state that nobody has heard of is unknown, never a success."""
    assert status_of(kind, name) == word


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("Flow run encountered an exception: ShopFault: HTTP 502", "ShopFault: HTTP 502"),
        ("cancelled under H-2", "cancelled under H-2"),
        (None, None),
        ("", None),
    ],
)
def test_the_engine_s_preamble_is_taken_off(message: str | None, error: str | None) -> None:
    """What is left is the error the automation met."""
    assert error_of(message) == error

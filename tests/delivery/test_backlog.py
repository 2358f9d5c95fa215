"""What was forecast at a resume is compared with what then started, where the engine's history was loaded since."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.cli.ground import run
from tests.delivery.shell import a_fleet
from tests.queries.given import Given
from tests.review.world import at
from workbench.clock import SystemClock
from workbench.settings import Settings
from workbench.warehouse import Warehouse, Watermark

PAUSE = ("pause", "automation=orders", "-r", "x", "--yes")
RELEASE = ("resume", "H-1", "--full", "--break-glass", "x", "--yes")


def load(*spans: tuple[float, float], until: float) -> None:
    """Load runs of `orders` as (due, started) and a mark, each in seconds from the resume."""
    resumed = resumed_at()
    settings = Settings.from_environment()
    rows = [
        {
            "run_id": f"r{number}", "automation_id": "orders", "status": "succeeded",
            "first_seen_at": resumed + timedelta(seconds=due), "scheduled_at": resumed + timedelta(seconds=due),
            "started_at": resumed + timedelta(seconds=begun), "finished_at": resumed + timedelta(seconds=begun + 1),
            "updated_at": resumed + timedelta(seconds=begun + 1), "raw_status": "done",
        }
        for number, (due, begun) in enumerate(spans)
    ]  # fmt: skip
    end = resumed + timedelta(seconds=until)
    marks = [Watermark("main", "run", end, end)]
    Warehouse.open(settings.home, SystemClock()).put_rows(
        {"run": rows}, source_id="main", watermarks=marks
    )


def resumed_at():  # type: ignore[no-untyped-def]
    """Return when the engine was brought back."""
    from workbench.clock import from_text

    (told,) = run("engine", "backlog", "--json").document
    return from_text(told["resumed_at"])


@pytest.fixture
def brought_back(monkeypatch: pytest.MonkeyPatch) -> int:
    """Pause one workflow, let two starts fall due, release it; returns what was forecast."""
    engine = a_fleet(monkeypatch)
    assert run(*PAUSE).code == 0
    for _ in range(2):
        engine.tick()
    assert run(*RELEASE).code == 0
    (told,) = run("engine", "backlog", "--json").document
    return int(told["forecast_count"])


def test_a_forecast_that_came_true_is_said_so(brought_back: int) -> None:
    """As many runs that were due in the pause started after it as were forecast."""
    assert brought_back > 0
    load(*((-0.001, 1.0 + n) for n in range(brought_back)), until=600)
    found = run("engine", "backlog", "main")
    assert "as forecast" in found.out
    assert "orders" in found.out


def test_more_and_fewer_are_told_apart(brought_back: int) -> None:
    """One more than forecast is loud, and what was due later or started before does not count."""
    load(*((-0.001, 1.0 + n) for n in range(brought_back + 1)), (5.0, 6.0), until=600)
    assert "1 MORE than forecast" in run("engine", "backlog").out
    (told,) = run("engine", "backlog", "--json").document
    assert told["fired_count"] == brought_back + 1


def test_without_newer_history_nothing_is_claimed(brought_back: int) -> None:
    """What was loaded before the resume tells nothing of what came after it; the command that loads it is named."""
    assert "not loaded since: `workbench sync main`" in run("engine", "backlog").out
    load(until=-1)
    assert "not loaded since" in run("engine", "backlog").out


def test_nothing_brought_back_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store without a resume in an engine has no rows."""
    a_fleet(monkeypatch)
    assert "Nothing was brought back" in run("engine", "backlog").out
    assert run("engine", "backlog", "other", "--json").document == []


def test_only_what_was_due_in_the_pause_counts() -> None:
    """Due before the pause, due after the resume, started before it, or of another: none of these is its backlog."""
    given = Given().table(
        "run",
        """
        run_id | automation_id | status    | first_seen_at | scheduled_at | queued_at | started_at
        yes    | triage        | succeeded | 10:10         | 10:10        | -         | 10:31
        queued | triage        | succeeded | 10:10         | -            | 10:12     | 10:32
        before | triage        | succeeded | 09:00         | 09:00        | -         | 10:31
        later  | triage        | succeeded | 10:31         | 10:31        | -         | 10:31
        leak   | triage        | succeeded | 10:10         | 10:10        | -         | 10:11
        hand   | triage        | succeeded | 10:33         | -            | -         | 10:33
        late   | triage        | succeeded | 10:10         | 10:10        | -         | 12:00
        other  | mailer        | succeeded | 10:10         | 10:10        | -         | 10:31
        """,
    )
    found = given.ask(
        "engine.fired_backlog",
        automation_ids=["triage"],
        paused_at=at("10:00"),
        resumed_at=at("10:30"),
        until=at("11:30"),
    )
    assert list(found["fired_count"]) == [2]
    assert list(found["last_started_at"]) == [at("10:32")]

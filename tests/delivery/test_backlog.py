"""What was forecast at a resume is compared with what then started, where the engine's history was loaded since."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.cli.ground import run
from tests.delivery.shell import a_fleet
from tests.queries.given import Given
from tests.review.world import at
from workbench.clock import SystemClock
from workbench.delivery.backlog import forecasts
from workbench.records import Event
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
    load(*((-0.001, 1.0 + n) for n in range(brought_back)), until=4000)
    found = run("engine", "backlog", "main")
    assert "as forecast" in found.out
    assert "orders" in found.out


def test_more_and_fewer_are_told_apart(brought_back: int) -> None:
    """One more than forecast is loud, and what was due later or started before does not count."""
    load(*((-0.001, 1.0 + n) for n in range(brought_back + 1)), (5.0, 6.0), until=4000)
    assert "1 MORE than forecast" in run("engine", "backlog").out
    (told,) = run("engine", "backlog", "--json").document
    assert told["fired_count"] == brought_back + 1


def test_without_newer_history_nothing_is_claimed(brought_back: int) -> None:
    """What was loaded before the resume tells nothing of what came after it; the command that loads it is named."""
    assert "not loaded since: `workbench sync main`" in run("engine", "backlog").out
    load(until=-1)
    assert "not loaded since" in run("engine", "backlog").out


def test_nothing_brought_back_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store without a resume in an engine has no rows; of an engine that nobody named nothing is said."""
    a_fleet(monkeypatch)
    assert "Nothing was brought back" in run("engine", "backlog").out
    assert run("engine", "backlog", "main", "--json").document == []
    assert run("engine", "backlog", "other", "--json").code == 4


def test_history_that_ends_early_claims_no_shortfall(brought_back: int) -> None:
    """Loaded a second after the resume, fewer starts are only fewer so far; once it is over they are fewer."""
    load(until=1)
    assert (
        f"{brought_back} fewer than forecast so far: loaded until" in run("engine", "backlog").out
    )
    load(until=4000)
    assert f"{brought_back} fewer than forecast\n" in run("engine", "backlog").out.replace(
        "  \n", "\n"
    )


def an_event(seq: int, action: str, target: str, second: int, **payload: object) -> Event:
    """Return an event as delivery records it."""
    at_ = at(f"10:00:{second:02d}")
    return Event(
        seq, "st-1", at_, "system", action, target, "success", "", "H-1", payload, "", "", ""
    )


def told(*events: Event) -> list[tuple[str, int | None, tuple[str, ...]]]:
    """Return (name, count, automations) of each forecast."""
    return [(one.name, one.count, one.automation_ids) for one in forecasts(events)]


def test_of_several_tries_the_last_counts_and_the_first_opening_stands() -> None:
    """A resume that is tried again is one row; what a second hold opened again is the same receipt."""
    opened = {"engine": "main", "name": "orders", "automation_ids": ["orders"]}
    tried = {"mode": "resume", "forecast": [{"target_id": "t", "count": 3, "sentence": "3"}]}
    again = {"mode": "resume", "forecast": [{"target_id": "t", "count": 2, "sentence": "2"}]}
    events = [
        an_event(1, "receipt.open", "t", 1, **opened),
        an_event(2, "receipt.open", "t", 5, **{**opened, "automation_ids": ["invoices"]}),
        an_event(3, "delivery.begin", "main", 10, **tried),
        an_event(4, "delivery.begin", "main", 12, **again),
        an_event(5, "receipt.close", "t", 13, engine="main"),
    ]
    assert told(*events) == [("orders", 2, ("invoices", "orders"))]
    assert forecasts(events)[0].paused_at == at("10:00:01")
    assert told(*events, *(replace_seq(e, 10) for e in events)) == 2 * [
        ("orders", 2, ("invoices", "orders"))
    ]


def replace_seq(event: Event, more: int) -> Event:
    """Return an event later in the log."""
    return replace(event, seq=event.seq + more)


def test_targets_of_one_automation_are_one_row() -> None:
    """Two deployments of an automation are brought back together: their runs cannot be told apart."""
    opened = {"engine": "main", "automation_ids": ["orders"]}
    rows = [{"target_id": name, "count": 2, "sentence": "2"} for name in ("a", "b")]
    events = [
        an_event(1, "receipt.open", "a", 1, name="day", **opened),
        an_event(2, "receipt.open", "b", 1, name="night", **opened),
        an_event(3, "delivery.begin", "main", 10, mode="resume", forecast=rows),
    ]
    assert told(*events) == [("day, night", 4, ("orders",))]


def test_starts_of_what_was_due_and_what_went_on_are_counted_apart() -> None:
    """Due after the resume, started before it, of another source or automation, first seen long ago: none of these."""
    given = Given().table(
        "run",
        """
        source_id | run_id | automation_id | status    | first_seen_at | scheduled_at | queued_at | started_at | finished_at
        main      | yes    | triage        | succeeded | 10:10         | 10:10        | -         | 10:31      | 10:32
        main      | queued | triage        | succeeded | 10:10         | -            | 10:12     | 10:32      | -
        main      | before | triage        | succeeded | 09:00         | 09:00        | -         | 10:31      | 10:33
        main      | later  | triage        | succeeded | 10:31         | 10:31        | -         | 10:31      | 10:33
        main      | leak   | triage        | succeeded | 10:10         | 10:10        | -         | 10:11      | 10:12
        main      | hand   | triage        | succeeded | 10:33         | -            | -         | 10:33      | -
        main      | late   | triage        | succeeded | 10:10         | 10:10        | -         | 12:00      | -
        main      | other  | mailer        | succeeded | 10:10         | 10:10        | -         | 10:31      | -
        main      | frozen | triage        | succeeded | 09:50         | 09:50        | -         | 09:50      | 10:40
        main      | lost   | triage        | running   | 07:50         | 07:50        | -         | 07:50      | -
        file      | yes    | triage        | succeeded | 10:10         | 10:10        | -         | 10:31      | -
        """,
    )
    found = given.ask(
        "engine.fired_backlog",
        source_id="main",
        automation_ids=["triage"],
        since=at("08:00"),
        paused_at=at("10:00"),
        resumed_at=at("10:30"),
        until=at("11:30"),
    )
    assert list(found["fired_count"]) == [3]
    assert list(found["went_on_count"]) == [1]

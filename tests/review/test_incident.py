"""The post-incident review: milestones, phases, timeline, impact, safeguards and what follows from them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from tests.review.world import (
    AS_OF,
    Tables,
    at,
    calm_tables,
    ground,
    request,
    rows,
    runs_of,
    story,
    with_probation,
    with_rows,
)
from workbench.review.actions import action_table, due_on
from workbench.review.ground import shaped
from workbench.review.impact import impact_section
from workbench.review.incident import IncidentReview, assess_incident
from workbench.review.milestones import milestones, phase_table
from workbench.review.mitigation import changes_in_scope, unreverted_suspects
from workbench.review.safeguards import safeguards
from workbench.review.switch import switch_section
from workbench.review.timeline import timeline

SECOND = {"hold_id": "H-2", "paused_at": at("10:46")}


def relapsed_tables() -> Tables:
    """Return an incident with everything in it: a leak, a release too early, a relapse, a second pause, a narrow restart."""
    tables = calm_tables()
    tables["review.holds"] = shaped(
        "review.holds",
        rows(
            """
            hold_id | scope      | purpose  | mode   | reason | incident_id | placed_at | placed_by | released_at | released_by
            H-1     | kind=agent | incident | freeze | wrong  | I-1         | 10:30     | ops-lead  | 10:40       | ops-lead
            H-2     | kind=agent | incident | freeze | back   | I-1         | 10:46     | ops-lead  | -           | -
            """
        ),
    )
    tables["review.hold_targets"] = shaped(
        "review.hold_targets",
        rows(
            """
            hold_id | automation_id | recorded_at | delivered_at | confirmed_at | quiet_at
            H-1     | triage        | 10:30       | 10:30:00.2   | 10:30:01     | 10:30:20
            H-2     | triage        | 10:46       | 10:46:00.1   | 10:46:01     | 10:46:01
            """
        ),
    )
    runs = [
        ("10:30:40", "succeeded", "leak"),
        ("10:42", "failed", "back"),
        ("10:53", "succeeded", "n1"),
    ]
    tables = with_rows(tables, "review.runs", runs_of("triage", runs))
    write = {
        "source_id": "ledger", "run_id": "leak", "record_type": "invoice", "record_id": "X-9", "change_seq": 1,
        "automation_id": "triage", "changed_at": at("10:30:45"), "change": "update", "reversibility": "reversible",
        "customer_facing": False,
    }  # fmt: skip
    tables = with_rows(tables, "review.affected_records", pd.DataFrame([write]))
    tables = with_rows(tables, "review.failed_steps", _failed_step("back", "10:42:05"))
    return _narrow_restart_of_second(tables)


def _failed_step(run_id: str, when: str) -> pd.DataFrame:
    row = {"source_id": "engine", "run_id": run_id, "step_id": "ask", "attempt": 1, "automation_id": "triage",
           "failed_at": at(when), "error_signature": "HTTP 500", "run_status": "failed"}  # fmt: skip
    return pd.DataFrame([row])


def _narrow_restart_of_second(tables: Tables) -> Tables:
    found = with_probation(tables)
    found["store.probation"]["hold_id"] = "H-2"
    return found


def _review(tables: Tables | None = None, **more: Any) -> IncidentReview:
    return assess_incident(request(**{**SECOND, **more}), tables or relapsed_tables())


def test_the_milestones_in_their_order() -> None:
    """From onset to narrow restart every turning point is found, in the order in which it came."""
    names = list(milestones(ground(relapsed_tables(), **SECOND)))
    assert names == [
        "onset", "first signal", "first alert", "acknowledged", "pause command", "pause effective", "last leak",
        "premature restart", "provider recovered", "relapse", "alert green", "second pause", "second pause effective",
        "last record verified", "narrow restart",
    ]  # fmt: skip


def test_phases_are_durations_between_milestones() -> None:
    """Each phase has both ends and its length; one that would run backwards is left out."""
    phases = phase_table(milestones(ground(relapsed_tables(), **SECOND))).set_index("phase")[
        "duration_seconds"
    ]
    assert phases["onset to pause command"] == 1800
    assert phases["command to effect"] == pytest.approx(0.2)
    assert phases["command to last leak"] == 45
    assert phases["restart to relapse"] == 120
    assert phases["relapse to second pause"] == 240
    assert "green alert to restart" not in phases
    assert (phases >= 0).all()


def test_the_timeline_merges_all_sources_in_order() -> None:
    """Every row says its source, rows come in time order, and nothing lies outside of the window."""
    found = timeline(ground(relapsed_tables(), **SECOND))
    assert found["occurred_at"].is_monotonic_increasing
    assert {"our store", "alerts", "provider", "changes", "steps", "runs", "records"} <= set(
        found["source"]
    )
    assert found["occurred_at"].min() == at("09:50")
    assert found["occurred_at"].max() < AS_OF
    assert set(found["weight"]) == {"main", "other"}


def test_the_switch_is_told_hold_by_hold() -> None:
    """The first hold leaked a start and a write, the second held; each with its latency."""
    section = switch_section(ground(relapsed_tables(), **SECOND))
    table = section.tables["Each hold at each automation"].set_index("hold_id")
    assert list(table["leaked_start_count"]) == [1, 0]
    assert list(table["leaked_write_count"]) == [1, 0]
    assert table.loc["H-1", "last_write_after_seconds"] == 45
    assert section.sentence.startswith(
        "H-1 leaked: 1 run and 1 write past it, the last 45 s after the command"
    )
    assert section.sentence.endswith("H-2 held; 1 run let through by P-1.")
    assert set(section.figures["switch_steps"]["step"]) == {
        "recorded",
        "delivered",
        "confirmed",
        "quiet",
        "last write",
    }


def test_cost_is_compared_with_the_baseline() -> None:
    """What the incident cost beyond the usual cost of as many runs is the excess."""
    tables = calm_tables()
    tables["review.runs"]["cost_amount"] = [0.01] * 120 + [0.05] * 15
    tables["review.runs"]["cost_currency"] = "USD"
    found = impact_section(ground(tables))
    row = found.tables["Runs, cost and tokens against the baseline"].iloc[0]
    assert row["cost_by_currency"] == "0.75 USD"
    assert row["expected_cost_by_currency"] == "0.15 USD"
    assert row["excess_cost_by_currency"] == "0.60 USD"
    assert (row["run_count"], row["failed_run_count"], row["late_run_count"]) == (15, 15, 0)
    assert "Cost 0.75 USD, 0.60 USD more than usual" in found.sentence


def test_runs_on_stale_facts_are_named() -> None:
    """A run that acted on older facts than any baseline run of its automation is listed."""
    tables = calm_tables()
    runs = tables["review.runs"]
    runs["context_as_of"] = runs["started_at"] - timedelta(seconds=30)
    runs.loc[runs["run_id"] == "f3", "context_as_of"] = at("09:00")
    found = impact_section(ground(tables)).tables[
        "Runs that acted on older facts than any baseline run"
    ]
    assert list(found["run_id"]) == ["f3"]


def test_late_runs_are_counted() -> None:
    """A run that started more than a minute after its time was late."""
    tables = calm_tables()
    late = tables["review.runs"]["run_id"].isin(["f1", "f2"])
    tables["review.runs"].loc[late, "scheduled_at"] -= timedelta(seconds=61)
    row = (
        impact_section(ground(tables)).tables["Runs, cost and tokens against the baseline"].iloc[0]
    )
    assert row["late_run_count"] == 2


def test_changes_are_ranked_by_their_lead() -> None:
    """The nearest change before the onset comes first; one to something else is shown as that."""
    text = "change_id | changed_at | kind | target | summary\nCH-0 | 09:55 | deploy | automation=other | elsewhere"
    tables = with_rows(calm_tables(), "review.changes", rows(text))
    section = _review(tables, hold_id="H-1", paused_at=at("10:30")).sections["changes"]
    table = section.tables["Changes in the day before the onset, the nearest first"]
    assert list(table["summary"]) == ["elsewhere", "tokens up"]
    assert list(table["touches_scope"]) == [False, True]
    assert list(section.figures["change_leads"]["lead_minutes"]) == [5.0, 10.0]


@pytest.mark.parametrize(
    ("target", "touched"),
    [
        ("automation=triage", True), ("kind=agent,provider=acme", True), ("*", True), ("triage", True), ("acme", True),
        ("ledger", True), ("commerce", True), ("automation=other", False), ("kind=workflow", False), ("stripe", False),
        ("nonsense=", False), (None, False),
    ],
)  # fmt: skip
def test_what_a_change_touches(target: str | None, touched: bool) -> None:
    """A change is in scope by selector, id, provider, tool or category; a target nobody understands is not."""
    tables = calm_tables()
    tables["review.changes"] = tables["review.changes"].iloc[:1].assign(target=target)
    assert list(changes_in_scope(ground(tables))["touches_scope"]) == [touched]


def test_a_suspect_that_was_taken_back_is_closed() -> None:
    """A change before the onset stays open until the same target was changed again."""
    tables = calm_tables()
    assert unreverted_suspects(ground(tables)).empty
    tables["review.changes"] = tables["review.changes"].iloc[:1]
    assert list(unreverted_suspects(ground(tables))["change_id"]) == ["CH-1"]


def test_safeguards_say_how_they_did() -> None:
    """Each safeguard worked, did not, or there is no evidence; the number stands beside it."""
    found = {s.name: s.state for s in safeguards(ground(relapsed_tables(), **SECOND))}
    assert found == {
        "An alert fires": "worked",
        "A person takes the alert": "worked",
        "The pause stops the work": "did not work",
        "The gate refuses what starts anyway": "no evidence",
        "A retry helps": "no evidence",
        "What needs approval waits for it": "no evidence",
        "Everything done is audited": "worked",
        "A restart needs a decision": "did not work",
        "The pause is rehearsed": "worked",
    }


def test_a_release_on_a_decision_worked() -> None:
    """A hold released after a decision to restart in full is no fault of the safeguard."""
    tables = relapsed_tables()
    tables["review.decisions"] = shaped(
        "review.decisions",
        rows(
            "decision_id | hold_id | decision | verdict | decided_at\nD-1 | H-1 | restart_full | restart_full | 10:39"
        ),
    )
    found = {s.name: s.state for s in safeguards(ground(tables, **SECOND))}
    assert found["A restart needs a decision"] == "worked"


def test_action_items_follow_from_the_findings() -> None:
    """Every fault found has an item with type, owner, due date, query and whether it blocks; a calm world has few."""
    tables = with_rows(
        relapsed_tables(),
        "review.audit_events",
        story("f1", "10:02", "proposal.created", "invoice/INV-7"),
    )
    tables["review.alerts"]["acknowledged_at"] = pd.NaT
    tables["review.registered_automations"]["last_drill_at"] = pd.NaT
    found = action_table(ground(tables, **SECOND))
    assert list(found["action_item_id"]) == [f"AI-{n}" for n in range(1, len(found) + 1)]
    assert list(found["restart_blocking"]) == sorted(found["restart_blocking"], reverse=True)
    said = " / ".join(found["what"])
    for words in (
        "ask the gate before each write: 1 write came past H-1",
        "ask the gate before it starts: 1 run began past H-1",
        "Verify 1 record of triage",
        "1 broken story",
        "H-1 was released without one",
        "1 alert never acknowledged",
        "Rehearse the pause in staging for triage",
        "when acme is in trouble",
    ):
        assert words in said
    assert set(found["type"]) == {"prevent", "detect", "mitigate", "clean-up", "runbook"}
    assert found["owner"].isin(["desk", "ops-lead"]).all()
    assert found["verification_query"].str.startswith("review.").all()


def test_due_dates_skip_the_weekend() -> None:
    """What blocks a restart is due the next day, the rest within five working days."""
    friday = at("00:00").date()
    assert due_on(friday, True) == "2026-11-21"
    assert due_on(friday, False) == "2026-11-27"


def test_the_whole_review_has_every_section() -> None:
    """Summary, verdict and twelve sections, each with a sentence; the summary has the numbers."""
    found = _review()
    assert list(found.sections) == [
        "phases", "timeline", "impact", "why", "failed_steps", "switch", "affected_records", "changes", "provider_status",
        "safeguards", "trust", "action_items",
    ]  # fmt: skip
    assert all(section.sentence.endswith(".") for section in found.sections.values())
    assert "paused after 30 min" in found.summary
    assert "restarted too early and back 2 min later" in found.summary


def test_an_incident_of_which_nothing_is_known_is_still_reviewed() -> None:
    """With a hold alone, the review says what is missing and does not break."""
    empty = {name: frame.iloc[:0] for name, frame in calm_tables().items()}
    empty["review.holds"] = calm_tables()["review.holds"]
    found = assess_incident(request(onset_at=at("10:30")), empty)
    assert "no run" not in found.summary
    assert found.sections["action_items"].sentence


def test_facts_that_read_as_old_as_usual_are_not_stale() -> None:
    """A few milliseconds over the oldest of the baseline show as the same age, and are not called stale."""
    spans = [
        ("09:00:04", "succeeded", "u"),
        ("10:01:04", "succeeded", "v"),
        ("10:02:05", "succeeded", "w"),
    ]
    made = runs_of("triage", spans)
    made["context_as_of"] = [at("09:00:00"), at("10:00:59.99"), at("10:02:00")]
    tables = calm_tables()
    tables["review.runs"] = shaped("review.runs", made)
    found = impact_section(ground(tables)).tables
    stale = found["Runs that acted on older facts than any baseline run"]
    assert list(stale["run_id"]) == ["w"]

"""The monthly review of made months: each measure on rows whose answer is known, and what cannot be told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from tests.queries.given import with_month_rows
from tests.review.world import (
    AS_OF,
    Tables,
    at,
    calm_tables,
    every,
    rows,
    runs_of,
    watermarks,
    with_rows,
)
from workbench.queries import load_query
from workbench.review.ground import FIRST_RUNS, OBJECTIVES, READINESS
from workbench.review.measures import CANNOT_TELL
from workbench.review.month import MonthRequest, assess_month, month_queries, seen_until
from workbench.review.request import of_store

FIRST = datetime(2026, 11, 1, tzinfo=UTC)
OF_RUNS = ("month.held_runs", "month.failures", "month.outcomes")


def asked(**more: Any) -> MonthRequest:
    """Return the question about November, as far as it has come."""
    given: dict[str, Any] = {
        "month": "2026-11", "since": FIRST, "until": AS_OF, "as_of": AS_OF, "categories": {"commerce": ("triage",)},
    }  # fmt: skip
    return MonthRequest(**{**given, **more})


def measures(tables: Tables, category: str = "commerce", **more: Any) -> dict[str, dict[str, Any]]:
    """Return the measures of a category by name."""
    request = asked(**more)
    known = with_month_rows(request, loaded(tables))
    found = assess_month(request, known).sections[f"category-{category}"]
    return {row["measure"]: row for row in found.tables["Measures of the month"].to_dict("records")}


def loaded(tables: Tables) -> Tables:
    """Return the tables with the incidents' source loaded to the end as well, where any mark is there."""
    marks = tables["review.watermarks"]
    more = [
        marks.head(1).assign(source_id="desk", table_name=name, age_seconds=0.0)
        for name in ("incident", "audit_event", "change")
    ]
    return {**tables, "review.watermarks": pd.concat([marks, *more], ignore_index=True)}


def with_holds(text: str, **more: Any) -> Tables:
    """Return the calm tables with these holds for `triage` alone, in place of theirs."""
    tables = calm_tables()
    tables["review.holds"] = tables["review.holds"].iloc[:0]
    tables["review.hold_targets"] = tables["review.hold_targets"].iloc[:0]
    holds = rows(text)
    targets = holds[["hold_id", "placed_at"]].rename(columns={"placed_at": "recorded_at"})
    targets = targets.assign(automation_id="triage", **more)
    return with_rows(
        with_rows(tables, "review.holds", holds.assign(mode="freeze")), "review.hold_targets", targets
    )  # fmt: skip


RELEASED = """
hold_id | scope      | purpose  | placed_at | released_at
H-1     | kind=agent | incident | 01:00     | 02:00
H-2     | kind=agent | guard    | 05:00     | 05:30
H-3     | kind=agent | drill    | 05:40     | 05:50
H-4     | kind=agent | incident | 06:00     | 06:30
"""


def test_relapses_are_the_next_hold_on_the_same_automation() -> None:
    """Of two incident holds that were released one came back, by a trigger; drills are neither."""
    later = AS_OF + timedelta(days=3)
    found = measures(with_holds(RELEASED), as_of=later)
    for hours in (24, 72):
        one = found[f"relapse within {hours} h"]
        assert (one["figure"], one["observation_count"]) == ("50.0 % (1 of 2)", 2)
        assert one["interval_95"] == "1.3 % to 98.7 %"
    assert found["holds for trouble"]["figure"] == "3"


def test_a_hold_until_the_first_run_is_no_trouble() -> None:
    """A registry that guards what is new says nothing of trouble, of relapse or of latency."""
    tables = with_rows(with_holds(RELEASED), FIRST_RUNS, pd.DataFrame({"hold_id": ["H-2"]}))
    found = measures(tables, as_of=AS_OF + timedelta(days=3))
    assert found["holds for trouble"]["figure"] == "2"
    assert found["relapse within 24 h"]["figure"] == "50.0 % (1 of 2)"
    alone = RELEASED.replace("H-4     | kind=agent | incident", "H-4     | kind=agent | drill   ")
    only = with_rows(with_holds(alone), FIRST_RUNS, pd.DataFrame({"hold_id": ["H-2"]}))
    assert measures(only, as_of=AS_OF + timedelta(days=3))["relapse within 24 h"][
        "figure"
    ].startswith("0.0 %")


def test_a_restart_of_today_is_too_recent_to_count() -> None:
    """Counting those that are back, and not those that may still come back, would make the share too large."""
    one = measures(with_holds(RELEASED))["relapse within 24 h"]
    assert one["figure"] == CANNOT_TELL
    assert one["remark"] == "2 restarts too recent to count, 1 of them back already"
    none = measures(with_holds(RELEASED.replace("incident", "maintenance")))["relapse within 24 h"]
    assert (none["figure"], none["remark"]) == (CANNOT_TELL, "nothing was restarted in full")


def test_another_automations_hold_is_no_relapse() -> None:
    """What another automation went through says nothing of this restart."""
    tables = with_holds(RELEASED)
    targets = tables["review.hold_targets"]
    tables["review.hold_targets"] = targets.assign(
        automation_id=targets["automation_id"].where(targets["hold_id"] != "H-2", "mailer")
    )
    more = {"categories": {"commerce": ("mailer", "triage")}, "as_of": AS_OF + timedelta(days=3)}
    tables["review.hold_targets"] = tables["review.hold_targets"][
        tables["review.hold_targets"]["hold_id"] != "H-4"
    ]
    assert measures(tables, **more)["relapse within 72 h"]["figure"] == "0.0 % (0 of 1)"


def test_pause_latency_says_what_was_never_confirmed() -> None:
    """From the command to the confirmation of each automation; drills are not asked."""
    tables = with_holds(RELEASED, confirmed_at=[at("01:00:02"), at("05:00:04"), at("05:49"), None])
    found = measures(tables)
    assert found["pause latency p50"]["figure"] == "4 s"
    assert (
        found["pause latency p50"]["remark"]
        == "1 target never confirmed; no interval: 3 durations, and it takes 6"
    )
    assert found["pause latency p95"]["figure"] == CANNOT_TELL
    one = measures(with_holds(RELEASED, confirmed_at=[at("01:00:02"), None, None, None]))
    assert one["pause latency p50"]["figure"] == CANNOT_TELL


def test_leaks_are_counted_under_what_the_hold_covers_alone() -> None:
    """A run past the pause leaks; a neighbour that no hold covers ran rightly."""
    late = runs_of("triage", [("10:40", "succeeded", "leak")])
    free = runs_of("mailer", every(1, "10:40", "10:50", "succeeded", "m"))
    tables = with_rows(with_rows(calm_tables(), "review.runs", late), "review.runs", free)
    found = measures(tables, categories={"commerce": ("mailer", "triage")})["leaks"]
    assert (found["figure"], found["remark"]) == ("1", "under 1 hold")
    assert measures(calm_tables())["leaks"]["figure"] == "0"


def test_a_run_planned_before_the_month_counts_where_it_starts_or_ends() -> None:
    """Planned the evening before and started under the hold it leaks this month; what leaked before is last month's."""
    calls = {one.name: one.parameters for one in month_queries(asked())}
    for name in OF_RUNS:
        assert calls[name]["since"] == FIRST - timedelta(days=7)
    early = runs_of("triage", [("10:40", "succeeded", "before"), ("10:52", "succeeded", "planned")])
    early["first_seen_at"] = at("09:00")
    tables = with_rows(calm_tables(), "review.runs", early)
    tables["review.affected_records"] = tables["review.affected_records"].iloc[:0]
    assert measures(tables)["leaks"]["figure"] == "2"
    found = measures(tables, since=at("10:50"))
    assert found["leaks"]["figure"] == "1"
    streak = found["longest ignored failure streak"]
    assert (streak["figure"], streak["observation_count"]) == ("none of 5 or more", 1)


def test_phases_are_medians_of_the_incidents_that_touch_the_category() -> None:
    """A foreign scope is left out, and what runs backwards is named and left out."""
    incidents = rows(
        """
        incident_id | started_at | detected_at | acknowledged_at | scope
        i1          | 01:00      | 01:02       | 01:01           | category=commerce
        i2          | 02:00      | 02:04       | 02:05           | automation=triage
        i3          | 03:00      | 04:00       | -               | category=support
        i4          | 03:00      | 04:00       | -               | -
        """
    )
    found = measures(with_rows(calm_tables(), "review.incidents", incidents))
    assert found["incidents"]["figure"] == "2"
    assert found["median onset to detection"]["figure"] == "3 min"
    second = found["median detection to a person"]
    assert (second["figure"], second["observation_count"]) == ("1 min", 1)
    assert "1 incident backwards, left out" in second["remark"]
    assert found["median person to pause"]["figure"] == CANNOT_TELL


def test_failures_that_nobody_answered() -> None:
    """The calm incident's fifteen failures were answered by an acknowledgement; a row without any act was not."""
    assert (
        measures(calm_tables())["longest ignored failure streak"]["figure"] == "none of 5 or more"
    )
    night = runs_of("triage", every(2, "02:00", "02:14", "failed", "n"))
    found = measures(with_rows(calm_tables(), "review.runs", night))[
        "longest ignored failure streak"
    ]
    assert (found["figure"], found["remark"]) == ("7 runs", "triage")


def test_an_alert_is_answered_by_any_act_within_the_hour() -> None:
    """Acknowledged after fifteen minutes counts; one that nobody touched does not; a young one is left out."""
    alerts = rows(
        """
        source_id | alert_id | fired_at | automation_id | rule | resolved_at | acknowledged_at
        alerts    | AL-0     | 03:00    | triage        | rate | 03:10       | -
        alerts    | AL-2     | 04:00    | triage        | rate | 04:10       | 04:15
        """
    )
    found = measures(with_rows(calm_tables(), "review.alerts", alerts))
    one = found["alert precision: answered within 1 h"]
    assert (one["figure"], one["observation_count"]) == ("50.0 % (1 of 2)", 2)
    assert one["remark"] == "1 alert too young to tell"


def test_the_budget_of_the_month_takes_the_objective_of_the_registry() -> None:
    """Six failed of 200 at 98 %, where four are allowed: half as much again; without an objective it is not told."""
    assert measures(calm_tables())["error budget"]["figure"] == CANNOT_TELL
    row = {"scope": "automation=triage", "automation_id": "triage", "member_count": 1, "objective_percent": "98"}  # fmt: skip
    spans = [(f"08:00:{n / 10}", "failed" if n < 6 else "succeeded", f"o{n}") for n in range(200)]
    tables = with_rows(calm_tables(), OBJECTIVES, pd.DataFrame([row]))
    tables["review.runs"] = runs_of("triage", spans)
    found = measures(tables)["error budget of automation=triage"]
    assert found["figure"] == "150.0 % spent"
    assert found["remark"] == "6 failed, 4.0 allowed at 98 %: spent: stay narrow"


def test_readiness_names_what_lacks() -> None:
    """Coverage, the oldest drill and the checklist, each with who is meant."""
    ready = pd.DataFrame(
        [("triage", True, 7, at("01:00") - timedelta(days=9)), ("mailer", False, 3, None)],
        columns=["automation_id", "is_stoppable", "answer_count", "last_drill_at"],
    )
    tables = with_rows(calm_tables(), READINESS, ready)
    both = measures(tables, categories={"commerce": ("mailer", "triage")})
    assert (both["coverage"]["figure"], both["coverage"]["remark"]) == (
        "50.0 % (1 of 2)",
        "not stopped by a pause: mailer; as of now, for which engines there are is not sealed",
    )
    assert both["oldest drill"]["figure"] == "1 automation never drilled"
    assert both["oldest drill"]["query"] == "log: registry, drills"
    assert both["checklist"]["figure"] == "71.4 % (10 of 14 answers)"
    assert measures(tables)["oldest drill"]["figure"] == "9 d 10 h"
    assert measures(calm_tables())["coverage"]["figure"] == CANNOT_TELL


@pytest.mark.parametrize("age", [3600.0, None])
def test_what_was_not_loaded_to_the_end_cannot_be_told(age: float | None) -> None:
    """`no leak` means nothing where nothing was loaded; what is known so far stands beside it."""
    marks = watermarks(run=age) if age else watermarks()
    if age is None:
        marks = marks[marks["table_name"] != "run"]
    found = measures({**calm_tables(), "review.watermarks": marks})
    assert found["leaks"]["figure"] == CANNOT_TELL
    assert found["leaks"]["remark"].endswith("; so far 0")
    assert found["longest ignored failure streak"]["figure"] == CANNOT_TELL
    assert found["pause latency p50"]["figure"] != CANNOT_TELL


def test_no_leak_and_no_incident_mean_nothing_where_writes_or_incidents_were_not_loaded() -> None:
    """Leaks rest on writes as well as on runs; none loaded is not none."""
    marks = watermarks()
    writes = {**calm_tables(), "review.watermarks": marks[marks["table_name"] != "affected_record"]}
    assert measures(writes)["leaks"]["figure"] == CANNOT_TELL
    found = assess_month(asked(), calm_tables()).sections["category-commerce"]
    told = found.tables["Measures of the month"].set_index("measure")
    assert told.loc["incidents", "remark"] == "incident was never loaded; so far 0"


def test_action_items_are_tracked_by_audited_events() -> None:
    """Open for more than five working days is overdue; without any event nothing is claimed."""
    assert "Cannot tell" in assess_month(asked(), calm_tables()).sections["action_items"].sentence
    events = rows(
        """
        source_id | event_id | occurred_at | actor | action             | target_id | reason
        desk      | e1       | 01:00       | ann   | action_item.opened | AI-1      | mend it
        desk      | e2       | 01:00       | ann   | action_item.opened | AI-2      | test it
        desk      | e3       | 09:00       | bob   | action_item.closed | AI-2      | done
        desk      | e4       | 10:00       | ann   | action_item.opened | AI-3      | watch it
        """
    )
    events.loc[events["target_id"] != "AI-3", "occurred_at"] -= timedelta(days=8)
    found = assess_month(asked(), with_rows(calm_tables(), "review.operator_events", events))
    section = found.sections["action_items"]
    assert section.sentence.startswith("3 action items, 2 open, 1 of them overdue")
    assert list(section.tables["Tracked action items"]["action_item_id"]) == [
        "AI-1",
        "AI-2",
        "AI-3",
    ]


def test_each_query_gets_what_its_header_asks() -> None:
    """Exactly the parameters, bounded on both sides; holds are looked at longer, for relapses and old pauses."""
    request = asked(as_of=AS_OF + timedelta(days=2))
    named = (of_store(call, "st-1") for call in month_queries(request))
    calls = {call.name: call.parameters for call in named}
    for name, parameters in calls.items():
        assert set(parameters) == set(load_query(name).parameters), name
    assert calls["month.failures"]["as_of"] == AS_OF
    assert calls["review.holds"]["as_of"] == AS_OF + timedelta(days=2)
    assert calls["review.holds"]["since"] < FIRST


def test_relapses_are_looked_for_three_days_after_a_month_as_far_as_time_has_come() -> None:
    """Never later than now, and never before the month's end."""
    end = datetime(2026, 12, 1, tzinfo=UTC)
    assert seen_until(end, end + timedelta(days=9)) == end + timedelta(days=3)
    assert seen_until(end, end + timedelta(hours=1)) == end + timedelta(hours=1)
    assert seen_until(AS_OF, AS_OF) == AS_OF


def test_the_sentence_counts_what_cannot_be_told() -> None:
    """A reader sees at once how much of the month is known."""
    found = assess_month(asked(), loaded(calm_tables()))
    told = found.sections["category-commerce"].tables["Measures of the month"]
    doubtful = int((told["figure"] == CANNOT_TELL).sum())
    assert found.sentence == (
        f"1 category in 2026-11, {len(told)} measures, of {doubtful} of which the data cannot tell."
    )
    assert list(found.sections) == ["category-commerce", "action_items", "sources"]


def test_a_phase_that_is_not_over_is_longer_than_any() -> None:
    """Six of ten were mitigated after seven minutes, four still stand: the median is among those that are over."""
    done = "01:00 | 01:03 | 01:10 | 01:15"
    lines = [f"i{n} | automation=triage | {done if n < 6 else '01:00 | 01:03 | - | -'}" for n in range(10)]  # fmt: skip
    head = "incident_id | scope | started_at | paused_at | mitigated_at | resolved_at"
    for few in (10, 8):
        text = "\n".join([head, *lines[10 - few :]])
        found = measures(with_rows(calm_tables(), "review.incidents", rows(text)))
        one = found["median pause to mitigation"]
        assert "4 incidents not over yet" in one["remark"]
        assert (one["figure"] == CANNOT_TELL) == (few == 8)


def test_a_release_under_another_hold_is_no_restart() -> None:
    """What another hold still covers has not started, so that it stays quiet says nothing."""
    under = RELEASED.replace("drill    | 05:40     | 05:50", "drill    | 01:30     | 02:30")
    one = measures(with_holds(under), as_of=AS_OF + timedelta(days=3))["relapse within 24 h"]
    assert one["observation_count"] == 1
    assert one["remark"] == "1 release under another hold: no restart"


def test_a_leak_under_two_holds_is_one_leak() -> None:
    """Two holds over one automation leak the same run once."""
    two = """
    hold_id | scope      | purpose  | placed_at | released_at
    H-1     | kind=agent | incident | 01:00     | -
    H-2     | kind=agent | incident | 01:10     | -
    """
    tables = with_holds(two)
    tables["review.runs"] = runs_of("triage", [("05:00", "succeeded", "x1")])
    tables["review.affected_records"] = tables["review.affected_records"].iloc[:0]
    assert measures(tables)["leaks"]["figure"] == "1"


def test_a_triggers_hold_answers_no_alert_and_nothing_loaded_is_no_silence() -> None:
    """A trigger is no person; where it was not loaded what people did, nobody can say that they did nothing."""
    name = "alert precision: answered within 1 h"
    alerts = rows("source_id | alert_id | fired_at | automation_id | rule\nalerts | AL-1 | 06:00 | triage | r")  # fmt: skip
    tables = with_holds("hold_id | scope | purpose | placed_at | released_at | placed_by\nH-1 | kind=agent | guard | 06:01 | - | system")  # fmt: skip
    tables = {**tables, "review.alerts": alerts.assign(acknowledged_at=pd.NaT, resolved_at=pd.NaT)}
    for query in ("review.changes", "review.affected_records"):
        tables[query] = tables[query].iloc[:0]
    assert measures(tables)[name]["figure"] == "0.0 % (0 of 1)"
    marks = tables["review.watermarks"]
    tables["review.watermarks"] = marks[~marks["table_name"].isin(["audit_event", "change"])]
    found = assess_month(asked(), tables).sections["category-commerce"]
    told = found.tables["Measures of the month"].set_index("measure")
    assert told.loc[name, "figure"] == CANNOT_TELL


def test_the_runs_of_the_stores_environment_count() -> None:
    """A failure in staging spends no budget of production."""
    calls = {one.name: one.parameters for one in month_queries(asked(environment="production"))}
    for name in OF_RUNS:
        assert calls[name]["environment"] == "production"

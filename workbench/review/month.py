"""The monthly review: what each category went through in a calendar month, from our own holds and what was loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pandas as pd

from workbench.review.check_freshness import serving_marks
from workbench.review.ground import Ground, Section, counted, spoken
from workbench.review.measures import CANNOT_TELL, Measure, as_rows
from workbench.review.month_habits import ANSWERED, action_items, habit_measures
from workbench.review.month_pauses import LEAKS, LOOK_AHEAD, pause_measures
from workbench.review.month_readiness import readiness_measures
from workbench.review.request import QueryCall, ReviewRequest
from workbench.review.thresholds import ReviewThresholds

HOLDS_LOOKBACK = timedelta(days=84)
"""Holds and action items that were opened before the month may still stand in it."""
RUNS_LOOKBACK = timedelta(days=7)
"""A run that was planned or began before the month may start, end or write in it; each measure counts its own."""
RESTS_ON: Mapping[str, str] = {
    "month.held_runs": "run",
    "month.failures": "run",
    "month.outcomes": "run",
    "review.alerts": "alert",
    "review.incidents": "incident",
}
"""query -> table that must be loaded up to the end for its rows to mean anything; leaks and answers rest on more."""


@dataclass(frozen=True)
class MonthRequest:
    """The frozen question of a monthly review.

    Attributes:
        month: `2026-11`.
        until: end of the month, or now where it is not over.
        as_of: what came later is not known: a relapse may come up to three days after the month.
        categories: category -> its automations, sorted.
        environment: of the store, whose runs count; None for every environment.
    """

    month: str
    since: datetime
    until: datetime
    as_of: datetime
    categories: Mapping[str, tuple[str, ...]]
    thresholds: ReviewThresholds = field(default_factory=ReviewThresholds)
    environment: str | None = None

    @property
    def automation_ids(self) -> list[str]:
        """Return the automations of all categories."""
        return sorted({i for ids in self.categories.values() for i in ids})


@dataclass(frozen=True)
class MonthFound:
    """What a monthly review found: one sentence, and a section for each category, the action items and the sources."""

    sentence: str
    sections: Mapping[str, Section]


def seen_until(until: datetime, now: datetime) -> datetime:
    """Return how far after a month relapses are looked for, as far as time has come."""
    return max(until, min(now, until + LOOK_AHEAD))


def month_queries(request: MonthRequest) -> list[QueryCall]:
    """Return the queries whose results `assess_month` needs, each bounded in time on both sides."""
    window = {"since": request.since, "as_of": request.until}
    holds = {"since": request.since - HOLDS_LOOKBACK, "as_of": request.as_of}
    ids = {"automation_ids": request.automation_ids}
    seen = {"environment": request.environment, **window, "since": request.since - RUNS_LOOKBACK}
    return [
        QueryCall("review.registered_automations", {"as_of": request.until}),
        QueryCall("review.holds", holds),
        QueryCall("review.hold_targets", holds),
        QueryCall("month.held_runs", {**ids, **seen}),
        QueryCall("month.failures", {**ids, **seen, "ended_since": request.since}),
        QueryCall("month.outcomes", {**ids, **seen, "ended_since": request.since}),
        QueryCall("review.affected_records", {**ids, **window, "record": None}),
        QueryCall("review.alerts", {**ids, **window}),
        QueryCall("review.changes", window),
        QueryCall("review.incidents", window),
        QueryCall("review.operator_events", {**ids, **window, "since": holds["since"]}),
        QueryCall("review.watermarks", {"as_of": request.until}),
        QueryCall("review.serving_sources", {**ids, "providers": [], **window}),
    ]


def assess_month(request: MonthRequest, tables: Mapping[str, pd.DataFrame]) -> MonthFound:
    """Return the measures of each category: a pure function of its arguments."""
    sections: dict[str, Section] = {}
    found: list[Measure] = []
    for category, ids in sorted(request.categories.items()):
        ground = Ground(_question(request, f"category={category}", ids), narrowed(tables, ids))
        mine = [_weighed(ground, one) for one in measures_of(ground, request)]
        said = f"{counted(len(ids), 'automation')}: {_first(mine)}."
        sections[f"category-{category}"] = Section(
            f"Category {category}", said, {"Measures of the month": as_rows(mine)}
        )
        found += mine
    whole = Ground(_question(request, "*", tuple(request.automation_ids)), tables)
    sections["action_items"] = action_items(whole)
    sections["sources"] = _sources(whole)
    return MonthFound(_sentence(request, found), sections)


def narrowed(tables: Mapping[str, pd.DataFrame], ids: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """Return the rows about some automations: each category is then shaped once, not all of them for each."""
    return {
        name: rows[rows["automation_id"].isin(ids)] if "automation_id" in rows.columns else rows
        for name, rows in tables.items()
    }


def measures_of(ground: Ground, request: MonthRequest) -> list[Measure]:
    """Return the measures of one category, in the order in which a person reads them."""
    return [
        *pause_measures(ground, seen_until=request.as_of),
        *habit_measures(ground),
        *readiness_measures(ground),
    ]


def _question(request: MonthRequest, scope: str, ids: tuple[str, ...]) -> ReviewRequest:
    """Return the question as the checks know it; no one hold is under review."""
    return ReviewRequest(
        hold_id="", scope=scope, only=None, automation_ids=ids, environment=request.environment,
        baseline_since=request.since, onset_at=request.since, paused_at=request.until, since=request.since,
        as_of=request.until, thresholds=request.thresholds,
    )  # fmt: skip


def _weighed(ground: Ground, one: Measure) -> Measure:
    """Return `cannot tell` for what rests on a table that was not loaded up to the end."""
    tables = [RESTS_ON[one.query]] if one.query in RESTS_ON else []
    if one.name == LEAKS:
        tables.append("affected_record")
    if one.name in ANSWERED:
        tables += ["audit_event", "change"]
    why = next(filter(None, (_stale(ground, name) for name in tables)), "")
    if not why or one.figure == CANNOT_TELL:
        return one
    so_far = f"{why}; so far {one.figure}"
    return Measure(one.name, CANNOT_TELL, remark=so_far, query=one.query)


def _stale(ground: Ground, table: str) -> str:
    """Return why a table says nothing of the end of the month, or an empty text."""
    marks, why = serving_marks(ground, table)
    oldest = marks["age_seconds"].max()
    if why or not oldest > float(ground.limits.watermark_max_age_seconds):
        return why
    return f"{table} is loaded until {spoken(float(oldest))} before the end only"


def _first(mine: list[Measure]) -> str:
    return "; ".join(f"{one.name} {one.figure}" for one in mine[:3])


def _sentence(request: MonthRequest, found: list[Measure]) -> str:
    doubtful = sum(one.figure == CANNOT_TELL for one in found)
    return (
        f"{counted(len(request.categories), 'category', plural='categories')} in {request.month}, "
        f"{counted(len(found), 'measure')}, of {doubtful} of which the data cannot tell."
    )


def _sources(ground: Ground) -> Section:
    marks = ground.table("watermarks")
    columns = ["table_name", "source_id", "loaded_until_at", "age_seconds"]
    said = "How far each source was loaded at the end of the month; what is older tells nothing of its last days."
    return Section("How far the sources are loaded", said, {"Watermarks": marks[columns]})

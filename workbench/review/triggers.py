"""A look: the rules of every automation and category over the tables, and what cannot be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from workbench.review.burn_rate import PAGED
from workbench.review.trigger_budget import error_budget
from workbench.review.trigger_effects import (
    budget,
    customer_changes,
    suspect_changes,
    unusual_spend,
)
from workbench.review.trigger_runs import (
    RECENT_RUNS,
    failure_rate,
    failure_streak,
    stale_context,
    unknown,
)
from workbench.trigger_rules import Subject, TriggerFinding, TriggerState

LOOKBACK = timedelta(days=7)
"""How far back a look goes: a week holds every weekly cycle once."""
EVIDENCE = "evidence"
_ON_RECORDS = ("suspect_changes", "customer_changes_per_hour")
_CUT = {
    "triggers.recent_runs": "started_at",
    "triggers.outcomes": "started_at",
    "triggers.customer_changes": "newest_at",
}
"""table -> instant of a row: what is older than an automation's restart is not held against it again."""


def look_queries(subjects: Sequence[Subject], as_of: datetime) -> dict[str, dict[str, Any]]:
    """Return the queries of a look at an instant, with their parameters."""
    ids = sorted({i for subject in subjects for i in subject.automation_ids})
    common = {"automation_ids": ids, "since": as_of - LOOKBACK, "as_of": as_of}
    hour, day = as_of - timedelta(hours=1), as_of - timedelta(days=1)
    most = max([s.rules.failure_rate_runs for s in subjects], default=RECENT_RUNS)
    streak = max([s.rules.failure_streak for s in subjects], default=0)
    return {
        "triggers.recent_runs": {**common, "run_count": max(most, streak, RECENT_RUNS)},
        "triggers.usual_cost": {**common, "newest_count": RECENT_RUNS},
        "triggers.spend": {**common, "hour_since": hour, "day_since": day},
        "triggers.customer_changes": {**common, "hour_since": hour},
        "triggers.outcomes": {
            **common,
            "automation_ids": sorted(
                {i for s in subjects if s.rules.objective_percent for i in s.automation_ids}
            ),
            "ended_since": as_of - timedelta(seconds=max(r.long_seconds for r in PAGED)),
        },
        "triggers.sources": common,
    }


@dataclass(frozen=True)
class Look:
    """What a look rests on.

    Attributes:
        tables: name of a query -> its rows.
        max_age_seconds: age from which a source that was loaded says nothing of now.
        firing: keys of the episodes that last; one ends only when its number is well below, so that it
            does not begin again with every run.
    """

    tables: Mapping[str, pd.DataFrame]
    as_of: datetime
    max_age_seconds: float
    firing: frozenset[str] = frozenset()


def evaluate(subjects: Sequence[Subject], look: Look) -> list[TriggerFinding]:
    """Return what each rule finds at each subject: it fires, is quiet, or cannot tell.

    A rule fires on data that is late as well; quiet on late data is none, and `evidence` says so once.
    """
    cuts = {s.automation_ids[0]: s.restarted_at for s in subjects if not s.is_category}
    tables = {name: _since_restart(name, rows, cuts) for name, rows in look.tables.items()}
    found: list[TriggerFinding] = []
    for subject in subjects:
        mine = {n: t[t["automation_id"].isin(subject.automation_ids)] for n, t in tables.items()}
        found += _of_subject(subject, mine, look)
    return found


def _of_subject(
    subject: Subject, tables: Mapping[str, pd.DataFrame], look: Look
) -> Iterator[TriggerFinding]:
    late = _late(tables["triggers.sources"], "run", look)
    late_records = _late(tables["triggers.sources"], "affected_record", look)
    for seen in _rules(subject, tables, as_of=look.as_of):
        lasts = seen.is_near and seen.key in look.firing
        one = replace(seen, state=TriggerState.FIRES) if lasts else seen
        is_on_records = one.rule in _ON_RECORDS
        why = late or (late_records if is_on_records else "")
        if one.state is TriggerState.FIRES and why:
            told = why.split("; ")[0]
            yield replace(one, sentence=f"{one.sentence}; of old data, for {told}")
        elif one.state is TriggerState.FIRES or not why:
            yield one
        elif is_on_records and not late:
            yield unknown(subject, one.rule, why=why, query="triggers.sources")
    if late and not subject.is_category:
        yield unknown(subject, EVIDENCE, why=late, query="triggers.sources")
    elif not subject.is_category:
        yield TriggerFinding(subject.scope, EVIDENCE, TriggerState.QUIET, "loaded lately")


def _rules(
    subject: Subject, tables: Mapping[str, pd.DataFrame], *, as_of: datetime
) -> Iterator[TriggerFinding]:
    runs, spend = tables["triggers.recent_runs"], tables["triggers.spend"]
    yield failure_streak(subject, runs)
    yield failure_rate(subject, runs)
    yield error_budget(subject, tables["triggers.outcomes"], as_of=as_of)
    yield budget(subject, spend, span="hour")
    yield budget(subject, spend, span="day")
    yield unusual_spend(subject, runs, usual=tables["triggers.usual_cost"])
    yield stale_context(subject, runs)
    yield suspect_changes(subject, tables["triggers.customer_changes"])
    yield customer_changes(subject, tables["triggers.customer_changes"])


def _late(sources: pd.DataFrame, table: str, look: Look) -> str:
    """Return why what is loaded says nothing of now, or an empty text."""
    mine = sources[sources["table_name"] == table]
    if mine.empty:
        return f"no run of the last {LOOKBACK.days} days is loaded" if table == "run" else ""
    never = mine[mine["loaded_until_at"].isna()]
    if len(never):
        return f"nothing says how far {never['source_id'].iloc[0]} is loaded ({table})"
    ages = (look.as_of - pd.to_datetime(mine["loaded_until_at"], utc=True)).dt.total_seconds()
    if ages.max() <= look.max_age_seconds:
        return ""
    oldest = mine.iloc[int(ages.to_numpy().argmax())]
    return (
        f"{oldest['source_id']} was loaded until {oldest['loaded_until_at']:%Y-%m-%d %H:%M:%S} UTC ({table}); "
        f"older than {look.max_age_seconds:.0f} s says nothing of now"
    )


def _since_restart(
    name: str, rows: pd.DataFrame, cuts: Mapping[str, datetime | None]
) -> pd.DataFrame:
    column = _CUT.get(name)
    if column is None or rows.empty or not any(cuts.values()):
        return rows
    cut = pd.to_datetime(rows["automation_id"].map(cuts), utc=True)
    instants = pd.to_datetime(rows[column], utc=True)
    return rows[cut.isna() | (instants >= cut)]

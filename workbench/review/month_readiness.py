"""Measures of a month about readiness: what can be stopped, when that was rehearsed, and what the checklist lacks."""

from __future__ import annotations

import pandas as pd

from workbench.records import CHECKLIST
from workbench.review.ground import READINESS, Ground, counted, listed, percent, spoken
from workbench.review.measures import Measure, unknown

REGISTRY = "log: registry"
DRILLS = "log: registry, drills"
"""The figures come of our own log, not of a query over what was loaded."""


def readiness_measures(ground: Ground) -> list[Measure]:
    """Return the measures of one category, as the registry and the drills of the log stand at the end of the month."""
    rows = ground.table(READINESS)
    if rows.empty:
        return [
            unknown(name, "the registry knows none of them", query=REGISTRY)
            for name in ("coverage", "drill age", "checklist")
        ]
    return [_coverage(rows), _drill_age(ground, rows), _checklist(rows)]


def _coverage(rows: pd.DataFrame) -> Measure:
    """Return the share that a pause stops; of all there are, so no interval."""
    is_reached = rows["is_stoppable"].astype(bool)
    missing = sorted(rows[~is_reached]["automation_id"])
    remark = "as of now, for which engines there are is not sealed"
    if missing:
        remark = f"not stopped by a pause: {listed(missing)}; {remark}"
    figure = f"{percent(is_reached.mean())} ({is_reached.sum()} of {len(rows)})"
    return Measure("coverage", figure, count=len(rows), remark=remark, query=REGISTRY)


def _drill_age(ground: Ground, rows: pd.DataFrame) -> Measure:
    """Return the age of the oldest last drill; what was never drilled is older than any."""
    never = sorted(rows[rows["last_drill_at"].isna()]["automation_id"])
    oldest = float((ground.as_of - rows["last_drill_at"]).dt.total_seconds().max())
    figure = f"{counted(len(never), 'automation')} never drilled" if never else spoken(oldest)
    count = len(rows) - len(never)
    remark = listed(never) if never else ""
    return Measure("oldest drill", figure, count=count, remark=remark, query=DRILLS)


def _checklist(rows: pd.DataFrame) -> Measure:
    """Return the share of the checklist's questions that are answered; of all there are, so no interval."""
    whole, answered = len(CHECKLIST) * len(rows), int(rows["answer_count"].sum())
    lacking = sorted(rows[rows["answer_count"] < len(CHECKLIST)]["automation_id"])
    remark = f"not whole: {listed(lacking)}" if lacking else ""
    figure = f"{percent(answered / whole)} ({answered} of {whole} answers)"
    return Measure("checklist", figure, count=len(rows), remark=remark, query=REGISTRY)

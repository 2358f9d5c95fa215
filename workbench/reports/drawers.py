"""Which figure a review's rows become, and the sentence below it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import altair as alt
import pandas as pd

from workbench.plots import decision, incident
from workbench.review.request import ReviewRequest

Figures = Mapping[str, pd.DataFrame]
Drawer = Callable[[Figures, ReviewRequest], alt.TopLevelMixin]


NO_BANDS = pd.DataFrame(columns=["hold_id", "placed_at", "released_at"])


def _gantt(rows: Figures, request: ReviewRequest) -> alt.TopLevelMixin:
    runs = rows["pause_gantt"]
    since = pd.Timestamp(min(runs["started_at"].min(), pd.Timestamp(request.onset_at)))
    return decision.pause_gantt(
        runs, rows["pause_gantt_bands"], since=since, until=pd.Timestamp(request.as_of)
    )


def _runs_over_time(rows: Figures, request: ReviewRequest) -> alt.TopLevelMixin:
    return decision.runs_over_time(
        rows["runs_over_time"],
        rows.get("pause_gantt_bands", NO_BANDS),
        onset_at=pd.Timestamp(request.onset_at),
        until=pd.Timestamp(request.as_of),
    )


def _status_bands(rows: Figures, request: ReviewRequest) -> alt.TopLevelMixin:
    spans = rows["status_bands"].assign(
        until_at=rows["status_bands"]["until_at"].fillna(pd.Timestamp(request.as_of))
    )
    return decision.status_bands(spans, rows["status_bands_marks"])


DRAWERS: Mapping[str, tuple[Drawer, str]] = {
    "pause_gantt": (
        _gantt,
        "Each bar is a run; the shaded bands are the pauses. What started or wrote inside a pause is marked.",
    ),
    "runs_over_time": (
        _runs_over_time,
        "Runs by when they started, failed ones apart; the shaded bands are the pauses.",
    ),
    "rate_intervals": (
        lambda rows, _: decision.rate_intervals(rows["rate_intervals"]),
        "Failure rate of each period with its 95 % interval; the words say how many runs stand behind it.",
    ),
    "pareto": (
        lambda rows, _: decision.pareto(rows["pareto"]),
        "Failed steps by what they say, most frequent first, with the share explained so far.",
    ),
    "status_bands": (
        _status_bands,
        "What the provider said of itself, with the onset and the pauses as lines.",
    ),
    "switch_steps": (
        lambda rows, _: incident.switch_steps(rows["switch_steps"]),
        "How long after the command the pause was recorded, delivered, confirmed and quiet.",
    ),
    "phase_lengths": (
        lambda rows, _: incident.phase_lengths(rows["phase_lengths"]),
        "The phases of the incident on the clock.",
    ),
    "swim_lanes": (
        lambda rows, _: incident.swim_lanes(rows["swim_lanes"]),
        "What happened when, one lane for each source.",
    ),
    "change_leads": (
        lambda rows, _: incident.change_leads(rows["change_leads"]),
        "Changes before the onset by how long before it they came.",
    ),
}

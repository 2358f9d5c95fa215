"""Figures of the restart decision: a data frame in, a chart out; nothing is read, written or asked for."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from workbench.plots.drawing import (
    TOKENS,
    WIDTH,
    colours,
    count_axis,
    domain_of,
    finish,
    labelled,
    marked,
    time_x,
)


def pause_gantt(
    runs: pd.DataFrame, bands: pd.DataFrame, *, since: pd.Timestamp, until: pd.Timestamp
) -> alt.TopLevelMixin:
    """Draw each run as a bar over the pauses as bands; what started or wrote inside a pause stands out.

    `runs`: automation_id, started_at, finished_at, what (clean, failed, let through, leak), leak_at (of a leak: its
    start or first write inside the pause).
    `bands`: hold_id, placed_at, released_at.
    """
    drawn = labelled(runs, "automation_id")
    drawn["finished_at"] = _not_after(drawn["finished_at"], until)
    drawn["started_at"] = _not_before(drawn["started_at"], since)
    drawn["leak_at"] = _not_before(drawn["leak_at"], since)
    row_count = max(int(drawn["automation_id"].nunique()), 1)
    y = alt.Y("automation_id:N", title=None, axis=alt.Axis(ticks=False, domain=False, grid=True))
    base = alt.Chart(drawn).encode(y=y, color=_run_colour(drawn))
    bars = base.mark_bar(height=12, minBandSize=2).encode(
        x=time_x("started_at", (since, until)), x2="finished_at:T"
    )
    starts = base.mark_tick(thickness=2, size=12).encode(x="started_at:T")
    leaks = (
        base.transform_filter("datum.what == 'leak'")
        .mark_point(shape="triangle-down", filled=True, size=90, yOffset=-14, opacity=1)
        .encode(x="leak_at:T")
    )
    layers = [*pause_bands(bands, since=since, until=until), bars, starts, leaks]
    return finish(alt.layer(*layers).properties(width=WIDTH - 140, height=36 * row_count))


def _run_colour(runs: pd.DataFrame) -> alt.Color:
    meaning = {"clean": "cool", "failed": "warn", "let_through": "good", "leak": "bad"}
    present = {str(what).replace(" ", "_") for what in runs["what"]}
    shown = {word: token for word, token in meaning.items() if word in present}
    return alt.Color("what:N", scale=colours(**shown), legend=alt.Legend(title=None, offset=24))


def pause_bands(
    bands: pd.DataFrame, *, since: pd.Timestamp, until: pd.Timestamp
) -> list[alt.Chart]:
    """Return the pauses as shaded bands with the ids of their holds: hold_id, placed_at, released_at."""
    shaded = labelled(bands, "hold_id")
    shaded["released_at"] = _not_after(shaded["released_at"], until)
    shaded = shaded[(shaded["placed_at"] < until) & (shaded["released_at"] > since)]
    shaded["placed_at"] = _not_before(shaded["placed_at"], since)
    shaded["says"] = [f"{hold_id} paused" for hold_id in shaded["hold_id"]]
    if shaded.empty:
        return []
    x = time_x("placed_at", (since, until))
    area = alt.Chart(shaded).mark_rect(color=TOKENS["band"]).encode(x=x, x2="released_at:T")
    edge = alt.Chart(shaded).mark_rule(color=TOKENS["band-edge"], strokeWidth=1.5)
    words = alt.Chart(shaded).mark_text(
        align="left", baseline="bottom", dx=3, dy=-3, color=TOKENS["band-edge"], fontSize=12, fontWeight="bold"
    )  # fmt: skip
    named = words.encode(x="placed_at:T", y=alt.value(0), text="says:N")
    return [area, edge.encode(x="placed_at:T"), named]


def _not_after(instants: pd.Series[Any], until: pd.Timestamp) -> pd.Series[Any]:
    known = pd.to_datetime(
        instants, utc=True
    )  # a column of nothing but gaps has no zone of its own
    return known.where(known.notna() & (known <= until), until)


def _not_before(instants: pd.Series[Any], since: pd.Timestamp) -> pd.Series[Any]:
    return instants.where(instants.isna() | (instants >= since), since)


def runs_over_time(
    buckets: pd.DataFrame, bands: pd.DataFrame, *, onset_at: pd.Timestamp, until: pd.Timestamp
) -> alt.TopLevelMixin:
    """Draw runs per interval, failed ones apart, over the pauses as bands, up to the end of the window.

    `buckets`: started_at, outcome (clean, failed, not counted), run_count. `bands`: as for the gantt.
    """
    drawn = buckets.copy()
    starts = drawn["started_at"].drop_duplicates().sort_values()
    step = starts.diff().min() if len(starts) > 1 else pd.Timedelta(minutes=1)
    drawn["until_at"] = drawn["started_at"] + step * 0.86
    since = pd.Timestamp(starts.iloc[0])
    meaning = {"clean": "cool", "failed": "warn", "not counted": "quiet"}
    shown = {word: token for word, token in meaning.items() if word in set(drawn["outcome"])}
    x = time_x("started_at", (since, until)).bin("binned")
    most = int(drawn.groupby("started_at")["run_count"].sum().max())
    y = alt.Y(
        "run_count:Q",
        title=f"runs per {_step_words(step)}",
        axis=count_axis(most),
    )
    colour = alt.Color(
        "outcome:N", scale=colours(**shown), legend=alt.Legend(title=None, offset=24)
    )
    bars = alt.Chart(drawn).mark_bar().encode(x=x, x2="until_at:T", y=y, color=colour)
    onset = pd.DataFrame({"occurred_at": [onset_at], "what": ["onset"]})
    layers = [*pause_bands(bands, since=since, until=until), bars, *marked(onset)]
    return finish(alt.layer(*layers).properties(width=WIDTH - 60, height=190))


def _step_words(step: pd.Timedelta) -> str:
    seconds = int(step.total_seconds())
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"


def rate_intervals(rates: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw failure rates as points with their intervals, one row a period.

    `rates`: period, failure_rate, low_rate, high_rate, run_count, failure_count.
    """
    drawn = labelled(rates, "period")
    drawn["says"] = [
        f"{failures:,} of {runs:,}"
        for failures, runs in zip(drawn["failure_count"], drawn["run_count"], strict=True)
    ]
    order = list(drawn["period"])
    y = alt.Y("period:N", sort=order, title=None, axis=alt.Axis(ticks=False, domain=False))
    top = min(1.0, max(0.05, float(drawn["high_rate"].max()) * 1.1))
    scale = alt.Scale(domain=[0, top])
    x = alt.X(
        "low_rate:Q",
        title="failure rate, 95 % interval",
        scale=scale,
        axis=alt.Axis(format=".0%", tickCount=6),
    )
    base = alt.Chart(drawn).encode(y=y)
    span = base.mark_rule(strokeWidth=3, color=TOKENS["quiet"]).encode(x=x, x2="high_rate:Q")
    point = base.mark_point(filled=True, size=110, color=TOKENS["cool"], opacity=1).encode(
        x="failure_rate:Q"
    )
    text = base.mark_text(dy=-12, color=TOKENS["ink"], fontSize=12).encode(
        x="failure_rate:Q", text="says:N"
    )
    return finish(
        alt.layer(span, point, text).properties(width=WIDTH - 180, height=46 * max(len(order), 1))
    )


def pareto(failures: pd.DataFrame, *, limit: int = 10) -> alt.TopLevelMixin:
    """Draw failures by error signature, most frequent first, known ones apart from new ones.

    `failures`: error_signature, failure_count, seen (new, known before).
    """
    drawn = failures.sort_values("failure_count", ascending=False, kind="stable").head(limit)
    drawn = labelled(drawn, "error_signature")
    total = max(int(failures["failure_count"].sum()), 1)
    shares = drawn["failure_count"].cumsum() / total
    drawn["says"] = [
        f"{n:,}  ({share:.0%} so far)"
        for n, share in zip(drawn["failure_count"], shares, strict=True)
    ]
    y = alt.Y(
        "error_signature:N",
        sort=list(drawn["error_signature"]),
        title=None,
        axis=alt.Axis(labelLimit=330),
    )
    colour = alt.Color("seen:N", scale=_seen_colours(drawn), legend=alt.Legend(title=None))
    base = alt.Chart(drawn).encode(
        y=y,
        x=alt.X(
            "failure_count:Q",
            title="failed steps",
            axis=count_axis(int(drawn["failure_count"].max())),
        ),
    )
    bars = base.mark_bar(height=18).encode(color=colour)
    text = base.mark_text(align="left", dx=5, color=TOKENS["ink"], fontSize=12).encode(
        text="says:N"
    )
    return finish(
        alt.layer(bars, text).properties(width=WIDTH - 400, height=30 * max(len(drawn), 1))
    )


def _seen_colours(failures: pd.DataFrame) -> alt.Scale:
    meaning = {"new": "bad", "known_before": "warn"}
    present = {str(seen).replace(" ", "_") for seen in failures["seen"]}
    return colours(**{word: token for word, token in meaning.items() if word in present})


def status_bands(spans: pd.DataFrame, marks: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw each provider component's status over time, with the marked instants as lines.

    `spans`: component, since_at, until_at, status. `marks`: occurred_at, what.
    """
    drawn = labelled(spans, "component")
    drawn["status"] = [str(status).replace("_", " ") for status in drawn["status"]]
    colour = alt.Color(
        "status:N",
        scale=colours(
            operational="good", degraded="warn", partial_outage="bad", major_outage="bad", maintenance="cool",
            unknown="quiet",
        ),
        legend=alt.Legend(title=None, offset=44, values=sorted(set(drawn["status"]))),
    )  # fmt: skip
    y = alt.Y("component:N", title=None, axis=alt.Axis(ticks=False, domain=False))
    bars = (
        alt.Chart(drawn)
        .mark_bar(height=16)
        .encode(
            x=time_x("since_at", domain_of(drawn["since_at"], drawn["until_at"])),
            x2="until_at:T",
            y=y,
            color=colour,
        )
    )
    height = 34 * max(int(drawn["component"].nunique()), 1)
    return finish(alt.layer(bars, *marked(marks)).properties(width=WIDTH - 140, height=height))

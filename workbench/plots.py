"""Figures of the reports: a data frame in, a chart out; nothing is read, written or asked for.

Colours are tokens that the style sheet redefines for dark pages and paper, so that one SVG serves all three.
Text from run history reaches a chart only through `plain_text`, and the SVG writer escapes it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

WIDTH = 900
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"

TOKENS = {
    "ink": "#243040",
    "muted": "#5e6b7b",
    "grid": "#e2e7ee",
    "good": "#2a9d76",
    "bad": "#d1453b",
    "warn": "#d98e04",
    "cool": "#3b7dc4",
    "quiet": "#a9b4c2",
    "band": "#e9e3f5",
    "band-edge": "#7d62b3",
}

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")


def plain_text(value: object) -> str:
    """Return text without terminal codes, with every invisible or direction-changing mark made visible."""
    text = _ANSI.sub("", str(value))
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character == "\n":
        return character
    if character == "\t":
        return " "
    category = unicodedata.category(character)
    if category in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return f"\u27e8U+{ord(character):04X}\u27e9"
    return character


def label(value: object, limit: int = 48) -> str:
    """Return one line of plain text, cut in the middle so that its two telling ends stay."""
    text = " ".join(plain_text(value).split())
    if len(text) <= limit:
        return text
    keep = (limit - 1) // 2
    return f"{text[: limit - 1 - keep]}\u2026{text[-keep:]}"


def to_svg(chart: alt.TopLevelMixin) -> str:
    """Draw a chart as SVG text whose colours follow the page."""
    spec: dict[str, Any] = chart.to_dict()
    svg: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    for name, colour in TOKENS.items():
        svg = re.sub(
            rf'(fill|stroke)="{colour}"',
            rf'\1="var(--wb-ch-{name}, {colour})"',
            svg,
            flags=re.IGNORECASE,
        )
    return svg


def _finish(chart: alt.Chart | alt.LayerChart | alt.VConcatChart) -> alt.TopLevelMixin:
    ink, muted, grid = TOKENS["ink"], TOKENS["muted"], TOKENS["grid"]
    return (
        chart.properties(background="transparent", padding={"left": 4, "right": 8, "top": 4, "bottom": 4})
        .configure(font=FONT)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=ink, titleColor=muted, gridColor=grid, domainColor=muted, tickColor=muted, labelFontSize=12,
            titleFontSize=12, titleFontWeight="normal", labelLimit=260, titlePadding=8, labelPadding=5,
        )
        .configure_legend(
            labelColor=ink, titleColor=muted, labelFontSize=12, titleFontSize=12, titleFontWeight="normal",
            orient="top", symbolType="square", labelLimit=320, offset=6,
        )
    )  # fmt: skip


def _time_x(
    field: str, title: str = "UTC", domain: tuple[pd.Timestamp, pd.Timestamp] | None = None
) -> alt.X:
    bounds = alt.Undefined if domain is None else [instant.isoformat() for instant in domain]
    scale = alt.Scale(type="utc", domain=bounds) if domain is not None else alt.Scale(type="utc")
    axis = alt.Axis(format="%H:%M", title=title, tickCount=8, labelOverlap=True, grid=False)
    return alt.X(f"{field}:T", scale=scale, axis=axis)


def _labelled(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    found = frame.copy()
    for column in columns:
        found[column] = [label(value) for value in found[column]]
    return found


def _colours(**meaning: str) -> alt.Scale:
    words = [word.replace("_", " ") for word in meaning]
    return alt.Scale(domain=words, range=[TOKENS[token] for token in meaning.values()])


def pause_gantt(
    runs: pd.DataFrame, bands: pd.DataFrame, *, since: pd.Timestamp, until: pd.Timestamp
) -> alt.TopLevelMixin:
    """Draw each run as a bar over the pauses as bands; what started or wrote inside a pause stands out.

    `runs`: automation_id, started_at, finished_at, what (clean, failed, let through, leak).
    `bands`: hold_id, placed_at, released_at.
    """
    drawn = _labelled(runs, "automation_id")
    drawn["finished_at"] = drawn["finished_at"].fillna(until).clip(upper=until)
    drawn["started_at"] = drawn["started_at"].clip(lower=since)
    shaded = _labelled(bands, "hold_id")
    shaded["released_at"] = shaded["released_at"].fillna(until).clip(upper=until)
    shaded["placed_at"] = shaded["placed_at"].clip(lower=since)
    row_count = max(int(drawn["automation_id"].nunique()), 1)
    x = _time_x("placed_at", domain=(since, until))
    area = alt.Chart(shaded).mark_rect(color=TOKENS["band"]).encode(x=x, x2="released_at:T")
    edge = (
        alt.Chart(shaded)
        .mark_rule(color=TOKENS["band-edge"], strokeWidth=1.5)
        .encode(x="placed_at:T")
    )
    names = (
        alt.Chart(shaded)
        .mark_text(
            align="left",
            baseline="bottom",
            dx=3,
            dy=-3,
            color=TOKENS["band-edge"],
            fontSize=12,
            fontWeight="bold",
        )
        .encode(x="placed_at:T", y=alt.value(0), text="hold_id:N")
    )
    colour = alt.Color(
        "what:N",
        scale=_colours(clean="cool", failed="warn", let_through="good", leak="bad"),
        legend=alt.Legend(title=None, offset=22),
    )
    y = alt.Y("automation_id:N", title=None, axis=alt.Axis(ticks=False, domain=False, grid=True))
    base = alt.Chart(drawn).encode(y=y, color=colour)
    bars = base.mark_bar(height=12, minBandSize=2).encode(x="started_at:T", x2="finished_at:T")
    starts = base.mark_tick(thickness=2, size=12).encode(x="started_at:T")
    leaks = (
        base.transform_filter("datum.what == 'leak'")
        .mark_point(shape="triangle-down", filled=True, size=90, yOffset=-13, opacity=1)
        .encode(x="started_at:T")
    )
    return _finish(
        alt.layer(area, edge, names, bars, starts, leaks).properties(
            width=WIDTH - 140, height=34 * row_count
        )
    )


def runs_over_time(buckets: pd.DataFrame, marks: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw runs per interval, failed ones apart, with the marked instants as labelled lines.

    `buckets`: started_at, outcome (clean, failed, unfinished), run_count. `marks`: occurred_at, what.
    """
    colour = alt.Color(
        "outcome:N",
        scale=_colours(clean="cool", failed="bad", unfinished="quiet"),
        legend=alt.Legend(title=None),
    )
    x = _time_x("started_at")
    step = buckets["started_at"].drop_duplicates().sort_values().diff().min()
    size = (
        4
        if pd.isna(step)
        else max(2.0, min(14.0, (WIDTH - 80) / max(buckets["started_at"].nunique() * 1.25, 1)))
    )
    bars = (
        alt.Chart(buckets)
        .mark_bar(size=size)
        .encode(
            x=x, y=alt.Y("run_count:Q", title="runs", axis=alt.Axis(tickMinStep=1)), color=colour
        )
    )
    return _finish(alt.layer(bars, *_marked(marks)).properties(width=WIDTH - 60, height=190))


def _marked(marks: pd.DataFrame) -> list[alt.Chart]:
    drawn = _labelled(marks, "what").sort_values("occurred_at").reset_index(drop=True)
    drawn["line"] = [-(index % 3) * 14 - 4 for index in range(len(drawn))]
    rule = (
        alt.Chart(drawn).mark_rule(color=TOKENS["ink"], strokeDash=[4, 3]).encode(x="occurred_at:T")
    )
    texts = [
        alt.Chart(drawn[drawn["line"] == line])
        .mark_text(align="left", baseline="bottom", dx=3, color=TOKENS["ink"], fontSize=11, dy=line)
        .encode(x="occurred_at:T", y=alt.value(0), text="what:N")
        for line in sorted(set(drawn["line"]))
    ]
    return [rule, *texts]


def rate_intervals(rates: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw failure rates as points with their intervals, one row a period.

    `rates`: period, failure_rate, low_rate, high_rate, run_count, failure_count.
    """
    drawn = _labelled(rates, "period")
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
    return _finish(
        alt.layer(span, point, text).properties(width=WIDTH - 180, height=46 * max(len(order), 1))
    )


def pareto(failures: pd.DataFrame, *, limit: int = 10) -> alt.TopLevelMixin:
    """Draw failures by error signature, most frequent first, known ones apart from new ones.

    `failures`: error_signature, failure_count, seen (new, known before).
    """
    drawn = failures.sort_values("failure_count", ascending=False, kind="stable").head(limit)
    drawn = _labelled(drawn, "error_signature")
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
    colour = alt.Color(
        "seen:N", scale=_colours(new="bad", known_before="warn"), legend=alt.Legend(title=None)
    )
    base = alt.Chart(drawn).encode(
        y=y, x=alt.X("failure_count:Q", title="failed steps", axis=alt.Axis(tickMinStep=1))
    )
    bars = base.mark_bar(height=18).encode(color=colour)
    text = base.mark_text(align="left", dx=5, color=TOKENS["ink"], fontSize=12).encode(
        text="says:N"
    )
    return _finish(
        alt.layer(bars, text).properties(width=WIDTH - 400, height=30 * max(len(drawn), 1))
    )


def status_bands(spans: pd.DataFrame, marks: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw each provider component's status over time, with the marked instants as lines.

    `spans`: component, since_at, until_at, status. `marks`: occurred_at, what.
    """
    drawn = _labelled(spans, "component")
    drawn["status"] = [str(status).replace("_", " ") for status in drawn["status"]]
    colour = alt.Color(
        "status:N",
        scale=_colours(
            operational="good", degraded="warn", partial_outage="bad", major_outage="bad", maintenance="cool",
            unknown="quiet",
        ),
        legend=alt.Legend(title=None, offset=44, values=sorted(set(drawn["status"]))),
    )  # fmt: skip
    y = alt.Y("component:N", title=None, axis=alt.Axis(ticks=False, domain=False))
    bars = (
        alt.Chart(drawn)
        .mark_bar(height=16)
        .encode(x=_time_x("since_at"), x2="until_at:T", y=y, color=colour)
    )
    height = 34 * max(int(drawn["component"].nunique()), 1)
    return _finish(alt.layer(bars, *_marked(marks)).properties(width=WIDTH - 140, height=height))


def switch_steps(targets: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw, for each automation, how long after the pause each of its four steps came.

    `targets`: automation_id, step (recorded, delivered, confirmed, quiet, last write), elapsed_seconds.
    """
    drawn = _labelled(targets, "automation_id")
    colour = alt.Color(
        "step:N",
        scale=_colours(
            recorded="quiet", delivered="cool", confirmed="good", quiet="ink", last_write="bad"
        ),
        legend=alt.Legend(title=None),
    )
    y = alt.Y("automation_id:N", title=None, axis=alt.Axis(ticks=False, domain=False, grid=True))
    x = alt.X("elapsed_seconds:Q", title="seconds after the pause was recorded")
    points = (
        alt.Chart(drawn)
        .mark_point(filled=True, size=100, opacity=0.95)
        .encode(x=x, y=y, color=colour)
    )
    return _finish(
        points.properties(
            width=WIDTH - 160, height=32 * max(int(drawn["automation_id"].nunique()), 1)
        )
    )


def phase_lengths(phases: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw the phases of an incident one after the other on the clock.

    `phases`: phase, started_at, finished_at, says.
    """
    drawn = _labelled(phases, "phase", "says")
    y = alt.Y(
        "phase:N",
        sort=list(drawn["phase"]),
        title=None,
        axis=alt.Axis(ticks=False, domain=False, grid=True),
    )
    base = alt.Chart(drawn).encode(y=y)
    bars = base.mark_bar(height=14, color=TOKENS["cool"]).encode(
        x=_time_x("started_at"), x2="finished_at:T"
    )
    text = base.mark_text(align="left", dx=6, color=TOKENS["ink"], fontSize=12).encode(
        x="finished_at:T", text="says:N"
    )
    return _finish(
        alt.layer(bars, text).properties(width=WIDTH - 230, height=30 * max(len(drawn), 1))
    )


def swim_lanes(events: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw the merged timeline, one lane for each source.

    `events`: occurred_at, source, what, weight (main, other).
    """
    drawn = _labelled(events, "source", "what")
    y = alt.Y("source:N", title=None, axis=alt.Axis(ticks=False, domain=False, grid=True))
    colour = alt.Color("weight:N", scale=_colours(main="bad", other="cool"), legend=None)
    points = alt.Chart(drawn).mark_point(filled=True, size=60, opacity=0.85)
    encoded = points.encode(x=_time_x("occurred_at"), y=y, color=colour)
    return _finish(
        encoded.properties(width=WIDTH - 160, height=34 * max(int(drawn["source"].nunique()), 1))
    )


def change_leads(changes: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw changes before the onset by how long before it they came.

    `changes`: what, kind, lead_minutes.
    """
    drawn = _labelled(changes, "what")
    y = alt.Y("what:N", sort=list(drawn["what"]), title=None, axis=alt.Axis(labelLimit=330))
    x = alt.X(
        "lead_minutes:Q",
        title="minutes before the onset",
        scale=alt.Scale(reverse=True, domainMin=0),
    )
    bars = alt.Chart(drawn).mark_bar(height=12, color=TOKENS["cool"]).encode(x=x, y=y)
    return _finish(bars.properties(width=WIDTH - 380, height=28 * max(len(drawn), 1)))

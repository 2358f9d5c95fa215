"""What all figures share: size, font, colours as tokens, axes in UTC, and the way to SVG.

Colours are tokens that the style sheet redefines for dark pages and paper, so that one SVG serves all three.
"""

from __future__ import annotations

import html
import re
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

from workbench.plots.text import label

WIDTH = 900
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"

WIDER_PIXELS = 1.4
"""How much wider a letter of 12 px may be than Arial's: DejaVu Sans and Verdana are, by a sixth to a fifth."""

FRAME = re.compile(
    r'width="(?P<width>[\d.]+)" height="(?P<height>[\d.]+)" viewBox="0 0 (?P=width) (?P=height)"'
)

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


def to_svg(chart: alt.TopLevelMixin) -> str:
    """Draw a chart as SVG text whose colours follow the page."""
    spec: dict[str, Any] = chart.to_dict()
    svg: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    if "<text" not in svg:
        # The drawing engine reports its faults on standard error and returns an empty frame.
        raise ValueError("a figure came out empty")
    svg = _with_room(svg)
    for name, colour in TOKENS.items():
        svg = re.sub(
            rf'(fill|stroke)="{colour}"',
            rf'\1="var(--wb-ch-{name}, {colour})"',
            svg,
            flags=re.IGNORECASE,
        )
    return svg


def _with_room(svg: str) -> str:
    """Return the SVG with a margin for letters that are wider in the reader's font than in ours.

    The frame was measured with Arial's widths; where a page falls back to a wider font, long labels would be cut.
    """
    anchors: dict[str, int] = {}
    for words, text in re.findall(r"<text ([^>]*)>([^<]*)</text>", svg):
        anchor = re.search(r'text-anchor="(\w+)"', words)
        name = anchor[1] if anchor else "start"
        anchors[name] = max(anchors.get(name, 0), len(html.unescape(text)))
    left, right = (round(anchors.get(name, 0) * WIDER_PIXELS) for name in ("end", "start"))

    def wider(frame: re.Match[str]) -> str:
        width, height = float(frame["width"]) + left + right, frame["height"]
        return f'width="{width:g}" height="{height}" viewBox="{-left} 0 {width:g} {height}"'

    return FRAME.sub(wider, svg, count=1)


def finish(chart: alt.Chart | alt.LayerChart | alt.FacetChart) -> alt.TopLevelMixin:
    """Give a chart the look that all figures share."""
    ink, muted, grid = TOKENS["ink"], TOKENS["muted"], TOKENS["grid"]
    finished: alt.TopLevelMixin = (
        chart.properties(background="transparent", padding={"left": 4, "right": 8, "top": 4, "bottom": 4})
        .configure(font=FONT)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=ink, titleColor=muted, gridColor=grid, domainColor=muted, tickColor=muted, labelFontSize=12,
            titleFontSize=12, titleFontWeight="normal", labelLimit=260, titlePadding=8, labelPadding=5,
        )
        .configure_legend(
            columnPadding=24,  # the fonts that readers have are wider than those it is laid out with
            labelColor=ink, titleColor=muted, labelFontSize=12, titleFontSize=12, titleFontWeight="normal",
            orient="top", symbolType="square", labelLimit=320, offset=6,
        )
    )  # fmt: skip
    return finished


Domain = tuple[pd.Timestamp, pd.Timestamp]


def time_x(field: str, domain: Domain) -> alt.X:
    """Return a time axis in UTC over a window; its title says the day, or its labels do where there are several."""
    since, until = domain
    has_days = since.date() != until.date()
    form = "%d %b %H:%M" if has_days else "%H:%M"
    axis = alt.Axis(
        # A format is read as one of numbers when the axis is binned; an expression never is.
        labelExpr=f"utcFormat(datum.value, '{form}')",
        title="UTC" if has_days else f"{since:%Y-%m-%d}, UTC",
        tickCount=7,
        labelOverlap=True,
        grid=False,
    )
    scale = alt.Scale(type="utc", domain=[since.isoformat(), until.isoformat()])
    return alt.X(f"{field}:T", scale=scale, axis=axis)


def domain_of(*columns: pd.Series[Any]) -> Domain:
    """Return the first and the last instant of some columns, with a little room on both sides."""
    known = pd.concat([pd.to_datetime(column, utc=True) for column in columns]).dropna()
    since, until = pd.Timestamp(known.min()), pd.Timestamp(known.max())
    room = max((until - since) * 0.02, pd.Timedelta(seconds=1))
    return since - room, until + room


def count_axis(most: float) -> alt.Axis:
    """Return an axis for counts: whole numbers only."""
    return alt.Axis(tickCount=int(max(1, min(most, 6))), format="d")


def labelled(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return a copy whose named columns hold short plain text only."""
    found = frame.copy()
    for column in columns:
        found[column] = [label(value) for value in found[column]]
    return found


def colours(**meaning: str) -> alt.Scale:
    """Return a scale that gives each word, in order, the colour of a token."""
    words = [word.replace("_", " ") for word in meaning]
    return alt.Scale(domain=words, range=[TOKENS[token] for token in meaning.values()])


def marked(marks: pd.DataFrame) -> list[alt.Chart]:
    """Return dashed lines with their words at marked instants: occurred_at, what."""
    drawn = labelled(marks, "what").sort_values("occurred_at").reset_index(drop=True)
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

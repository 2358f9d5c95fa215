"""Figures of the post-incident review: a data frame in, a chart out; nothing is read, written or asked for."""

from __future__ import annotations

import altair as alt
import pandas as pd

from workbench.plots.drawing import TOKENS, WIDTH, colours, domain_of, finish, labelled, time_x

STEP_TICKS = (0, 1, 5, 20, 60, 300, 1200, 3600, 14400, 86400)
"""Seconds that a reader knows; the scale between them is compressed, or the first second hides everything."""


def switch_steps(targets: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw, for each automation, how long after the pause each of its steps came.

    `targets`: automation_id, step (recorded, delivered, confirmed, quiet, last write), elapsed_seconds.
    """
    drawn = labelled(targets, "automation_id")
    most = float(drawn["elapsed_seconds"].max())
    ticks = [tick for tick in STEP_TICKS if tick <= most * 1.2] or [0]
    meaning = {
        "recorded": "quiet",
        "delivered": "cool",
        "confirmed": "good",
        "quiet": "ink",
        "last_write": "bad",
    }
    present = {str(step).replace(" ", "_") for step in drawn["step"]}
    shown = {word: token for word, token in meaning.items() if word in present}
    colour = alt.Color("step:N", scale=colours(**shown), legend=alt.Legend(title=None))
    y = alt.Y("automation_id:N", title=None, axis=alt.Axis(ticks=False, domain=False, grid=True))
    x = alt.X(
        "elapsed_seconds:Q",
        title="seconds after the pause was recorded",
        scale=alt.Scale(type="symlog", constant=0.5),
        axis=alt.Axis(values=ticks, format=","),
    )
    points = alt.Chart(drawn).mark_point(filled=True, size=110, opacity=0.95)
    encoded = points.encode(x=x, y=y, color=colour, shape=alt.Shape("step:N", legend=None))
    row_count = max(int(drawn["automation_id"].nunique()), 1)
    return finish(encoded.properties(width=WIDTH - 160, height=36 * row_count))


def phase_lengths(phases: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw the phases of an incident one after the other on the clock.

    `phases`: phase, started_at, finished_at, says.
    """
    drawn = labelled(phases, "phase", "says")
    y = alt.Y(
        "phase:N",
        sort=list(drawn["phase"]),
        title=None,
        axis=alt.Axis(ticks=False, domain=False, grid=True),
    )
    base = alt.Chart(drawn).encode(y=y)
    bars = base.mark_bar(height=14, color=TOKENS["cool"]).encode(
        x=time_x("started_at", domain_of(drawn["started_at"], drawn["finished_at"])),
        x2="finished_at:T",
    )
    text = base.mark_text(align="left", dx=6, color=TOKENS["ink"], fontSize=12).encode(
        x="finished_at:T", text="says:N"
    )
    return finish(
        alt.layer(bars, text).properties(width=WIDTH - 230, height=30 * max(len(drawn), 1))
    )


def swim_lanes(events: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw the merged timeline, one lane for each source.

    `events`: occurred_at, source, what, weight (main, other).
    """
    drawn = labelled(events, "source", "what")
    drawn["says"] = [
        {"main": "turning point", "other": "everything else"}.get(str(weight), str(weight))
        for weight in drawn["weight"]
    ]
    y = alt.Y("source:N", title=None, axis=alt.Axis(ticks=False, domain=False, grid=True))
    words = ["turning point", "everything else"]
    scale = alt.Scale(domain=words, range=[TOKENS["bad"], TOKENS["cool"]])
    colour = alt.Color("says:N", scale=scale, legend=alt.Legend(title=None))
    shapes = alt.Scale(domain=words, range=["diamond", "circle"])
    shape = alt.Shape("says:N", scale=shapes, legend=alt.Legend(title=None))
    points = alt.Chart(drawn).mark_point(filled=True, size=80, opacity=0.85)
    x = time_x("occurred_at", domain_of(drawn["occurred_at"]))
    encoded = points.encode(x=x, y=y, color=colour, shape=shape)
    row_count = max(int(drawn["source"].nunique()), 1)
    return finish(encoded.properties(width=WIDTH - 160, height=34 * row_count))


def change_leads(changes: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw changes before the onset by how long before it they came.

    `changes`: what, kind, lead_minutes.
    """
    drawn = labelled(changes, "what")
    y = alt.Y("what:N", sort=list(drawn["what"]), title=None, axis=alt.Axis(labelLimit=330))
    x = alt.X(
        "lead_minutes:Q",
        title="minutes before the onset",
        scale=alt.Scale(reverse=True, domainMin=0),
    )
    bars = alt.Chart(drawn).mark_bar(height=12, color=TOKENS["cool"]).encode(x=x, y=y)
    return finish(bars.properties(width=WIDTH - 380, height=28 * max(len(drawn), 1)))

"""Figures of the back-test: a data frame in, a chart out; nothing is read, written or asked for."""

from __future__ import annotations

import altair as alt
import pandas as pd

from workbench.plots.drawing import TOKENS, WIDTH, colours, finish, labelled


def relapse_shares(shares: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw each unit's share of relapses with its exact interval, and both chances beside it.

    `shares`: unit, relapse_share, low_share, high_share, chance_share, local_share, relapse_count, resolution_count.
    """
    drawn = labelled(shares, "unit")
    drawn["says"] = [
        f"{count:,} of {total:,}"
        for count, total in zip(drawn["relapse_count"], drawn["resolution_count"], strict=True)
    ]
    order = list(drawn["unit"])
    axis = alt.Axis(ticks=False, domain=False, minExtent=200)
    y = alt.Y("unit:N", sort=order, title=None, axis=axis)
    top = min(1.0, max(0.05, float(drawn["high_share"].max()) * 1.3))
    scale = alt.Scale(domain=[0, top])
    shares_axis = alt.Axis(format=".0%", tickCount=6)
    title = "share that relapsed, 95 % interval"
    x = alt.X("low_share:Q", title=title, scale=scale, axis=shares_axis)
    base = alt.Chart(drawn).encode(y=y)
    span = base.mark_rule(strokeWidth=3, color=TOKENS["quiet"]).encode(x=x, x2="high_share:Q")
    text = base.mark_text(align="left", dx=6, color=TOKENS["ink"], fontSize=12).encode(
        x="high_share:Q", text="says:N"
    )
    layers = alt.layer(span, _points(drawn, y), text)
    return finish(layers.properties(width=WIDTH - 300, height=30 * max(len(order), 1)))


def _points(drawn: pd.DataFrame, y: alt.Y) -> alt.Chart:
    words = {
        "relapse_share": "measured",
        "chance_share": "chance, own rate",
        "local_share": "chance, local rate",
    }
    long = drawn.melt(id_vars="unit", value_vars=list(words), var_name="what", value_name="share")
    long = long[long["share"].notna()].assign(what=lambda rows: rows["what"].map(words))
    names = list(words.values())
    colour = alt.Scale(domain=names, range=[TOKENS["cool"], TOKENS["warn"], TOKENS["bad"]])
    shapes = alt.Scale(domain=names, range=["circle", "cross", "diamond"])
    legend = alt.Legend(title=None)
    points = alt.Chart(long.astype({"share": "float64"})).mark_point(
        filled=True, size=90, opacity=1
    )
    encoded: alt.Chart = points.encode(
        x="share:Q",
        y=y,
        color=alt.Color("what:N", scale=colour, legend=legend),
        shape=alt.Shape("what:N", scale=shapes, legend=legend),
    )
    return encoded


def rules(compared: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw what became of the relapses under each rule, with the hours that it held in words.

    `compared`: rule, avoided_count, narrow_count, met_count, relapse_count, held_hours, narrow_hours.
    """
    drawn = labelled(compared, "rule")
    drawn["rule"] = [str(rule) for rule in compared["rule"]]
    words = {
        "avoided_count": "avoided",
        "narrow_count": "met by a narrow restart",
        "met_count": "met in full",
    }
    long = drawn.melt(id_vars="rule", value_vars=list(words), var_name="what", value_name="count")
    long["place"] = long["what"].map({name: place for place, name in enumerate(words)})
    long["what"] = long["what"].map(words)
    drawn["says"] = [
        f"{held:,.0f} h held" + (f" + {narrow:,.0f} h narrow" if narrow else "")
        if held == held  # not a number where nobody knows what was open
        else "cannot tell"
        for held, narrow in zip(drawn["held_hours"], drawn["narrow_hours"], strict=True)
    ]
    order = list(drawn["rule"])
    top = max(float(drawn["relapse_count"].max()), 1.0) * 1.7  # the words beside the bars need room
    y = alt.Y(
        "rule:N", sort=order, title=None, axis=alt.Axis(ticks=False, domain=False, minExtent=280)
    )
    scale = colours(avoided="good", met_by_a_narrow_restart="cool", met_in_full="bad")
    bars = alt.Chart(long).mark_bar(height=14)
    encoded = bars.encode(
        x=alt.X("count:Q", title="relapses", stack="zero", scale=alt.Scale(domain=[0, top])),
        y=y,
        color=alt.Color("what:N", scale=scale, legend=alt.Legend(title=None)),
        order=alt.Order("place:Q"),
    )
    text = alt.Chart(drawn).mark_text(align="left", dx=6, color=TOKENS["ink"], fontSize=12)
    hours = text.encode(x="relapse_count:Q", y=y, text="says:N")
    layers = alt.layer(encoded, hours)
    return finish(layers.properties(width=WIDTH - 300, height=32 * max(len(order), 1)))


def looks(asked: pd.DataFrame) -> alt.TopLevelMixin:
    """Draw what the gate said each time it was asked after the alert had stopped.

    `asked`: hold, after_minutes, verdict.
    """
    drawn = labelled(asked, "hold", "verdict")
    meaning = {
        "escalate": "bad", "keep_paused": "warn", "narrow_restart_allowed": "good",
    }  # fmt: skip
    present = {str(word).replace(" ", "_") for word in drawn["verdict"]}
    shown = {word: token for word, token in meaning.items() if word in present}
    legend = alt.Legend(title=None)
    words = [word.replace("_", " ") for word in shown]
    shapes = {
        "escalate": "square",
        "keep paused": "circle",
        "narrow restart allowed": "triangle-up",
    }
    points = alt.Chart(drawn).mark_point(filled=True, size=110, opacity=1)
    encoded = points.encode(
        x=alt.X(
            "after_minutes:Q",
            title="minutes after the last alert stopped",
            axis=alt.Axis(format="d", tickMinStep=1),
            scale=alt.Scale(zero=True, padding=14),
        ),
        y=alt.Y("hold:N", title=None, axis=alt.Axis(ticks=False, domain=False, grid=True)),
        color=alt.Color("verdict:N", scale=colours(**shown), legend=legend),
        shape=alt.Shape(
            "verdict:N",
            scale=alt.Scale(domain=words, range=[shapes[word] for word in words]),
            legend=legend,
        ),
    )
    height = 36 * max(int(drawn["hold"].nunique()), 1)
    return finish(encoded.properties(width=WIDTH - 160, height=height))

"""What a back-test says: one section for each history, one for the replayed holds, and what can not be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from workbench.review.backtest import (
    ALERT_STOPS,
    HORIZON_HOURS,
    OPEN_RULES,
    PROVIDER_NOUN,
    USUAL,
    Pace,
    RuleTrial,
    pooled_share,
)
from workbench.review.ground import Section, counted, percent
from workbench.review.relapse import (
    CANNOT_TELL,
    HORIZONS_HOURS,
    LOCAL_DAYS,
    MIN_RESOLUTIONS,
    MORE,
    History,
    relapse_shares,
)
from workbench.review.replay import HoldReplay, look_rows, replay_rows, replay_sentence
from workbench.review.statistics import upper_bound

Row = Mapping[Any, Any]
"""One compared rule, or one pooled share, by the name of its numbers."""

TELLING_WAIT = "wait 6 h"
"""The wait that the sentence names: as long as 59 clean runs take at the usual pace."""

MOST_UNITS = 30
"""Units that have a row of their own and a bar; a table of all alerts would be read by nobody."""

LIMITS = (
    "Rates drift: a part of each excess over the own rate is a bad month, not a relapse. The local rate, of the "
    f"{LOCAL_DAYS} days before and after, takes most of that out; a bad week it cannot take out.",
    "An incident history has no runs. Of the gate's twelve checks it can answer one, the provider's state; that runs, "
    "steps, approvals, the audit chain and the records that were written would have kept something paused for longer "
    "is seen on replayed holds alone.",
    "Hours are hours of one component: what depends on several of them stands still for the longest, not for the sum. "
    "Nobody knows how much a paused hour costs, and how much a relapse; a rule is worth its hours where a relapse "
    "costs more than the hours for each that it avoids.",
    "A replayed hold is asked about as of instants of the past, but with the registry as it stands at the end of the "
    "log: what was registered, retired or given another owner since counts as if it had been so then.",
    "An exact interval takes the resolutions of one component as independent; where one relapse follows another it is "
    "too narrow. The intervals of totals are drawn over blocks of time and do not.",
    "What is avoided is trouble of the provider that meets an automation; no automation ran in this history.",
)
"""What every page of a back-test says of itself."""


def history_section(history: History, *, pace: Pace = USUAL) -> Section:
    """Return the section of one history: relapse shares, rules over all units, and over each that can be told."""
    shares = {hours: relapse_shares(history, horizon_hours=hours) for hours in HORIZONS_HOURS}
    tables = {
        f"Relapse within {hours} h of `resolved`, by {history.noun}": shown_shares(
            rows, history.noun
        )
        for hours, rows in shares.items()
    }
    trial = RuleTrial(history, pace=pace)
    rules = trial.compared()
    sentence = f"{shares_sentence(history, shares)}\n{rules_sentence(history, rules)}"
    if rules["resolution_count"].max() < MIN_RESOLUTIONS:
        return Section(title_of(history), sentence, tables)
    told = shares[int(HORIZON_HOURS)]
    told = told[told["relapse_share"].notna()]
    most = f", the {MOST_UNITS} with most trouble" if len(told) > MOST_UNITS else ""
    told = told.head(MOST_UNITS)
    tables["Restart rules over all of them"] = shown_rules(rules)
    if len(told):
        tables[f"Restart rules, by {history.noun}{most}"] = unit_rules(
            trial, told, noun=history.noun
        )
    figures = {"relapse_shares": told, "rules": rules} if len(told) else {"rules": rules}
    return Section(title_of(history), sentence, tables, figures)


def title_of(history: History) -> str:
    """Return the heading of a history."""
    return f"{history.name[0].upper()}{history.name[1:]}"


def shares_sentence(history: History, shares: Mapping[int, pd.DataFrame]) -> str:
    """Say how often what was resolved relapsed, over all units and for those that stand out."""
    said = []
    for hours, rows in shares.items():
        pooled = pooled_share(history, horizon_hours=hours)
        total = int(pooled["resolution_count"] or 0)
        if total < MIN_RESOLUTIONS:
            few = counted(total, "resolution")
            said.append(f"Within {hours} h: {few} that can be judged, too few: {CANNOT_TELL}.")
            continue
        share, own = (
            percent(float(pooled[f"{name}_share"] or 0)) for name in ("relapse", "chance")
        )
        local = CANNOT_TELL if pooled["local_share"] is None else percent(pooled["local_share"])
        span = interval_words(pooled, "relapse_share", words=percent)
        excess = percent(float(pooled["excess_share"] or 0))
        more = interval_words(pooled, "excess_share", words=percent)
        names = list(rows[rows["finding"] == MORE]["unit"])
        said.append(
            f"Of {counted(total, 'resolution')} of {counted(len(history.units), history.noun)} {share}{span} "
            f"relapsed within {hours} h; chance at their own rates gives {own}, at the rates of the "
            f"weeks around {local}. {excess}{more} of the resolutions are beyond the larger of the two. More than "
            f"chance, each taken for itself: {', '.join(names) or 'none'}."
        )
    return "\n".join(said)


def rules_sentence(history: History, rules: pd.DataFrame) -> str:
    """Say what waiting and the gate would have avoided, and at what hours."""
    alert, wait = (_rule(rules, name) for name in (ALERT_STOPS, TELLING_WAIT))
    total = int(alert["relapse_count"])
    resolved = int(alert["resolution_count"])
    if resolved < MIN_RESOLUTIONS:
        return f"What a rule would have avoided: {CANNOT_TELL}."
    if not total:
        most = percent(upper_bound(0, resolved))
        return f"None of {resolved:,} relapsed within {HORIZON_HOURS:g} h, at most {most} do: nothing to avoid."
    return (
        f"`{ALERT_STOPS}` met all {total:,} of the relapses within {HORIZON_HOURS:g} h. Waiting 6 h avoided "
        f"{int(wait['avoided_count']):,}{interval_words(wait, 'avoided_count', words=_whole)} and held "
        f"{wait['held_hours']:,.0f} hours, {each_words(wait)}; so many hours at any other time would have avoided "
        f"{wait['chance_count']:.0f}. {open_words(history, rules)}"
    )


def open_words(history: History, rules: pd.DataFrame) -> str:
    """Say what the rules over what is open would have avoided, or which unknown ends keep that from being told."""
    is_provider = history.noun == PROVIDER_NOUN
    if history.unended_count:
        what = "the gate's provider check" if is_provider else f"waiting for every {history.noun}"
        later = counted(history.swallowed_count, "later incident")
        return (
            f"What {what} would have avoided: {CANNOT_TELL}; {counted(history.unended_count, 'incident')} without an "
            f"end, older than the newest known, may be over or not, and {later} of the same {history.noun} cannot be "
            "told apart from these and are not counted."
        )
    green, gate = (dict(rules.iloc[n]) for n in (-OPEN_RULES, -1))
    who = "The gate's provider check" if is_provider else f"Waiting for every {history.noun}"
    return (
        f"{who} alone avoided {int(green['avoided_count']):,}; with the narrow restart "
        f"{int(gate['narrow_count']):,} more met only a few counted runs, and {int(gate['met_count']):,} came after "
        "the full restart."
    )


def _rule(rules: pd.DataFrame, name: str) -> Row:
    return dict(rules[rules["rule"] == name].iloc[0])


def is_known(value: object) -> bool:
    """Tell whether there is a number: neither None nor NaN, which is unlike itself."""
    return value is not None and value == value


def each_words(row: Row) -> str:
    """Say how many hours a rule held for each relapse that it avoided, with the interval where there is one."""
    if not is_known(row["hours_each"]):
        return "and avoided none"
    low, high = row.get("low_hours_each"), row.get("high_hours_each")
    span = ""
    if is_known(low):
        span = f" ({low:.0f} to {high:.0f})" if is_known(high) else f" ({low:.0f} or more)"
    return f"{row['hours_each']:.0f}{span} for each"


def interval_words(row: Row, name: str, *, words: Callable[[float], str]) -> str:
    """Return ` (low to high)` of a number, or that it has no interval."""
    if not is_known(row.get(f"low_{name}")):
        return " (too few for an interval)"
    return f" ({words(row[f'low_{name}'])} to {words(row[f'high_{name}'])})"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def shown_shares(rows: pd.DataFrame, noun: str) -> pd.DataFrame:
    """Return relapse shares as a table of a page; what cannot be told has words and no number."""
    shown = rows.drop(columns="p").copy()
    span = [
        f"{low * 100:.1f} to {high * 100:.1f} %" if pd.notna(low) else CANNOT_TELL
        for low, high in zip(rows["low_share"], rows["high_share"], strict=True)
    ]
    shown.insert(4, "interval", span)
    names = {"unit": noun, "local_share": "local_chance_share"}
    return shown.drop(columns=["low_share", "high_share"]).rename(columns=names)


def shown_rules(rules: pd.DataFrame) -> pd.DataFrame:
    """Return compared rules as a table of a page, numbers with their intervals as text; what is 0 by rule has none."""
    rows = [
        {
            "rule": row["rule"],
            "avoided": _with_interval(row, "avoided_count"),
            "avoided by chance": _cell(row["chance_count"]),
            "met narrowly_count": _count(row["narrow_count"]),
            "met in full_count": _count(row["met_count"]),
            "held hours": _with_interval(row, "held_hours"),
            "narrow hours": _cell(row["narrow_hours"]),
            "held hours for each avoided": _each_cell(row),
        }
        for row in rules.to_dict("records")
    ]
    return pd.DataFrame(rows)


def _with_interval(row: Row, name: str) -> str:
    if row["rule"] == ALERT_STOPS:
        return "0"
    if not is_known(row[name]):
        return CANNOT_TELL
    return f"{_whole(row[name])}{interval_words(row, name, words=_whole)}"


def _count(value: float) -> int | str:
    return int(value) if is_known(value) else CANNOT_TELL


def _cell(value: float) -> str:
    return _whole(value) if is_known(value) else CANNOT_TELL


def _each_cell(row: Row) -> str:
    if not is_known(row["held_hours"]):
        return CANNOT_TELL
    return "-" if not is_known(row["hours_each"]) else each_words(row).removesuffix(" for each")


def unit_rules(trial: RuleTrial, told: pd.DataFrame, *, noun: str) -> pd.DataFrame:
    """Return the telling rules for each unit whose share can be told, one row per unit."""
    rows = []
    by = "the gate" if noun == PROVIDER_NOUN else "waiting for all"
    for unit in told["unit"]:
        found = trial.compared([unit])
        wait, gate = _rule(found, TELLING_WAIT), dict(found.iloc[-1])
        rows.append(
            {
                noun: unit,
                "relapse_count": int(wait["relapse_count"]),
                "avoided by waiting 6 h": _with_interval(wait, "avoided_count"),
                "held hours for each": _each_cell(wait),
                f"avoided by {by}_count": _count(gate["avoided_count"]),
                "met narrowly_count": _count(gate["narrow_count"]),
                "met in full_count": _count(gate["met_count"]),
            }
        )
    return pd.DataFrame(rows)


def replay_section(replays: Sequence[HoldReplay], *, title: str) -> Section:
    """Return the section of the replayed holds."""
    looks = look_rows(replays)
    tables = {"Each hold, as it went": replay_rows(replays)} if replays else {}
    if len(looks):
        tables["Each time that the gate was asked"] = looks
    return Section(title, replay_sentence(replays), tables, {"looks": looks} if len(looks) else {})

"""Which attribute of the runs, or which two together, do the failures of an incident have in common?

Compared are the runs of the incident with each other: who shares the value against who does not. That a value
failed more often before already is allowed for (`proneness`), so what always fails a little is not blamed for what
is new. A burst of one automation within a minute and with the same attributes is one observation, as in `overlap`.
Multiplicity and null: see `scanning`. Values that mark the very same runs cannot be told apart and are one candidate.

A pair that adds no more than chance to one of its values comes after that value.
A value stands out when chance deals it so much in at most `SIGNIFICANCE` of incidents, over everything that was
looked at, and it failed at least `LEAST_RATIO` times as often as the rest. The second and later ones must stand out
among the runs that the first does not have: else they are only its shadow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.review.scanning import scan
from workbench.review.statistics import chance_of_overlap, lower_bound

FIELDS = ("provider", "version", "tool", "category", "trigger", "automation_id")
LEAST_RUNS = 5
"""Observations that a group has and leaves out at least; fewer tell nothing, whatever they did."""
MOST_VALUES = 10
"""Values of one field that are looked at, the most frequent ones: a version for each run is no attribute."""
MOST_SHOWN = 5
USUAL_RUNS = 59
"""What none of so many runs had, fewer than 5 % have (exact one-sided bound); of fewer runs nothing is usual."""
LEAST_RATIO = 2.0
FAMILIES = 3
"""Attributes, signatures and changes are looked at apart, so each chance counts three times (Bonferroni)."""
SIGNIFICANCE = 0.05
"""Share of incidents without any cause in them for which one is named, at most, over all families."""

STANDS_OUT = "stands out"
SHADOW = "only with the first"
CHANCE = "no more than chance"

Mark = tuple[tuple[str, str], ...]
"""What a run has: one field with its value, or two. Values are strangers' words, so nothing is read from the text."""
Group = tuple[Mark, ...]
Counts = tuple[int, int]


@dataclass(frozen=True)
class Candidate:
    """One thing that may have been the cause, and what speaks for it.

    Attributes:
        names: what it is called, to be shown; several where the runs cannot tell them apart.
        inside: troubled runs and runs of the incident with it; `elsewhere`: those without it.
        before: troubled runs and runs with it before the onset.
        chance: how often chance alone does as much, over everything that was looked at.
    """

    kind: str
    names: tuple[str, ...]
    inside: Counts
    elsewhere: Counts
    before: Counts
    chance: float
    standing: str
    lead_seconds: float | None = None

    @property
    def is_named(self) -> bool:
        """Tell whether it stands out."""
        return self.standing == STANDS_OUT


@dataclass(frozen=True)
class Groups:
    """What was looked at: what marks each group, and which observations it has."""

    marks: Sequence[Group]
    members: NDArray[np.bool_]


def rank_attributes(during: pd.DataFrame, before: pd.DataFrame) -> tuple[list[Candidate], int]:
    """Return the attributes and pairs that failures share, the strongest first, and how many were looked at.

    `during` and `before`: runs of the incident and of the time before; columns: run_id, started_at, is_troubled
    and those of `FIELDS`.
    """
    seen = observations(during)
    groups = groups_of(seen)
    weights = proneness(seen, before)
    is_bad = seen["is_troubled"].to_numpy(dtype=np.bool_)
    statistics, chances = scan(groups.members, is_bad, weights=weights)
    order = sorted(
        range(len(statistics)), key=lambda i: (-statistics[i], names_of(groups.marks[i]))
    )
    order = _simplest_first(order, groups, is_bad=is_bad)
    found = [
        (
            groups.marks[i],
            candidate_of(groups.marks[i], during, before=before, chance=float(chances[i])),
        )
        for i in order[:MOST_SHOWN]
        if statistics[i] > 0
    ]
    return _without_shadows(found, seen, weights=weights), len(groups.marks)


def _simplest_first(order: list[int], groups: Groups, *, is_bad: NDArray[np.bool_]) -> list[int]:
    """Return the order with a value before a pair that leads it, where the pair adds no more than chance.

    It adds something when the runs of the value that the pair leaves out fail less, by an exact test.
    """
    if not order or not _is_pair(groups.marks[order[0]][0]):
        return order
    pair = groups.members[order[0]]
    parts = {(part,) for mark in groups.marks[order[0]] for part in mark}
    for place in order[1:]:
        value = groups.members[place]
        if not parts & set(groups.marks[place]):
            continue
        rest = value & ~pair
        inside = int(is_bad[pair].sum()), int(pair.sum())
        if chance_of_overlap(inside, (int(is_bad[rest].sum()), int(rest.sum()))) > SIGNIFICANCE:
            return [place, *(other for other in order if other != place)]
    return order


def observations(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with what came in one burst put together, in a fixed order."""
    known = runs.copy()
    for field in FIELDS:
        known[field] = known[field].where(known[field].notna(), "").astype(str)
    known["minute_at"] = known["started_at"].dt.floor("1min")
    return known.groupby([*FIELDS, "minute_at"], sort=True)["is_troubled"].any().reset_index()


def groups_of(seen: pd.DataFrame) -> Groups:
    """Return every value and every pair of values of two fields, those that mark the same runs as one."""
    single = list(_values(seen))
    pairs = (
        ((one, other), mine & others)
        for (one, mine), (other, others) in combinations(single, 2)
        if one[0] != other[0]
    )
    found: dict[bytes, tuple[list[Mark], NDArray[np.bool_]]] = {}
    for mark, members in [*(((part,), mine) for part, mine in single), *pairs]:
        if not LEAST_RUNS <= members.sum() <= len(seen) - LEAST_RUNS:
            continue
        marks, _ = found.setdefault(members.tobytes(), ([], members))
        # A pair that marks the runs of one of its values says no more than that value.
        if not marks or not _is_pair(mark) or _is_pair(marks[0]):
            marks.append(mark)
    rows = [members for _, members in found.values()]
    stacked = np.stack(rows) if rows else np.zeros((0, len(seen)), dtype=np.bool_)
    return Groups([tuple(marks) for marks, _ in found.values()], stacked)


def _values(seen: pd.DataFrame) -> Iterator[tuple[tuple[str, str], NDArray[np.bool_]]]:
    for field in FIELDS:
        counts = seen[field].value_counts(sort=False).sort_index()
        for value in counts.sort_values(ascending=False, kind="stable").index[:MOST_VALUES]:
            if value:
                yield (field, str(value)), (seen[field] == value).to_numpy()


def _is_pair(mark: Mark) -> bool:
    return len(mark) > 1


def names_of(group: Group) -> tuple[str, ...]:
    """Return how a group is shown: `provider=acme and tool=ledger`; a value that could be misread is quoted."""
    return tuple(" and ".join(map(_shown, mark)) for mark in group)


def _shown(part: tuple[str, str]) -> str:
    field, value = part
    is_plain = " and " not in value and "=" not in value
    return f"{field.removesuffix('_id')}={value if is_plain else json.dumps(value, ensure_ascii=False)}"


def has(runs: pd.DataFrame, mark: Mark) -> pd.Series[bool]:
    """Tell for each run whether it has every value of a mark."""
    found = pd.Series(True, index=runs.index, dtype=bool)
    for field, value in mark:
        found &= runs[field].astype(object) == value
    return found


def proneness(seen: pd.DataFrame, before: pd.DataFrame) -> NDArray[np.float64]:
    """Return how much more often than the rest each observation's worst value failed before, at least 1.

    A value counts as prone where its lower 95 % bound (Clopper and Pearson 1934) is above the rate of all runs. Fewer
    than `USUAL_RUNS` say nothing.
    """
    bad, count = int(before["is_troubled"].sum()), len(before)
    weights = np.ones(len(seen))
    if not bad:
        return weights
    for field in FIELDS:
        grouped = before.groupby(field)["is_troubled"].agg(["sum", "size"])
        ratios = {
            str(value): _times_the_rest((int(row["sum"]), int(row["size"])), (bad, count))
            for value, row in grouped.iterrows()
        }
        weights = np.maximum(weights, seen[field].map(ratios).fillna(1.0).to_numpy(np.float64))
    return weights


def _times_the_rest(mine: Counts, total: Counts) -> float:
    if mine[1] < USUAL_RUNS or lower_bound(*mine) <= total[0] / total[1]:
        return 1.0
    rest_rate = (total[0] - mine[0] + 0.5) / (total[1] - mine[1] + 1)
    return max(1.0, mine[0] / mine[1] / rest_rate)


def candidate_of(
    group: Group, during: pd.DataFrame, *, before: pd.DataFrame, chance: float
) -> Candidate:
    """Return what the runs say of one group, with its chance counted for all families."""
    inside = has(during, group[0])
    mine, others = counts_of(during[inside]), counts_of(during[~inside])
    adjusted = min(1.0, chance * FAMILIES)
    rate, rest = mine[0] / max(mine[1], 1), others[0] / max(others[1], 1)
    is_named = adjusted <= SIGNIFICANCE and rate >= LEAST_RATIO * rest
    return Candidate(
        kind="pair" if _is_pair(group[0]) else "attribute",
        names=names_of(group),
        inside=mine,
        elsewhere=others,
        before=counts_of(before[has(before, group[0])]),
        chance=adjusted,
        standing=STANDS_OUT if is_named else CHANCE,
    )


def counts_of(runs: pd.DataFrame) -> Counts:
    """Return how many runs were troubled, of how many."""
    return int(runs["is_troubled"].sum()), len(runs)


def _without_shadows(
    found: list[tuple[Group, Candidate]], seen: pd.DataFrame, *, weights: NDArray[np.float64]
) -> list[Candidate]:
    """Return the candidates, those that stand out only by the first one's runs marked as its shadows."""
    found = sorted(found, key=lambda one: not one[1].is_named)
    if not found or not found[0][1].is_named:
        return [one for _, one in found]
    is_left = ~has(seen, found[0][0][0]).to_numpy(dtype=np.bool_)
    left = seen[is_left].reset_index(drop=True)
    groups = groups_of(left)
    is_bad = left["is_troubled"].to_numpy(dtype=np.bool_)
    _, chances = scan(groups.members, is_bad, weights=weights[is_left])
    beyond = {
        mark: float(chance) * FAMILIES
        for marks, chance in zip(groups.marks, chances, strict=True)
        for mark in marks
    }
    marked = [found[0][1]]
    for group, one in found[1:]:
        is_more = min(beyond.get(mark, 1.0) for mark in group) <= SIGNIFICANCE
        if one.is_named and not is_more:
            one = replace(one, standing=SHADOW)
        marked.append(one)
    return marked

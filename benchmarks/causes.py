"""How often the search for a cause names the planted one first, and how often one where none was planted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.incidents import PLANTED, Incident, make_incident
from benchmarks.measure import Figure, Target
from workbench.review.causes import search_causes

INCIDENTS = 200
"""Seeded incidents with a cause, as many of each kind; as many again have none."""
FIRST = Target(85, is_least=True)
AMONG_THREE = Target(90, is_least=True)
FALSE_ALARMS = Target(5)


def measure(_: Path) -> list[Figure]:
    """Search for the cause of every incident, and count."""
    return figures(INCIDENTS)


def figures(count: int) -> list[Figure]:
    """Return precision at 1 and 3 over so many incidents, for each kind too, and false alarms over as many without."""
    seeds = range(count // len(PLANTED))
    ranks = {kind: [rank_of(make_incident(seed, kind)) for seed in seeds] for kind in PLANTED}
    every = [rank for found in ranks.values() for rank in found]
    alarms = [bool(search_causes(make_incident(seed).evidence).named) for seed in range(count)]
    return [
        _share("planted cause named first", every, most=1, target=FIRST),
        _share("planted cause among the first three", every, most=3, target=AMONG_THREE),
        *(_share(f"of those, {kind} first", found, most=1) for kind, found in ranks.items()),
        Figure(
            "a cause named where none was planted",
            100 * sum(alarms) / len(alarms),
            "%",
            target=FALSE_ALARMS,
            note=f"{sum(alarms)} of {len(alarms)} seeded incidents in which all runs fail more, with no cause",
        ),
    ]


def rank_of(incident: Incident) -> int:
    """Return the place of the planted cause among those that are named, from 1; 0 where it is not named.

    A candidate of several names that the runs cannot tell apart counts as its place when one of them is planted.
    """
    named = search_causes(incident.evidence).named
    places = [place for place, one in enumerate(named, 1) if incident.truth in one.names]
    return places[0] if places else 0


def _share(name: str, ranks: Sequence[int], *, most: int, target: Target | None = None) -> Figure:
    hits = sum(1 <= rank <= most for rank in ranks)
    return Figure(
        name,
        100 * hits / len(ranks),
        "%",
        target=target,
        note=f"{hits} of {len(ranks)} seeded incidents; what is not named counts as missed",
    )

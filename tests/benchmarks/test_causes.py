"""The benchmark of the search for a cause counts hits and false alarms, and sees a search that is too eager."""

from __future__ import annotations

import pytest

from benchmarks import causes
from benchmarks.causes import figures, rank_of
from benchmarks.incidents import PLANTED, make_incident
from workbench.review import attributes
from workbench.review.scanning import scan


def test_a_sample_reaches_the_targets() -> None:
    """Over a few incidents of each kind the cause is mostly first, and hardly any is named where there is none."""
    first, among_three, *kinds, alarms = figures(3 * len(PLANTED))
    assert len(kinds) == len(PLANTED)
    assert (first.value or 0) >= 80 and (among_three.value or 0) >= (first.value or 0)
    assert (alarms.value or 0) <= 100 * 3 / 24


def test_a_search_without_the_correction_is_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeded: where each group is judged as if it were the only one, causes are named that were never planted."""

    def eager(members, is_bad, *, weights):
        alone = [scan(one[None, :], is_bad, weights=weights) for one in members[:60]]
        statistics, chances = scan(members, is_bad, weights=weights)
        for place, (_, chance) in enumerate(alone):
            chances[place] = chance[0] / attributes.FAMILIES
        return statistics, chances

    monkeypatch.setattr(attributes, "scan", eager)
    named = [bool(causes.search_causes(make_incident(seed).evidence).named) for seed in range(8)]
    assert sum(named) >= 3


def test_incidents_come_from_their_seed() -> None:
    """The same seed gives the same incident, another kind or seed another."""
    one, same = make_incident(4, "tool"), make_incident(4, "tool")
    assert one.truth == same.truth and one.evidence.during.equals(same.evidence.during)
    assert not one.evidence.before.equals(make_incident(5, "tool").evidence.before)
    assert rank_of(make_incident(4)) == 0

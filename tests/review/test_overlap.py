"""What a provider's own trouble explains, and what only happened to fall into it."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.review.world import Tables, at, calm_tables, ground, rows, runs_of
from workbench.review.check_provider import check_provider, overlap_sentence
from workbench.review.ground import shaped
from workbench.review.overlap import Overlap, compare, provider_overlap, runs_in_trouble
from workbench.review.signatures import signature_table


def _runs(count: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "run_id": [f"r{n}" for n in range(count)],
            "automation_id": "triage",
            "started_at": pd.date_range("2026-11-20", periods=count, freq="2min", tz="UTC"),
        }
    )


def _compare(bad: set[int], inside: set[int], count: int = 100) -> Overlap:
    numbers = pd.Series(range(count))
    return compare(
        _runs(count), numbers.isin(bad), is_inside=numbers.isin(inside), significance=0.05
    )


def test_all_failures_inside_is_explained() -> None:
    """Ten failures in the twenty runs of the trouble and none outside are no chance."""
    found = _compare(set(range(10)), set(range(20)))
    assert (found.inside, found.outside, found.is_explained) == ((10, 20), (0, 80), True)
    assert found.expected_count == 2.0
    assert found.explained_run_ids == {f"r{n}" for n in range(10)}


def test_failures_spread_evenly_are_not() -> None:
    """Every tenth run fails, inside and outside alike."""
    found = _compare(set(range(0, 100, 10)), set(range(20)))
    assert not found.is_explained
    assert found.explained_run_ids == frozenset()
    assert found.inside_run_ids == {"r0", "r10"}


def test_hardly_more_often_is_not_enough() -> None:
    """With many runs a small excess is significant, yet less than twice the rate outside explains nothing."""
    found = _compare(set(range(600)) | set(range(1000, 1400)), set(range(1000)), 2000)
    assert found.chance < 0.05
    assert not found.is_explained


def test_a_single_failure_is_not_enough() -> None:
    """One failure inside may well be chance."""
    assert not _compare({3}, set(range(20))).is_explained


def test_without_an_outside_nothing_can_be_told() -> None:
    """Where every run fell into the trouble, there is nothing to compare with."""
    found = _compare(set(range(10)), set(range(100)))
    assert (found.chance, found.is_explained) == (1.0, False)


def test_without_runs_there_is_no_overlap() -> None:
    """An empty history explains nothing and breaks nothing."""
    empty = pd.Series([], dtype=bool)
    assert compare(_runs(0), empty, is_inside=empty, significance=0.05) == Overlap()


def test_the_stretch_begins_a_little_earlier_than_it_says() -> None:
    """A status page is late at the begin, not at the end."""
    tables = calm_tables()
    tables["review.provider_status"] = shaped(
        "review.provider_status",
        rows(
            "provider | component | since_at | until_at | status\nacme | api | 08:00 | 08:10 | degraded"
        ),
    )
    runs, is_inside = runs_in_trouble(ground(tables))
    inside = runs[is_inside]["started_at"]
    assert (inside.min(), inside.max()) == (at("07:56"), at("08:10"))


@pytest.mark.parametrize("status", ["operational", "unknown"])
def test_only_trouble_counts(status: str) -> None:
    """An operational or unknown stretch explains nothing."""
    tables = calm_tables()
    tables["review.provider_status"]["status"] = status
    assert provider_overlap(ground(tables)).inside == (0, 0)


def test_another_provider_explains_nothing() -> None:
    """Trouble of a provider that these automations do not use is not theirs."""
    tables = calm_tables()
    tables["review.provider_status"]["provider"] = "else"
    assert provider_overlap(ground(tables)).inside == (0, 0)


def _mixed() -> Tables:
    """Failures of the provider inside its trouble, and a steady fault of the shop everywhere."""
    tables = calm_tables()
    spans = [
        (
            f"{6 + n // 30:02d}:{2 * (n % 30):02d}",
            "failed" if n % 10 == 0 or n >= 120 else "succeeded",
            f"r{n}",
        )
        for n in range(135)
    ]
    tables["review.runs"] = shaped("review.runs", runs_of("triage", spans))
    tables["review.failed_steps"] = shaped(
        "review.failed_steps",
        pd.DataFrame(
            [
                {"source_id": "engine", "run_id": run_id, "step_id": "ask", "attempt": 1, "automation_id": "triage",
                 "failed_at": at(start), "error_signature": "shop" if n % 10 == 0 else "provider", "run_status": "failed"}
                for n, (start, status, run_id) in enumerate(spans) if status == "failed"
            ]
        ),
    )  # fmt: skip
    return tables


def test_a_burst_is_one_observation() -> None:
    """Eight failures within one minute of the trouble are one bad episode, which may well be chance."""
    runs = _runs(48)
    runs.loc[:7, "started_at"] = runs.loc[0, "started_at"]
    numbers = pd.Series(range(48))
    found = compare(runs, numbers < 8, is_inside=numbers < 8, significance=0.02)
    assert found.inside == (8, 8)
    assert found.chance == pytest.approx(1 / 41)
    assert not found.is_explained


def test_a_run_is_judged_by_its_own_provider() -> None:
    """Of two providers under review, the trouble of one explains only the runs that used it."""
    tables = calm_tables()
    tables["review.runs"]["provider"] = "else"
    assert provider_overlap(ground(tables, providers=("acme", "else"))).inside == (0, 0)
    tables["review.runs"]["provider"] = None
    assert provider_overlap(ground(tables, providers=("acme", "else"))).inside[0] == 15


def test_each_signature_is_explained_for_itself() -> None:
    """The provider explains its own failures, not the shop's that fell into the same minutes."""
    found = signature_table(ground(_mixed())).set_index("error_signature")["explained_share"]
    assert found["provider"] == 1.0
    assert found["shop"] == 0.0


def test_a_signature_is_known_from_an_incident_only_if_it_came_more_often_there() -> None:
    """A steady fault that also happened during an earlier incident is not a legacy of that incident."""
    tables = _mixed()
    tables["review.incidents"] = shaped(
        "review.incidents", rows("incident_id | started_at | resolved_at\nI-0 | 07:00 | 07:30")
    )
    found = signature_table(ground(tables)).set_index("error_signature")
    assert found.loc["shop", "seen"] == "known before"
    assert found.loc["shop", "known_from"] == ""


@pytest.mark.parametrize(
    ("overlap", "words"),
    [
        (Overlap(), "There are no troubled runs to explain."),
        (Overlap(outside=(3, 50)), "The provider reported no trouble while these automations ran."),
        (
            Overlap((9, 20), (1, 80), 2.0, 0.0001, True),
            "It explains them: 9 of 10 troubled runs fell into its trouble, 2 expected by chance (p < 0.001, one automation's burst within a minute counted once).",
        ),
        (
            Overlap((2, 20), (8, 80), 2.0, 0.62, False),
            "It does not explain them: 2 of 10 troubled runs fell into its trouble, 2 expected by chance (p = 0.62, one automation's burst within a minute counted once).",
        ),
    ],
)
def test_the_finding_is_said_plainly(overlap: Overlap, words: str) -> None:
    """That it explains them, that it does not, or that there is nothing to explain."""
    assert overlap_sentence(overlap) == words


def test_the_section_shows_what_was_compared() -> None:
    """Both sides of the comparison stand in a table, and the status bands in a figure."""
    section = check_provider(ground()).section
    compared = section.tables["Troubled runs inside and outside of the provider's trouble"]
    assert list(compared["troubled_run_count"]) == [15, 0]
    assert list(section.figures["status_bands"]["status"]) == ["degraded"]
    assert set(section.figures["status_bands_marks"]["what"]) == {"onset", "H-1 placed"}

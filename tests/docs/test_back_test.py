"""The page of the back-test says of the public incidents what is counted, and its words fit the numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.back_test import FOLLOWS, HEAD, PAGE, github_history, github_part, github_sections
from workbench.review.backtest import AS_LONG, RuleTrial, pooled_share
from workbench.review.backtest_page import LIMITS
from workbench.review.ground import Section


@pytest.fixture(scope="module")
def sections(shared_data: Path) -> list[Section]:
    """Count the public incidents as the page does."""
    return github_sections(shared_data)


def test_the_public_part_is_what_is_counted(sections: list[Section]) -> None:
    """Loaded by the strict way and counted anew, the incidents give the page's part, to the last digit."""
    assert github_part(sections) in PAGE.read_text(encoding="utf-8")


def test_the_page_has_its_method_and_its_limits() -> None:
    """What is written by hand stands on the page as it is in the code, and so does what cannot be told."""
    text = PAGE.read_text(encoding="utf-8")
    assert text.startswith(HEAD.rstrip())
    assert text.endswith(FOLLOWS)
    assert all(f"- {line}" in text for line in LIMITS)


def test_what_follows_fits_the_numbers(sections: list[Section]) -> None:
    """Every seventh, every twelfth, a fifth, nearly half, a third, a hundred: each word has its number behind it."""
    (section,) = sections
    shares = section.tables["Relapse within 24 h of `resolved`, by component"].set_index(
        "component"
    )
    rules = section.tables["Restart rules over all of them"].set_index("rule")
    copilot = shares.loc["Copilot"]
    drift = copilot["local_chance_share"] - copilot["chance_share"]
    assert drift / (copilot["relapse_share"] - copilot["chance_share"]) == pytest.approx(
        0.45, abs=0.05
    )
    assert "15.0 % (12.0 % to 18.1 %) relapsed within 24 h" in section.sentence  # every seventh
    assert (
        "own rates gives 8.0 %, at the rates of the weeks around 9.5 %" in section.sentence
    )  # a fifth of 7.0
    assert list(shares[shares["finding"] == "more than chance"].index) == ["Actions"]
    wait, gate = rules.loc["wait 6 h"], rules.iloc[-1]
    assert wait["avoided"].startswith("69 ")
    assert pytest.approx(1 / 3, abs=0.05) == 69 / 183
    assert wait["held hours for each avoided"].startswith("102 ")
    assert gate["met narrowly_count"] + 6 >= 69
    assert rules.loc[
        "wait as long as it lasted, a day at most", "held hours for each avoided"
    ].startswith("88 ")


def test_what_is_compared_on_the_page_has_its_interval(shared_data: Path) -> None:
    """Waiting as long as it lasted is not shown to be cheaper, and Copilot's excess is as clear as that of Actions."""
    history = github_history(shared_data)
    found = [pooled_share(history, horizon_hours=24, unit=unit) for unit in ("Actions", "Copilot")]
    spans = [
        tuple(round(100 * (one[name] or 0), 1) for name in ("excess_share", "low_excess_share", "high_excess_share"))
        for one in found
    ]  # fmt: skip
    assert spans == [(7.5, 2.3, 12.6), (7.8, 2.7, 12.9)]
    assert [round(hours) for hours in RuleTrial(history).dearer(AS_LONG, "wait 6 h")] == [
        -14,
        -39,
        54,
    ]

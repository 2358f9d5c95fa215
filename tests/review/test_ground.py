"""The ground: tables get their shape, and numbers are said as people say them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd
import pytest

from tests.review.world import at, calm_tables, ground, rows, runs_of, with_rows
from workbench.records import CheckStatus
from workbench.review.ground import (
    COLUMNS,
    clock,
    counted,
    filled,
    judged,
    listed,
    percent,
    seconds_from,
    shaped,
    spoken,
    worst,
)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.0002, "0 ms"),
        (0.24, "240 ms"),
        (1, "1 s"),
        (14.2, "14.2 s"),
        (59.96, "60.0 s"),
        (60, "1 min"),
        (185, "3 min 05 s"),
        (3600, "1 h 00 min"),
        (7800, "2 h 10 min"),
        (86400, "1 d 0 h"),
        (273600, "3 d 4 h"),
    ],
)
def test_durations_are_spoken(seconds: float, words: str) -> None:
    """From milliseconds to days a duration reads as a person would say it."""
    assert spoken(seconds) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "0.0 %"), (0.0029, "0.29 %"), (0.01, "1.0 %"), (0.139, "13.9 %"), (1.0, "100.0 %")],
)
def test_shares_are_percent(share: float, words: str) -> None:
    """Small shares keep two decimals, so that a tenth of a percent is not nothing."""
    assert percent(share) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (12345, "12,345 runs"), (1.0, "1 run")],
)
def test_counts_agree_with_their_noun(number: float, words: str) -> None:
    """One run is no runs; thousands have their comma."""
    assert counted(number, "run") == words


def test_an_irregular_plural_is_given() -> None:
    """Stories are not storys."""
    assert counted(2, "story", plural="stories") == "2 stories"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "none"),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (["a", "b", "c"], "a, b and c"),
        (["a", "b", "c", "d", "e", "f"], "a, b, c, d and 2 more"),
    ],
)
def test_names_are_listed(names: list[str], words: str) -> None:
    """A list reads as a sentence part, and what is left out is counted."""
    assert listed(names) == words


def test_an_instant_is_the_time_of_day() -> None:
    """Sentences say the time in UTC to the second."""
    assert clock(at("10:05:09.7")) == "10:05:09 UTC"


def test_seconds_between_instants_and_between_columns() -> None:
    """The same function serves two instants and two columns."""
    assert seconds_from(at("10:01"), at("10:00")) == 60.0
    column = pd.Series([at("10:00:30"), None]).astype("datetime64[us, UTC]")
    assert seconds_from(column, at("10:00")).iloc[0] == 30.0


@pytest.mark.parametrize(
    ("is_bad", "is_lacking", "status"),
    [
        (True, True, "FAIL"),
        (True, False, "FAIL"),
        (False, True, "NO EVIDENCE"),
        (False, False, "PASS"),
    ],
)
def test_bad_counts_before_lacking(is_bad: bool, is_lacking: bool, status: str) -> None:
    """What is shown to be bad is a FAIL even where more is lacking."""
    assert judged(is_bad=is_bad, is_lacking=is_lacking) == status


def test_the_worst_status_counts() -> None:
    """FAIL over NO EVIDENCE over PASS."""
    assert worst(CheckStatus.PASS, CheckStatus.NO_EVIDENCE) is CheckStatus.NO_EVIDENCE
    assert worst(CheckStatus.FAIL, CheckStatus.NO_EVIDENCE) is CheckStatus.FAIL
    assert worst() is CheckStatus.PASS


def test_tables_without_rows_are_left_out() -> None:
    """A section shows no empty tables."""
    assert list(filled({"a": pd.DataFrame({"x": [1]}), "b": pd.DataFrame({"x": []})})) == ["a"]


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_an_absent_table_has_its_columns(name: str) -> None:
    """A table nobody gave has every column, instants as UTC, and no rows."""
    found = shaped(name, None)
    assert list(found.columns) == COLUMNS[name].split()
    assert found.empty
    for column in found.columns:
        if column.endswith("_at"):
            assert str(found[column].dtype) == "datetime64[us, UTC]"


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_instants_of_any_unit_become_one(unit: str) -> None:
    """Whatever unit a source uses for instants, the review compares microseconds."""
    column = pd.Series([at("10:00")]).astype(f"datetime64[{unit}, UTC]")
    found = shaped("review.changes", pd.DataFrame({"change_id": ["c"], "changed_at": column}))
    assert str(found["changed_at"].dtype) == "datetime64[us, UTC]"
    assert found["changed_at"].iloc[0] == at("10:00")


def test_missing_text_is_none() -> None:
    """A missing word is None, never the text `nan`."""
    found = shaped("review.changes", rows("change_id | changed_at | summary\nc1 | 10:00 | -"))
    assert found["summary"].to_list() == [None]


def test_only_the_automations_under_review_are_looked_at() -> None:
    """Rows of other automations do not reach the checks."""
    tables = with_rows(
        calm_tables(), "review.runs", runs_of("other", [("10:40", "succeeded", "o1")])
    )
    assert set(ground(tables).table("runs")["automation_id"]) == {"triage"}


def test_a_table_is_handed_out_as_a_copy() -> None:
    """What a check does to its rows stays with it."""
    one = ground()
    taken = one.table("runs")
    taken["status"] = "spoilt"
    assert "spoilt" not in set(one.table("runs")["status"])


def test_narrowing_asks_about_one_automation() -> None:
    """The narrowed ground has its own question and the same tables."""
    narrow = ground(automation_ids=("mailer", "triage")).narrowed_to("triage")
    assert narrow.request.automation_ids == ("triage",)
    assert narrow.request.only == "automation=triage"
    assert narrow.request.providers == ("acme",)


def test_narrowing_to_one_nobody_registered_needs_no_provider() -> None:
    """An automation that the registry does not know has no provider to wait for."""
    assert ground(automation_ids=("mailer", "triage")).narrowed_to("mailer").request.providers == ()


def _instant(value: Any) -> datetime:
    return pd.Timestamp(value).to_pydatetime()


def test_instants_of_the_question_are_timestamps() -> None:
    """Onset, pause and end compare with columns of instants."""
    one = ground()
    assert (_instant(one.onset_at), _instant(one.paused_at), _instant(one.as_of)) == (
        at("10:00"),
        at("10:30"),
        at("11:00"),
    )
    assert _instant(one.first_paused_at) == at("10:30")

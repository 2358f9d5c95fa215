"""What a back-test says of a history: words where too little is known, numbers with intervals where enough is."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from tests.review.streams import START, Stream, history
from workbench.review.backtest import Pace
from workbench.review.backtest_page import LIMITS, history_section, replay_section
from workbench.review.relapse import History

LONG = Stream(days=900, relapse=0.2, units=("api", "pages"))


def every_word(section_of: History) -> str:
    """Return all that a section shows as text."""
    section = history_section(section_of)
    tables = (str(value) for rows in section.tables.values() for value in rows.to_numpy().ravel())
    return "\n".join([section.title, section.sentence, *section.tables, *tables])


def test_too_little_reads_cannot_tell_and_no_share() -> None:
    """Three resolutions give no share, no rule and no figure: not 0 %, but words."""
    short = history("api | 1 | 0 | 1\napi | 2 | 50 | 51\npages | 3 | 90 | 91", until=400)
    section = history_section(short)
    said = every_word(short)
    assert section.sentence.count("cannot tell") == 3
    assert "%" not in said
    assert not section.figures
    assert not [caption for caption in section.tables if "rules" in caption]


def test_a_rare_unit_cannot_be_told_beside_a_common_one() -> None:
    """Each unit is told for itself: one with too few resolutions has words in its row, the others their numbers."""
    frequent = LONG.rows(1)
    rare = pd.DataFrame(
        [("rare", "r-1", START, START + pd.Timedelta(hours=1))], columns=frequent.columns
    )
    until = START + pd.Timedelta(days=900)
    section = history_section(History.of("made", pd.concat([frequent, rare]), until=until))
    shares = section.tables["Relapse within 24 h of `resolved`, by component"].set_index(
        "component"
    )
    assert shares.loc["rare", "finding"] == shares.loc["rare", "interval"] == "cannot tell"
    assert pd.isna(shares.loc["rare", "relapse_share"])
    assert shares.loc["api", "relapse_share"] > 0.2
    assert "rare" not in set(section.tables["Restart rules, by component"]["component"])


def test_no_relapse_in_many_is_a_bound_and_not_nothing() -> None:
    """Forty quiet resolutions bound the share; they do not make it 0 %."""
    lines = "\n".join(f"api | {n} | {n * 100} | {n * 100 + 1}" for n in range(40))
    section = history_section(history(lines, until=4_100))
    assert "None of 40 relapsed within 24 h, at most 7.2 % do" in section.sentence


def test_a_long_history_is_told_with_its_intervals() -> None:
    """Shares beside both chances, and relapses avoided against hours, each with an interval."""
    section = history_section(LONG.history(1))
    span = r"\([\d.,]+(?: %)? to [\d.,]+(?: %)?\)"
    assert re.search(
        rf"[\d.]+ % {span} relapsed within 6 h; chance at their own rates gives [\d.]+ %",
        section.sentence,
    )
    assert re.search(
        rf"Waiting 6 h avoided \d+ {span} and held [\d,]+ hours, \d+ {span} for each",
        section.sentence,
    )
    assert "More than chance" in section.sentence
    assert set(section.figures) == {"relapse_shares", "rules"}


def test_the_pace_decides_how_long_the_narrow_restart_is() -> None:
    """More runs an hour make the narrow restart shorter, and fewer relapses fall into it."""
    hours = []
    for runs in (5.0, 500.0):
        rules = history_section(LONG.history(2), pace=Pace(runs)).tables[
            "Restart rules over all of them"
        ]
        hours.append(float(rules.iloc[-1]["narrow hours"].replace(",", "")))
    assert hours[0] > 20 * hours[1] > 0


def test_the_caveats_are_said() -> None:
    """That rates drift, and that an incident history has no runs, stands on every page."""
    said = " ".join(LIMITS)
    assert "Rates drift" in said
    assert "no runs" in said
    assert "twelve checks" in said


@pytest.mark.parametrize("title", ["The gate replayed: our own holds"])
def test_no_hold_is_no_finding(title: str) -> None:
    """Without a hold the section says that nothing can be told."""
    section = replay_section([], title=title)
    assert "cannot tell" in section.sentence
    assert not section.tables


def test_a_short_history_has_no_weeks_around() -> None:
    """Where most resolutions have no local rate the sentence says so, and gives no number in its place."""
    lines = "\n".join(f"api | {n} | {n * 5} | {n * 5 + 1}" for n in range(30))
    section = history_section(history(lines, until=175))
    assert "at the rates of the weeks around cannot tell" in section.sentence
    shares = section.tables["Relapse within 6 h of `resolved`, by component"]
    assert pd.isna(shares["local_chance_share"].iloc[0])


def test_of_many_units_those_with_most_trouble_are_shown() -> None:
    """Two hundred automations do not make two hundred bars."""
    units = tuple(f"automation-{n}" for n in range(40))
    section = history_section(Stream(days=150, per_day=0.5, units=units).history(1))
    assert len(section.figures["relapse_shares"]) == 30
    assert section.sentence.count("40 components") == 2
    assert len(section.tables["Restart rules, by component, the 30 with most trouble"]) == 30


def without_end(noun: str = "component") -> History:
    """Return a long history with one old incident of a rare unit that nobody closed, and one later of the same."""
    more = [("rare", "r-1", START, pd.NaT), ("rare", "r-2", START + pd.Timedelta(hours=9), pd.NaT)]
    found = pd.concat([LONG.rows(1), pd.DataFrame(more, columns=LONG.rows(1).columns)])
    return History.of("made", found, until=START + pd.Timedelta(days=900), noun=noun)


def test_one_forgotten_end_does_not_credit_the_gate() -> None:
    """An old incident without an end may be over: what is open is unknown, and both rules over it cannot be told."""
    section = history_section(without_end())
    assert (
        "the gate's provider check would have avoided: cannot tell; 2 incidents" in section.sentence
    )
    assert "1 later incident of the same component" in section.sentence
    last = section.tables["Restart rules over all of them"].tail(2)
    assert set(last["avoided"]) == set(last["met in full_count"]) == {"cannot tell"}
    assert "cannot tell" not in set(
        section.tables["Restart rules over all of them"]["avoided"][:-2]
    )


def test_an_incident_that_is_still_open_at_the_end_is_known() -> None:
    """The newest incident may well be open: it is no gap in the data, and the gate's rows have their numbers."""
    found = LONG.rows(1)
    newest = pd.DataFrame([("rare", "r", found["began_at"].max() + pd.Timedelta(hours=1), pd.NaT)], columns=found.columns)  # fmt: skip
    until = START + pd.Timedelta(days=900)
    said = history_section(History.of("made", pd.concat([found, newest]), until=until)).sentence
    assert "The gate's provider check alone avoided" in said


def test_our_own_alerts_are_no_provider() -> None:
    """A rule over our own alerts or incidents is not called a check of the gate."""
    for one in (without_end("automation"), History.of("own", LONG.rows(1), until=START + pd.Timedelta(days=900), noun="scope")):  # fmt: skip
        said = every_word(one)
        assert "provider check" not in said
        assert "by the gate" not in said
        assert f"wait until no {one.noun} is in trouble" in said

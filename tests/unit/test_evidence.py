"""Whether loaded evidence carries a restart: newer than the decision, younger than policy says, and of runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.evidence import (
    AHEAD,
    Evidence,
    EvidenceQuestion,
    SourceMark,
    nothing_loaded,
    spoken,
    staleness,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTES = st.integers(-30, 120)


def ago(minutes: float) -> datetime:
    """Return the instant so many minutes before now."""
    return NOW - timedelta(minutes=minutes)


def found(**minutes: float) -> Evidence:
    """Return marks `table=minutes ago` of one source each."""
    marks = [
        SourceMark(f"s-{name}", name, ago(age), f"load {name}") for name, age in minutes.items()
    ]
    return Evidence(("triage",), tuple(marks))


@given(
    ages=st.dictionaries(st.sampled_from(["run", "step", "approval"]), MINUTES, max_size=3),
    decided=st.integers(0, 60),
    limit=st.integers(1, 90),
)
def test_exactly_fresh_marks_carry_a_restart(
    ages: dict[str, int], decided: int, limit: int
) -> None:
    """It is carried exactly when runs are loaded and no mark is older than decision or policy, or yet to come."""
    stale = staleness(found(**ages), decided_at=ago(decided), max_age_seconds=limit * 60, now=NOW)
    is_fresh = "run" in ages and all(
        age <= decided and age <= limit and age >= -AHEAD / timedelta(minutes=1)
        for age in ages.values()
    )
    assert (stale is None) is is_fresh


def test_the_oldest_is_named_with_its_command() -> None:
    """The refusal names each source that is too old, its age and what loads it, the oldest mark first."""
    evidence = found(run=20, step=45, approval=5)
    stale = staleness(evidence, decided_at=ago(10), max_age_seconds=900, now=NOW)
    assert stale is not None
    assert stale.why == (
        "step of s-step is loaded until 2026-11-20 11:15:00 UTC, 45 min ago and before the decision; "
        "run of s-run is loaded until 2026-11-20 11:40:00 UTC, 20 min ago and before the decision"
    )
    assert stale.next_step == "load step, load run, then the resume again"


def test_one_command_that_loads_several_tables_is_named_once() -> None:
    """An engine is read as a whole: its oldest table says why, and the command stands there once."""
    marks = [
        SourceMark("prefect", name, ago(age), "sync") for name, age in (("run", 20), ("step", 45))
    ]
    stale = staleness(
        Evidence(("triage",), tuple(marks)), decided_at=ago(10), max_age_seconds=900, now=NOW
    )
    assert stale is not None and stale.why.startswith("step of prefect")
    assert (stale.next_step, stale.why.count("loaded")) == ("sync, then the resume again", 1)


@pytest.mark.parametrize(
    ("minutes", "decided", "words"),
    [(16, 60, "16 min ago; policy allows 15 min"), (-11, 60, "which is yet to come")],
)
def test_too_old_and_too_new_are_told_apart(minutes: float, decided: float, words: str) -> None:
    """Older than policy allows, or a claim about the future that no later clock would end."""
    stale = staleness(found(run=minutes), decided_at=ago(decided), max_age_seconds=900, now=NOW)
    assert stale is not None and words in stale.why


def test_without_runs_nothing_is_carried() -> None:
    """Fresh approvals say nothing about runs, and a control without a reader knows nothing at all."""
    question = EvidenceQuestion(("triage", "reply"), (), ago(60), NOW)
    for evidence in (found(approval=0), nothing_loaded(question)):
        stale = staleness(evidence, decided_at=ago(1), max_age_seconds=900, now=NOW)
        assert stale is not None and "no loaded source tells of runs of triage" in stale.why
        assert "workbench sync ENGINE" in stale.next_step


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (40, "40 s"), (900, "15 min"), (905, "15 min 5 s"), (12_000, "3 h 20 min"), (187_200, "2 d 4 h"), (86_400, "1 d"), (-3, "0 s")],
)  # fmt: skip
def test_ages_are_written_as_people_say_them(seconds: float, words: str) -> None:
    """In the two largest units, without zeros."""
    assert spoken(seconds) == words

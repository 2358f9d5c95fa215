"""A look fires on a budget that burns too fast, is quiet on failures that the objective allows, and knows its volumes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.review.test_triggers import BAD, CANNOT_TELL, FIRES, GOOD, QUIET, Row, look, with_rules
from tests.review.world import AS_OF
from workbench.trigger_rules import Subject, TriggerFinding

RULE = "objective_percent"
AT_95 = with_rules(objective_percent="95", failure_streak=0, failure_rate_percent=0)


def paced(*statuses: str, since_minutes: float, **more: object) -> list[Row]:
    """Return runs at an even pace from so many minutes ago to now."""
    step = since_minutes / len(statuses)
    return [
        {"begin": AS_OF - timedelta(minutes=since_minutes - n * step, seconds=11), "status": status, "customers": 0, **more}
        for n, status in enumerate(statuses)
    ]  # fmt: skip


def found(rows: list[Row], subject: Subject = AT_95) -> TriggerFinding:
    """Return what the rule finds."""
    return look(rows, subject)[RULE]


def test_nothing_is_looked_for_without_an_objective() -> None:
    """However much failed: the registry states an objective, or the rule is off."""
    one = found(paced(*[BAD] * 60, since_minutes=60), with_rules())
    assert (one.state, one.sentence) == (QUIET, "not watched for here")


@pytest.mark.parametrize(("failed_of_four", "state"), [(3, FIRES), (2, FIRES), (1, QUIET)])
def test_a_fast_burn_fires(failed_of_four: int, state: str) -> None:
    """At 95 %: three of four is above 14.4 times (72 %), two of four above 6 times (30 %), one of four above neither."""
    pattern = [BAD] * failed_of_four + [GOOD] * (4 - failed_of_four)
    one = found(paced(*pattern * 90, since_minutes=360))
    assert one.state is state
    assert one.query == "triggers.outcomes" and one.source == "registry, [triggers]"
    if failed_of_four == 3:
        assert one.threshold == "above 14.4 over 1 h 00 min and 5 min"
        assert float(one.number) == pytest.approx(15, abs=0.3)
    if failed_of_four == 2:
        assert one.threshold == "above 6 over 6 h 00 min and 30 min"


def test_what_no_longer_burns_is_quiet() -> None:
    """The long window is above its factor, the short one is not: somebody mended it."""
    bad = [
        r
        for r in paced(*[BAD] * 60, since_minutes=60)
        if r["begin"] < AS_OF - timedelta(minutes=35)
    ]
    one = found(bad + paced(*[GOOD] * 40, since_minutes=34))
    assert one.state is QUIET
    assert one.is_near


def test_what_the_gate_refused_burns_nothing() -> None:
    """A pause that works refuses all day: the engine calls those runs failed, and no budget burns by it."""
    refused = paced(*[BAD] * 60, since_minutes=60, error="paused by H-1")
    assert found(refused).state is CANNOT_TELL
    assert found(refused + paced(*[GOOD] * 60, since_minutes=60)).state is QUIET


def test_too_few_runs_cannot_tell() -> None:
    """Three runs, one failed, at 99.9 %: no window says anything, and why is said."""
    one = found(paced(GOOD, GOOD, BAD, since_minutes=60), with_rules(objective_percent="99.9"))
    assert one.state is CANNOT_TELL
    assert one.sentence == "3 ended runs; at 99.9 % it takes 70 or more in both windows"

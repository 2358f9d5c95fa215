"""Burn rates give the numbers of the Site Reliability Workbook, and say nothing where volumes do not allow it."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.review.burn_rate import (
    PERIOD_SECONDS,
    RULES,
    BudgetState,
    BurnRule,
    BurnState,
    Tally,
    budget_of,
    burn_rate,
    judge,
    judge_budget,
    needed_run_count,
)

FIRES, QUIET, TOO_FEW = BurnState.FIRES, BurnState.QUIET, BurnState.TOO_FEW
PAGE, SLOWER, TICKET = RULES


@pytest.mark.parametrize(
    ("rule", "factor", "share", "long", "short"),
    [
        (PAGE, 14.4, 0.02, 3600, 300),
        (SLOWER, 6, 0.05, 6 * 3600, 1800),
        (TICKET, 1, 0.10, 3 * 86_400, 6 * 3600),
    ],
)
def test_the_table_of_the_workbook(
    rule: BurnRule, factor: float, share: float, long: int, short: int
) -> None:
    """1 h and 5 min at 14.4 (2 %), 6 h and 30 min at 6 (5 %), 3 d and 6 h at 1 (10 %); each follows from the share."""
    assert float(rule.factor) == factor
    assert (float(rule.budget_share), rule.long_seconds, rule.short_seconds) == (share, long, short)


@pytest.mark.parametrize(
    ("burn", "failed_of_100_000", "days"),
    [(1, 100, 30), (2, 200, 15), (10, 1_000, 3), (1_000, 100_000, 0.03)],
)
def test_time_to_exhaustion(burn: int, failed_of_100_000: int, days: float) -> None:
    """The workbook's table at 99.9 %: 0.1 % of errors last 30 days, 0.2 % 15, 1 % 3, and 100 % 43 minutes."""
    found = burn_rate(Tally(failed_of_100_000, 100_000), budget_of("99.9"))
    assert found == burn
    assert PERIOD_SECONDS / found / 86_400 == pytest.approx(days)
    assert PERIOD_SECONDS / 1_000 / 60 == 43.2


def test_a_twentieth_of_the_budget_in_an_hour_burns_36_times() -> None:
    """The workbook's worked number: 5 % of a 30-day budget in an hour is a burn rate of 36."""
    assert BurnRule(Fraction(5, 100), 3600).factor == 36


def test_one_failure_of_ten_an_hour_takes_a_seventh_of_the_month() -> None:
    """The workbook's low-traffic service: ten requests an hour, one failed, is 13.9 % of the budget at 99.9 %."""
    budget = budget_of("99.9")
    month = Tally(1, 10 * 24 * 30)
    assert burn_rate(month, budget) == pytest.approx(0.139, abs=0.0005)
    hour = Tally(1, 10)
    assert hour.is_above(PAGE.factor * budget)
    assert judge(PAGE, (hour, hour), budget=budget) is TOO_FEW


@pytest.mark.parametrize(
    ("objective", "needed"),
    [
        ("99.9", (70, 167, 1000)),
        ("99", (7, 17, 100)),
        ("95", (2, 4, 20)),
    ],
)
def test_runs_that_a_window_needs(objective: str, needed: tuple[int, ...]) -> None:
    """From so many runs on one failure alone is not above the factor: 1 / (14.4 x 0.1 %) = 69.4, and so on."""
    budget = budget_of(objective)
    assert tuple(needed_run_count(rule.factor, budget) for rule in RULES) == needed
    for rule, count in zip(RULES, needed, strict=True):
        assert not Tally(1, count).is_above(rule.factor * budget)
        assert Tally(1, count - 1).is_above(rule.factor * budget)


@pytest.mark.parametrize(
    ("long", "short", "state"),
    [
        ((150, 1000), (20, 100), FIRES),
        ((144, 1000), (20, 100), QUIET),
        ((150, 1000), (14, 100), QUIET),
        ((150, 1000), (1, 3), TOO_FEW),
        ((150, 1000), (2, 3), FIRES),
        ((150, 1000), (0, 0), TOO_FEW),
        ((0, 1000), (3, 3), QUIET),
        ((3, 3), (0, 100), QUIET),
        ((1, 3), (20, 100), TOO_FEW),
        ((3, 3), (20, 100), FIRES),
    ],
)
def test_both_windows_must_be_above(
    long: tuple[int, int], short: tuple[int, int], state: BurnState
) -> None:
    """At 99 %, 14.4 %: exactly the limit is not above it, and one window below is enough for quiet."""
    found = judge(PAGE, (Tally(*long), Tally(*short)), budget=budget_of("99"))
    assert found is state


def test_an_objective_that_no_failure_rate_can_miss_so_fast() -> None:
    """At 90 % a burn of 14.4 asks for 144 % of failures, which is said instead of quiet; 6 and 1 can be."""
    all_failed = Tally(1000, 1000)
    found = [judge(rule, (all_failed, all_failed), budget=budget_of("90")) for rule in RULES]
    assert found == [BurnState.NEVER, FIRES, FIRES]


@pytest.mark.parametrize(
    ("failed", "state"),
    [(9, BudgetState.LEFT), (10, BudgetState.LEFT), (11, BudgetState.SPENT)],
)
def test_a_budget_is_spent_when_more_failed_than_it_allows(failed: int, state: BudgetState) -> None:
    """At 99 % a thousand runs allow ten failures: the tenth uses it up, the eleventh exceeds it."""
    assert judge_budget(Tally(failed, 1000), budget_of("99")) is state


def test_a_budget_of_a_few_runs_says_nothing() -> None:
    """Below a hundred runs at 99 % one failure alone would spend it."""
    assert judge_budget(Tally(1, 99), budget_of("99")) is BudgetState.TOO_FEW
    assert judge_budget(Tally(0, 0), budget_of("99")) is BudgetState.TOO_FEW


@pytest.mark.parametrize(
    ("failed", "count", "state"),
    [(40, 99, BudgetState.SPENT), (40, 100, BudgetState.SPENT), (50, 50, BudgetState.SPENT), (2, 2, BudgetState.SPENT)],
)  # fmt: skip
def test_too_few_runs_hide_no_failures(failed: int, count: int, state: BudgetState) -> None:
    """What is more than a hundred runs allow at 99 % is more than fewer allow: forty of 99 are spent like forty of 100."""
    assert judge_budget(Tally(failed, count), budget_of("99")) is state


def test_no_runs_have_no_burn_rate_and_no_objective_allows_all_or_nothing() -> None:
    """Nothing ran is not nothing failed; 0 % and 100 % are no objectives."""
    assert burn_rate(Tally(0, 0), budget_of("99")) is None
    for stated in ("0", "100", "101"):
        with pytest.raises(ValueError, match="between 0 and 100"):
            budget_of(stated)


COUNTS = st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
OBJECTIVES = st.sampled_from(["50", "90", "95", "99", "99.5", "99.9"])


@given(COUNTS, COUNTS, OBJECTIVES, st.sampled_from(RULES))
def test_a_failure_more_never_makes_it_quieter(
    long: tuple[int, int], short: tuple[int, int], objective: str, rule: BurnRule
) -> None:
    """What fires goes on firing with more failures, and what fires has more than one failure in each window."""
    budget = budget_of(objective)
    if judge(rule, (Tally(*long), Tally(*short)), budget=budget) is not FIRES:
        return
    assert min(long[0], short[0]) > 1
    worse = Tally(min(long[0] + 1, long[1]), long[1]), Tally(min(short[0] + 1, short[1]), short[1])
    assert judge(rule, worse, budget=budget) is FIRES


@given(COUNTS, OBJECTIVES, st.integers(1, 1200))
def test_clean_runs_never_spend_a_budget_and_failures_never_give_it_back(
    counts: tuple[int, int], objective: str, more: int
) -> None:
    """What is not spent is not after clean runs, few or many; what is spent is so after failures."""
    budget, (failed, count) = budget_of(objective), counts
    if judge_budget(Tally(failed, count), budget) is BudgetState.SPENT:
        assert judge_budget(Tally(failed + more, count + more), budget) is BudgetState.SPENT
    else:
        assert judge_budget(Tally(failed, count + more), budget) is not BudgetState.SPENT


@given(COUNTS, COUNTS, OBJECTIVES, st.sampled_from(RULES), st.integers(1, 200))
def test_clean_runs_never_make_it_fire_and_failures_never_stop_it(
    long: tuple[int, int], short: tuple[int, int], objective: str, rule: BurnRule, more: int
) -> None:
    """The same of the two windows: more of one kind moves the answer one way only."""
    budget = budget_of(objective)
    both = (long, short)
    if judge(rule, (Tally(*long), Tally(*short)), budget=budget) is FIRES:
        worse = [Tally(failed + more, count + more) for failed, count in both]
        assert judge(rule, (worse[0], worse[1]), budget=budget) is FIRES
    else:
        cleaner = [Tally(failed, count + more) for failed, count in both]
        assert judge(rule, (cleaner[0], cleaner[1]), budget=budget) is not FIRES

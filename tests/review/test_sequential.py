"""The guardrail of a narrow restart may be looked at after every run, and aborts healthy restarts as rarely as it says."""

from __future__ import annotations

from itertools import product
from math import log, prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from workbench.review.sequential import (
    Guardrail,
    GuardState,
    abort_counts,
    e_values,
    guardrail_of,
    looks,
    rate_bounds,
    reading,
    spoken_reading,
)
from workbench.review.statistics import upper_bound

RATES = st.floats(0.005, 0.9)
COUNTS = st.tuples(st.integers(0, 60), st.integers(0, 200))
TOLERATED = Guardrail(0.05, source="tolerated")


def chance_of_ever(limits: list[int], rate: float) -> float:
    """Return the exact chance that the failures reach the limit of some run, by dynamic programming over counts."""
    still = {0: 1.0}
    stopped = 0.0
    for limit in limits:
        after: dict[int, float] = {}
        for failures, chance in still.items():
            for more, share in ((1, rate), (0, 1 - rate)):
                after[failures + more] = after.get(failures + more, 0.0) + chance * share
        stopped += sum(chance for failures, chance in after.items() if failures >= limit)
        still = {failures: chance for failures, chance in after.items() if failures < limit}
    return stopped


def peeking_limits(rate: float, run_count: int) -> list[int]:
    """Return the failures at which an exact test of 5 %, made for a single look, would abort at each look."""
    return [int(stats.binom.isf(0.05, runs, rate)) + 1 for runs in range(1, run_count + 1)]


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1, 0.123, 0.3, 0.6])
@pytest.mark.parametrize("alpha", [0.05, 0.04, 0.2])
def test_a_restart_at_the_reference_is_ever_aborted_as_rarely_as_alpha(
    rate: float, alpha: float
) -> None:
    """Ville's inequality, exactly: over 200 looks the chance of ever aborting stays within alpha."""
    guardrail = Guardrail(rate, alpha)
    limits = abort_counts(guardrail, 200)
    assert 0 < chance_of_ever(limits, rate) <= alpha
    assert chance_of_ever(limits, rate / 2) < chance_of_ever(limits, rate)


def test_a_test_made_for_one_look_would_break_that_promise() -> None:
    """The exact chance sees the known fault of peeking: one in five healthy restarts aborted after 200 looks."""
    assert chance_of_ever(peeking_limits(0.1, 200), 0.1) == pytest.approx(0.205, abs=0.01)


@pytest.mark.parametrize("rate", [0.1, 0.35])
def test_the_exact_chance_is_that_of_all_sequences(rate: float) -> None:
    """For nine runs the dynamic programme agrees with every one of the 512 sequences, looked at run by run."""
    guardrail = Guardrail(rate, alpha=0.2)
    aborted = [
        prod(rate if failed else 1 - rate for failed in outcomes)
        for outcomes in product([False, True], repeat=9)
        if (looks(outcomes, guardrail)["state"] == GuardState.ABORT).any()
    ]
    assert sum(aborted) == pytest.approx(chance_of_ever(abort_counts(guardrail, 9), rate))
    assert 0 < sum(aborted) <= 0.2


@given(RATES, st.floats(0.05, 0.95), COUNTS)
def test_the_bet_never_gains_on_average_while_it_is_healthy(
    rate: float, share: float, counts: tuple[int, int]
) -> None:
    """After any counts the next run leaves the expected e-value as it is at the reference, and lower below it."""
    failures, clean = counts
    guardrail = Guardrail(rate)
    now, failed, fine = (
        e_values(f, f + c, guardrail=guardrail)
        for f, c in ((failures, clean), (failures + 1, clean), (failures, clean + 1))
    )
    at_reference = rate * failed + (1 - rate) * fine
    assert at_reference == pytest.approx(now, rel=1e-6, abs=1e-200)
    healthy = rate * share
    assert healthy * failed + (1 - healthy) * fine <= now * (1 + 1e-6)


@given(RATES, COUNTS)
def test_a_failure_never_lowers_the_bet_and_a_clean_run_never_raises_it(
    rate: float, counts: tuple[int, int]
) -> None:
    """The e-value is monotone in both counts."""
    failures, clean = counts
    now = e_values(failures, failures + clean, guardrail=Guardrail(rate))
    assert e_values(failures + 1, failures + clean + 1, guardrail=Guardrail(rate)) >= now
    assert e_values(failures, failures + clean + 1, guardrail=Guardrail(rate)) <= now


@settings(max_examples=50)
@given(st.lists(st.booleans(), min_size=1, max_size=60), st.randoms())
def test_the_bet_hangs_on_the_counts_alone(outcomes: list[bool], order: object) -> None:
    """However the same outcomes are ordered, the e-value after all of them is the same."""
    mixed = list(outcomes)
    order.shuffle(mixed)  # type: ignore[attr-defined]
    first, second = reading(outcomes, TOLERATED), reading(mixed, TOLERATED)
    assert (first.failure_count, first.run_count) == (second.failure_count, second.run_count)
    assert first.e_value == second.e_value


@pytest.mark.parametrize(("failures", "runs"), [(0, 1), (1, 4), (5, 20), (0, 59), (30, 100)])
@pytest.mark.parametrize("rate", [0.02, 0.1, 0.45])
def test_the_closed_form_is_the_integral(failures: int, runs: int, rate: float) -> None:
    """Numerical integration of the mixture gives the same number."""
    weight = stats.beta(7 * 0.3, 7 * 0.7)

    def bet(q: float) -> float:
        ratio = failures * log(q / rate) + (runs - failures) * log((1 - q) / (1 - rate))
        return float(np.exp(ratio) * weight.pdf(q) / weight.sf(rate))

    whole, _ = integrate.quad(bet, rate, 1, limit=200)
    assert e_values(failures, runs, guardrail=Guardrail(rate)) == pytest.approx(whole, rel=1e-5)


def test_known_answers_against_five_percent() -> None:
    """Two failures at once abort, four of twenty do not, five do; a single one never does."""
    limits = abort_counts(TOLERATED, 30)
    assert limits[0] == 2 and limits[1] == 2
    assert (limits[19], limits[6]) == (5, 3)
    assert reading([True], TOLERATED).state is GuardState.CONTINUE
    assert reading([True, True], TOLERATED).state is GuardState.ABORT
    assert e_values(5, 20, guardrail=TOLERATED) == pytest.approx(45.96, abs=0.01)


@given(st.floats(0.02, 0.6), st.integers(1, 60))
def test_the_counts_that_abort_are_the_fewest(rate: float, runs: int) -> None:
    """At the limit it aborts, one failure fewer does not."""
    guardrail = Guardrail(rate)
    least = abort_counts(guardrail, runs)[-1]
    if least <= runs:
        assert e_values(least, runs, guardrail=guardrail) >= guardrail.limit
    assert e_values(least - 1, runs, guardrail=guardrail) < guardrail.limit


@given(st.integers(0, 40), st.integers(0, 200))
def test_bounds_for_all_looks_are_wider_than_those_for_one(failures: int, clean: int) -> None:
    """They enclose the rate and the exact one-sided bounds of the same counts, from below and from above."""
    runs = failures + clean
    low, high = rate_bounds(failures, runs, alpha=0.05)
    if runs:
        assert low <= failures / runs <= high
    # What fails from below is what does not fail from above.
    assert low <= 1 - upper_bound(clean, runs) + 1e-9
    assert high >= upper_bound(failures, runs) - 1e-9


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5])
def test_the_bounds_miss_the_rate_as_rarely_as_alpha(rate: float) -> None:
    """Over 150 looks together, exactly: the chance that the bounds ever leave the true rate out."""
    still, missed = {0: 1.0}, 0.0
    for runs in range(1, 151):
        counts = np.arange(runs + 1)
        low, high = rate_bounds(counts, np.full(runs + 1, runs), alpha=0.05)
        is_missed = (low > rate) | (high < rate)
        after: dict[int, float] = {}
        for failures, chance in still.items():
            after[failures + 1] = after.get(failures + 1, 0.0) + chance * rate
            after[failures] = after.get(failures, 0.0) + chance * (1 - rate)
        missed += sum(chance for failures, chance in after.items() if is_missed[failures])
        still = {failures: chance for failures, chance in after.items() if not is_missed[failures]}
    assert 0 < missed <= 0.05


def test_bounds_only_narrow_and_clean_runs_end_clean() -> None:
    """After 200 runs without a failure the rate is surely not above 5 %; after 59 that is not said at all looks."""
    found = looks([False] * 200, TOLERATED)
    assert found["high_rate"].is_monotonic_decreasing and found["low_rate"].is_monotonic_increasing
    assert found["state"].iloc[58] == GuardState.CONTINUE
    assert found["state"].iloc[-1] == GuardState.CLEAN


def test_a_thin_or_better_baseline_leaves_the_tolerated_rate() -> None:
    """Ten runs bound nothing, and a baseline below what is tolerated asks for no more than that."""
    for baseline in ((5, 10), (0, 0), (0, 400)):
        assert guardrail_of(baseline, tolerated=TOLERATED, least_run_count=59) is TOLERATED


def test_a_worse_baseline_is_the_reference_and_its_doubt_is_paid_for() -> None:
    """The upper bound of what was usual stands for it, and alpha is smaller by what the bound may be wrong."""
    found = guardrail_of((100, 1000), tolerated=TOLERATED, least_run_count=59)
    assert found.rate == upper_bound(100, 1000, confidence=0.99)
    assert found.alpha == pytest.approx(0.04) and found.limit == pytest.approx(25)
    assert "99 % upper bound of 100 failures in 1,000 baseline runs" in found.source


@pytest.mark.parametrize("rate", [0.06, 0.1, 0.4])
def test_baseline_and_runs_at_the_same_rate_abort_as_rarely_as_alpha(rate: float) -> None:
    """With the baseline drawn too, exactly: a restart as good as its baseline is ever aborted within alpha."""
    chance = sum(
        float(stats.binom.pmf(failures, 80, rate))
        * chance_of_ever(
            abort_counts(
                guardrail_of((failures, 80), tolerated=Guardrail(0.001), least_run_count=59), 60
            ),
            rate,
        )
        for failures in range(81)
    )
    assert chance <= 0.05


def test_where_everything_failed_before_nothing_aborts() -> None:
    """A baseline of failures alone leaves no rate above it to bet on."""
    found = guardrail_of((60, 60), tolerated=TOLERATED, least_run_count=59)
    assert found.rate == 1.0
    assert reading([True] * 40, found).state is GuardState.CONTINUE


@pytest.mark.parametrize(
    ("failed", "clean", "words"),
    [
        (5, 15, "when 5 of 5 runs failed, the e-value of a rate above 5.0 % (tolerated) was 49,192, at least"),
        (5, 15, "at least the 20 that abort; later runs (it is 46.0 after 5 of 20 now) do not take that back"),
        (0, 20, "says stay narrow: the e-value of a rate above 5.0 % (tolerated) is 0.073, below the 20"),
        (0, 200, "is clean: the failure rate lies between 0.0 % and 4.1 % (95 %, whenever one looks)"),
        (40, 0, "is over 1,000,000, at least the 20 that abort"),
    ],
)  # fmt: skip
def test_the_sentence_has_number_limit_and_source(failed: int, clean: int, words: str) -> None:
    """Each state is said in one sentence that can be checked."""
    found = reading([True] * failed + [False] * clean, TOLERATED)
    assert words in spoken_reading(found, TOLERATED)


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.lists(st.booleans(), max_size=200))
def test_what_once_aborted_stays_aborted(first: list[bool], later: list[bool]) -> None:
    """No run that comes later takes an abort back: an operator who looked then has stopped, and was right to."""
    was, now = reading(first, TOLERATED), reading([*first, *later], TOLERATED)
    assert now.highest[0] >= was.highest[0] >= was.e_value
    if was.state is GuardState.ABORT:
        assert now.state is GuardState.ABORT


def test_clean_runs_after_an_abort_do_not_open_it() -> None:
    """Two failures and 150 clean runs: the present e-value alone would say go on, the seeded bug of before."""
    found = reading([True, True] + [False] * 150, TOLERATED)
    assert found.e_value < TOLERATED.limit
    assert found.state is GuardState.ABORT
    assert found.highest[1:] == (2, 2)


def test_without_runs_nothing_is_said_against_it() -> None:
    """Before the first run the bet is 1, and any rate is possible."""
    found = reading([], TOLERATED)
    assert (found.state, found.e_value, found.low, found.high) == (GuardState.CONTINUE, 1, 0, 1)


@pytest.mark.parametrize(
    "rates", [(0.0, 0.05, 0.3), (0.1, 0.0, 0.3), (0.1, 0.05, 1.0), (1.2, 0.05, 0.3)]
)
def test_a_guardrail_needs_rates(rates: tuple[float, float, float]) -> None:
    """A reference of nothing, or a certainty, is a fault of the caller."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        Guardrail(*rates)


def test_impossible_counts_are_refused() -> None:
    """More failures than runs is a fault of the caller, not a bet."""
    with pytest.raises(ValueError, match="cannot be"):
        e_values(3, 2, guardrail=TOLERATED)

"""The benchmarks compare like with like, and say it in readable units."""

from __future__ import annotations

import pytest

from benchmarks.measure import (
    Figure,
    Target,
    alternate,
    in_words,
    of_rounds,
    percentile,
    quartiles,
)


def test_all_sides_are_called_equally_often_and_by_turns() -> None:
    """No side gets more calls than another, and the first round of each is thrown away."""
    called: list[str] = []
    actions = (lambda: called.append("ours"), lambda: called.append("bare"))
    found = alternate(*actions, calls=2, rounds=3)
    assert called == ["ours", "ours", "bare", "bare"] * 4
    assert [len(rounds) for rounds in found] == [3, 3]


def test_a_figure_of_rounds_is_the_median_with_its_quartiles() -> None:
    """One slow round moves neither the figure nor what it is compared with."""
    found = of_rounds("gate", [1.0, 2.0, 3.0, 4.0, 90.0], [1.0, 1.5, 90.0], bare="dict.get")
    assert (found.low, found.value, found.high) == (2.0, 3.0, 4.0)
    assert found.bare_value == 1.5
    assert found.ratio == pytest.approx(2.0)
    assert quartiles([7.0]) == (7.0, 7.0, 7.0)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    """The nearest rank: of a hundred the 99th, of a few the greatest."""
    assert percentile([float(n) for n in range(100, 0, -1)], 0.99) == 99.0
    assert percentile([3.0, 1.0], 0.99) == 3.0
    assert percentile([3.0, 1.0], 0.5) == 1.0


@pytest.mark.parametrize(
    ("target", "value", "bare", "is_reached"),
    [
        (Target(300e-9), 300e-9, None, True),
        (Target(300e-9), 301e-9, None, False),
        (Target(0.5, is_least=True), 0.5, None, True),
        (Target(0.5, is_least=True), 0.49, None, False),
        (Target(6, is_ratio=True), 12.0, 2.0, True),
        (Target(6, is_ratio=True), 12.1, 2.0, False),
        (Target(30, is_ratio=True, is_least=True), 59.0, 2.0, False),
        (Target(30, is_ratio=True, is_least=True), 60.0, 2.0, True),
    ],
)
def test_a_target_has_a_right_side(
    target: Target, value: float, bare: float | None, is_reached: bool
) -> None:
    """At most and at least, of the figure or of its ratio: the limit itself is on the right side."""
    assert Figure("x", value, bare_value=bare, target=target).is_reached is is_reached


def test_what_was_not_measured_reaches_nothing() -> None:
    """A figure without a value is missed where it has a target, and only there."""
    assert Figure("x", None, target=Target(30, is_ratio=True)).is_reached is False
    assert Figure("x", None).is_reached is None
    assert Figure("x", 1.0, target=Target(6, is_ratio=True)).is_reached is False


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (2.0, "s", "2 s"),
        (0.0388, "s", "38.8 ms"),
        (1.45e-4, "s", "145 us"),
        (4e-8, "s", "40 ns"),
        (412_345.6, "events/CPU-s", "412,346 events/CPU-s"),
        (0.625, "of the fastest", "0.62 of the fastest"),
        (None, "s", "not measured"),
    ],
)
def test_values_are_written_in_the_unit_that_suits(
    value: float | None, unit: str, words: str
) -> None:
    """A duration is shown with three digits and the largest unit below it, anything else with its own."""
    assert in_words(value, unit) == words

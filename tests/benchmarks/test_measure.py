"""The benchmarks compare like with like and say it in readable units."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import gate, load
from benchmarks.__main__ import table
from benchmarks.measure import Ratio, alternate, in_words

RATIO = Ratio("gate check", "Gate.check", "dict.get", 6e-7, 4e-8, "a note")


def test_both_sides_are_called_equally_often_and_by_turns() -> None:
    """Neither side gets more calls, and the first round is thrown away on both."""
    called: list[str] = []
    alternate(lambda: called.append("ours"), lambda: called.append("bare"), calls=2, rounds=3)
    assert called == ["ours", "ours", "bare", "bare"] * 4


def test_a_ratio_says_how_many_times_longer_ours_takes() -> None:
    """The ratio is ours over bare, in the table and in the JSON."""
    assert RATIO.ratio == pytest.approx(15)
    assert RATIO.as_json()["ratio"] == 15.0
    assert "600 ns" in table([RATIO]) and "dict.get" in table([RATIO])


@pytest.mark.parametrize(
    ("seconds", "words"), [(2.0, "2 s"), (0.0388, "38.8 ms"), (1.45e-4, "145 us"), (4e-8, "40 ns")]
)
def test_durations_are_written_in_the_unit_that_suits(seconds: float, words: str) -> None:
    """A duration is shown with three digits and the largest unit below it."""
    assert in_words(seconds) == words


def test_the_gate_benchmark_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate is measured on a store of its own, and asking it costs more than a dict."""
    monkeypatch.setattr(gate, "CALLS", 50)
    found = gate.measure(tmp_path)
    assert found.ours_seconds > found.bare_seconds > 0


def test_the_load_benchmark_loads_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The load is measured on rows that are all accepted, so a quick refusal is no quick load."""
    monkeypatch.setattr(load, "ROW_COUNT", 40)
    monkeypatch.setattr(load, "ROUNDS", 1)
    found = load.measure(tmp_path)
    assert found.ours_seconds > 0 and found.bare_seconds > 0
    assert len(load.rows_file(tmp_path, row_count=40).read_text().splitlines()) == 40

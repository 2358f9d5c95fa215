"""The benchmark of delivery pauses real adapters over HTTP, and claims nothing that was not read back."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks import delivery


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure few targets, once, in an engine that answers at once."""
    monkeypatch.setattr(delivery, "TARGET_COUNT", 3)
    monkeypatch.setattr(delivery, "CALL_SECONDS", 0.0)
    monkeypatch.setattr(delivery, "ROUNDS", 1)


def test_each_engine_is_paused_from_a_shell(tmp_path: Path) -> None:
    """Every target is confirmed in each, with fewer calls than a target would take one by one."""
    for figure in delivery.measure(tmp_path):
        assert figure.is_reached
        assert (figure.value or 0) > 0 and (figure.bare_value or 0) > 0
        assert "3 of 3 read back" in figure.note


def test_a_pause_that_is_not_confirmed_is_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded bug: a command that ends before everything was read back gives no figure."""
    whole = delivery.run_as

    def hasty(words: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return whole([*words, "--no-wait"], environment, expected=10)

    monkeypatch.setattr(delivery, "run_as", hasty)
    with pytest.raises(AssertionError, match="0 of 3 targets were confirmed"):
        delivery.measured(tmp_path, "airflow")

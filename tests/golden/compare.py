"""A pytest plugin for nbval: leaves out what a golden run does not store."""

from __future__ import annotations

from typing import Any

from tests.golden.refresh import NOT_KEPT


def pytest_collectstart(collector: Any) -> None:
    """Tell nbval not to compare the plain JSON for the runner, drawings, and standard error."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += (*NOT_KEPT, "stderr")

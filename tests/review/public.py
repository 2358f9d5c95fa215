"""Public numbers that reviews are held against, read from where the real data lies beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def node_builds(shared_data: Path) -> pd.DataFrame:
    """Return Node.js' pull-request builds of nine months: day, run_count of those that ended, and green_count."""
    days = pd.read_csv(shared_data / "nodejs_ci_daily.csv")
    days = days[(days["day"] >= "2025-03-01") & (days["day"] <= "2025-11-30")]
    ended = days["success"] + days["unstable"] + days["failure"]
    found = {"day": days["day"], "green_count": days["success"], "run_count": ended}
    return pd.DataFrame(found).reset_index(drop=True)

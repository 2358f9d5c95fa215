"""Changes: what was changed before the onset, and what was changed since the pause to mend it."""

from __future__ import annotations

import pandas as pd

from workbench.review.covering import touches
from workbench.review.ground import Ground, seconds_from


def changes_in_scope(ground: Ground) -> pd.DataFrame:
    """Return all changes with `touches_scope` and their lead over the onset in seconds (negative: after it)."""
    changes = ground.table("changes")
    changes["touches_scope"] = [
        touches(target if isinstance(target, str) else "", ground.automations)
        for target in changes["target"]
    ]
    changes["lead_seconds"] = -seconds_from(changes["changed_at"], ground.onset_at)
    return changes


def changes_since_pause(ground: Ground) -> pd.DataFrame:
    """Return the changes to the scope that were made after the hold under review was placed."""
    changes = changes_in_scope(ground)
    found = changes[changes["touches_scope"] & (changes["changed_at"] >= ground.paused_at)].copy()
    suspects = suspect_changes(ground)
    known = set(zip(suspects["target"], suspects["kind"], strict=True))
    found["reverts_a_suspect"] = [
        pair in known for pair in zip(found["target"], found["kind"], strict=True)
    ]
    return found.reset_index(drop=True)


def suspect_changes(ground: Ground) -> pd.DataFrame:
    """Return the changes to the scope within a day before the onset, the nearest first."""
    changes = changes_in_scope(ground)
    lookback = ground.limits.lookback_hours * 3600
    near = changes["touches_scope"] & changes["lead_seconds"].between(0, lookback)
    return changes[near].sort_values(["lead_seconds", "change_id"], ignore_index=True)


def unreverted_suspects(ground: Ground) -> pd.DataFrame:
    """Return the suspects to whose target nothing of that kind was changed since the onset."""
    changes = changes_in_scope(ground)
    later = changes[changes["changed_at"] >= ground.onset_at]
    mended = set(zip(later["target"], later["kind"], strict=True))
    suspects = suspect_changes(ground)
    is_open = [
        pair not in mended for pair in zip(suspects["target"], suspects["kind"], strict=True)
    ]
    return suspects[pd.Series(is_open, index=suspects.index, dtype=bool)].reset_index(drop=True)

"""Who still asks the gate folder that a store told before it was moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from workbench.presence import read_presences
from workbench.settings import Settings
from workbench.store.moving import MOVED_GATE
from workbench.store.store import Store

ASKED_WITHIN = timedelta(hours=24)
"""How long ago somebody may have asked the old folder to be named: a nightly run shows itself once a day."""


def left_gate_words(settings: Settings, store: Store) -> list[tuple[str, bool, str, str]]:
    """Return a finding for the gate folder that the store left, where it is on this host and not in use again.

    Gates there answer UNKNOWN, or PAUSED where a hold stood: whoever asks it hears of nothing any more.
    """
    left = store.meta().get(MOVED_GATE, "")
    if not left or not Path(left).is_dir() or Path(left).resolve() == settings.gate.resolve():
        return []
    since = datetime.now(UTC) - ASKED_WITHIN  # processes report by the machine's own clock
    asking = sorted(
        automation_id
        for automation_id, said in read_presences(Path(left)).items()
        if any(p.is_alive or p.asked_at >= since for p in said)
    )
    if not asking:
        return [("gate folder that was left", True, f"nobody asks {left} any more", "")]
    mend = f"let them have WORKBENCH_GATE={settings.gate}, and start them again"
    said = (
        f"WARNING, still asked within a day: {left}, by {', '.join(asking)}; it tells nothing new"
    )
    return [("gate folder that was left", True, said, mend)]

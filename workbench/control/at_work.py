"""What still works under a hold at the gate: processes that have not asked since, and runs in flight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workbench.presence import Presence


def at_work_words(said: Sequence[Presence], holds: Mapping[str, int]) -> str:
    """Say what of an automation is not known to have stopped under the holds on it; empty where nothing is.

    `holds` are those that let nothing of it through: id -> position of the log from which on each stops it. A living
    process is UNCONFIRMED while it has seen none of them: one that it saw is enough to stop it.
    """
    living = [p for p in said if p.is_alive]
    first_seq = min(holds.values(), default=None)
    if first_seq is None:
        return ""
    late = [p for p in living if p.seen_seq is None or p.seen_seq < first_seq]
    flying = sum(p.in_flight_count for p in living)
    runs = f"{flying} run{'s' if flying != 1 else ''} in flight" if flying else ""
    if not late:
        return runs
    since = max(p.asked_at for p in late)
    return ", ".join(
        words for words in (f"UNCONFIRMED: has not asked since {since:%H:%M:%S} UTC", runs) if words
    )

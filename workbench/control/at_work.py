"""What still works under a hold at the gate: processes that have not asked since, and runs in flight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workbench.presence import Presence

Told = tuple[str, Presence]
"""What a process said, and the name of its host; empty for this one."""


def at_work_words(
    told: Sequence[Told], holds: Mapping[str, int], *, is_confirmed: bool = False
) -> str:
    """Say what of an automation is not known to have stopped under the holds on it; empty where nothing is.

    `holds` are those that let nothing of it through: id -> position of the log from which on each stops it. A living
    process is UNCONFIRMED while it has seen none of them: one that it saw is enough to stop it. What no process
    ever saw stays UNCONFIRMED, unless the log says that one of the holds was (`is_confirmed`): what asks no more,
    or asks elsewhere, is not proved to have stopped.
    """
    living = [(host, p) for host, p in told if p.is_alive]
    first_seq = min(holds.values(), default=None)
    if first_seq is None:
        return ""
    late = [(host, p) for host, p in living if not _has_seen(p, first_seq)]
    flying = sum(p.in_flight_count for _, p in living)
    runs = f"{flying} run{'s' if flying != 1 else ''} in flight" if flying else ""
    words = _late_words(late, told)
    if not late and not is_confirmed and not any(_has_seen(p, first_seq) for _, p in told):
        words = f"UNCONFIRMED: {_last_words(told)}"
    return ", ".join(part for part in (words, runs) if part)


def _has_seen(presence: Presence, seq: int) -> bool:
    return presence.seen_seq is not None and presence.seen_seq >= seq


def _late_words(late: Sequence[Told], told: Sequence[Told]) -> str:
    """Say since when living processes have not asked, and where, if some ask on another host."""
    if not late:
        return ""
    host, last = max(late, key=lambda pair: pair[1].asked_at)
    where = f" on host {host}" if host else " on this host" if any(h for h, _ in told) else ""
    return f"UNCONFIRMED: has not asked since {last.asked_at:%H:%M:%S} UTC{where}"


def _last_words(told: Sequence[Told]) -> str:
    last = max((p.asked_at for _, p in told), default=None)
    return (
        f"no process asks, the last did at {last:%Y-%m-%d %H:%M:%S} UTC"
        if last
        else "no process asks"
    )

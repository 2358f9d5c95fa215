"""Runs whose process ended in the middle of them: nobody knows what they did, so they never count as clean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workbench.presence import Presence, cut_off_runs

_MOST_NAMED = 3


def cut_off_words(said: Sequence[Presence]) -> str:
    """Say how many runs were cut off, and which where that is known; empty where none was."""
    named = cut_off_runs(said)
    count = len(named) + sum(p.unnamed_count for p in said if not p.is_alive)
    if not count:
        return ""
    names = [
        *named[:_MOST_NAMED],
        *(["and others"] if 0 < len(named[:_MOST_NAMED]) < count else []),
    ]
    which = f" ({', '.join(names)})" if names else ""
    runs, did = ("run was", "it") if count == 1 else ("runs were", "they")
    return f"{count} {runs} cut off{which}: what {did} did is unknown"


def cut_off_flags(presences: Mapping[str, Sequence[Presence]]) -> tuple[str, ...]:
    """Return a sentence for each automation of which runs were cut off."""
    return tuple(
        f"{automation_id}: {words}"
        for automation_id, said in sorted(presences.items())
        if (words := cut_off_words(said))
    )

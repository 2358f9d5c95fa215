"""What the doctor says of clocks: this one against the log, the last publication, the server and the heartbeat."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from workbench.cli.present import when
from workbench.settings import Settings
from workbench.store.store import Store
from workbench.store.timing import NOTED_SECONDS, WRONG_SECONDS, Timing, timing_of

MEND = "set the clock by NTP on every host; nothing is ordered or opened by it, but ages and ends are off by as much"


def clock_words(settings: Settings, store: Store) -> tuple[bool, str, str]:
    """Return whether the clock is well, what was found, and what to do; a recorded clock is not compared."""
    if settings.demo_clock_at is not None:
        return True, f"a recorded one stands at {when(settings.demo_clock_at)}; not compared", ""
    return words_of(timing_of(store, settings.clock()))


def words_of(found: Timing) -> tuple[bool, str, str]:
    """Return the words for what was measured; a minute is wrong, two seconds are a warning."""
    said = list(_differences(found))
    worst = max((seconds for seconds, _ in said), default=0.0)
    if worst <= NOTED_SECONDS:
        return True, _well(found), ""
    text = "; ".join(words for seconds, words in said if seconds > NOTED_SECONDS)
    return worst <= WRONG_SECONDS, text if worst > WRONG_SECONDS else f"WARNING, {text}", MEND


def _differences(found: Timing) -> Iterator[tuple[float, str]]:
    """Give each difference with how many seconds it is of concern for."""
    if found.behind is not None:
        yield (
            found.behind,
            f"{_span(found.behind)} behind the newest event, of {when(found.newest_at)}",
        )
    if found.jumped is not None:
        way = "forward" if found.jumped > 0 else "back"
        yield (
            abs(found.jumped),
            f"set {way} by {_span(found.jumped)} since the last publication to gates",
        )
    if found.server_ahead is not None:
        way = "behind" if found.server_ahead > 0 else "ahead of"
        sure = max(0.0, abs(found.server_ahead) - found.server_within)
        yield sure, f"{_span(found.server_ahead)} {way} the clock of the store's server"
    if found.beat_ahead is not None:
        yield (
            found.beat_ahead,
            f"{_span(found.beat_ahead)} behind the last heartbeat in the gate folder",
        )


def _well(found: Timing) -> str:
    told = "not set since the last publication" if found.jumped is not None else ""
    if found.jumped is None:
        told = "whether it was set since the last publication is not known: another start or host"
    server = ""
    if found.server_ahead is not None:
        server = f", {abs(found.server_ahead):.1f} s from the server's (to within {found.server_within:.1f} s)"
    return f"ahead of the newest event, {told}{server}"


def _span(seconds: float) -> str:
    """Write a span as people say it, whichever way it goes."""
    whole = timedelta(seconds=round(abs(seconds)))
    return f"{round(abs(seconds))} s" if whole < timedelta(minutes=2) else str(whole)

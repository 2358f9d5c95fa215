"""The rule `resume when the alert stops` against the gate, on holds that really were placed.

For each hold three things are put side by side: when its last alert stopped, what the restart review says at that
instant and at later ones, knowing only what had happened by then, and what really ran after the hold was released.
What the rule would have let run is known only where somebody did release; else nothing ran, and nobody can tell.
Where the first look already allows a narrow restart the gate cost no time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from workbench.records import CheckStatus, VerdictKind
from workbench.review import money
from workbench.review.ground import clock, counted, listed, spoken
from workbench.review.onset import TROUBLE
from workbench.review.pausing import GATE_REFUSAL
from workbench.review.periods import COUNTED
from workbench.review.relapse import CANNOT_TELL, MIN_RESOLUTIONS
from workbench.review.restart import RestartReview

LOOK_MINUTES = (
    *range(11), 12, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 960, 1440,
)  # fmt: skip
"""Minutes after the alert stopped at which the gate is asked: closely at first, over a day."""

AFTER_HOURS = 24
"""What ran within a day of a release, or until the next hold, is put down to it."""

WORDS: Mapping[VerdictKind, str] = {
    VerdictKind.ESCALATE: "escalate",
    VerdictKind.KEEP_PAUSED: "keep paused",
    VerdictKind.RESTART_NARROW: "restart narrow",
    VerdictKind.RESTART_FULL: "restart full",
}


@dataclass(frozen=True)
class Look:
    """What the gate said at one instant.

    Attributes:
        allowed: scope that may start narrowly, or all; empty where nothing may.
        failed: names of the checks that failed.
    """

    at: pd.Timestamp
    verdict: VerdictKind
    allowed: str
    failed: tuple[str, ...]
    blocker: str

    @classmethod
    def of(cls, at: pd.Timestamp, review: RestartReview) -> Look:
        """Take what matters from a review made at an instant."""
        verdict = review.verdict
        is_open = verdict.kind in (VerdictKind.RESTART_FULL, VerdictKind.RESTART_NARROW)
        failed = tuple(c.name for c in review.checks if c.status is CheckStatus.FAIL)
        allowed = verdict.narrow_scope or ("all" if is_open else "")
        return cls(at, verdict.kind, allowed, failed, verdict.first_blocker)


@dataclass(frozen=True)
class Ran:
    """What ran in a stretch of time: runs that ended, failures among them, records, cost by currency."""

    run_count: int
    failure_count: int
    record_count: int
    cost: Mapping[str, float]


@dataclass(frozen=True)
class HoldReplay:
    """One hold replayed.

    Attributes:
        stopped_at: first instant under the hold at which no alert fired; None where none did, or one still does.
        ended_at: where the hold was released, else where the record ends.
        ran: what really ran after the release; None where it was not released.
        relapsed_at: first new alert or hold after the release; None where there was none, or no release.
        narrow_at: when somebody began a narrow restart under the hold; None where nobody did.
        ran_narrowly: what ran under the hold from then on.
    """

    hold_id: str
    scope: str
    placed_at: pd.Timestamp
    ended_at: pd.Timestamp
    is_released: bool
    stopped_at: pd.Timestamp | None
    looks: tuple[Look, ...]
    narrow_at: pd.Timestamp | None = None
    ran: Ran | None = None
    relapsed_at: pd.Timestamp | None = None
    ran_narrowly: Ran | None = None

    @property
    def allowed(self) -> Look | None:
        """First look at which the gate let anything start."""
        return next((look for look in self.looks if look.allowed), None)

    @property
    def lost_seconds(self) -> float | None:
        """Seconds from the stop of the alert to the first look that let anything start; None where none did."""
        if self.stopped_at is None or self.allowed is None:
            return None
        return float((self.allowed.at - self.stopped_at).total_seconds())

    @property
    def watched_seconds(self) -> float:
        """Seconds from the stop of the alert to the end of the hold: at least so long, where no look opened it."""
        if self.stopped_at is None:
            return 0.0
        return float((self.ended_at - self.stopped_at).total_seconds())


def alert_stop(
    alerts: pd.DataFrame, *, placed_at: pd.Timestamp, until: pd.Timestamp
) -> pd.Timestamp | None:
    """Return the first instant under a hold at which no alert fires; None where none ever did or one fires on.

    `alerts`: fired_at, resolved_at. What had stopped before the hold is no alert that the hold waited for.
    """
    mine = alerts[(alerts["fired_at"] < until) & ~(alerts["resolved_at"] <= placed_at)]
    if mine.empty:
        return None
    at = placed_at
    for fired, resolved in mine.sort_values("fired_at")[["fired_at", "resolved_at"]].itertuples(
        index=False, name=None
    ):
        if fired > at and at > placed_at:
            return at
        at = until if pd.isna(resolved) else max(at, resolved)
    return at if at < until else None


def look_instants(stopped_at: pd.Timestamp, until: pd.Timestamp) -> list[pd.Timestamp]:
    """Return when the gate is asked: a second after the alert stopped, so that the stop is known, and on to the end."""
    first = stopped_at + pd.Timedelta(seconds=1)
    instants = [first + pd.Timedelta(minutes=minutes) for minutes in LOOK_MINUTES]
    return [at for at in instants if at < until]


def ran_between(
    runs: pd.DataFrame, records: pd.DataFrame, *, since: pd.Timestamp, until: pd.Timestamp
) -> Ran:
    """Return what started in `[since, until)` and did work, and what those runs wrote.

    `runs`: run_id, started_at, status, error_message, cost_amount, cost_currency. `records`: run_id. Runs that the
    gate refused or that were cancelled did no work; those without an end yet are neither failures nor successes.
    """
    mine = runs[(runs["started_at"] >= since) & (runs["started_at"] < until)]
    was_refused = [
        GATE_REFUSAL.search(str(message)) is not None for message in mine["error_message"]
    ]
    mine = mine[~pd.Series(was_refused, index=mine.index, dtype=bool)]
    ended = mine[mine["status"].isin(COUNTED)]
    return Ran(
        run_count=len(ended),
        failure_count=int(ended["status"].isin(TROUBLE).sum()),
        record_count=int(records["run_id"].isin(mine["run_id"]).sum()),
        cost=money.sums(mine),
    )


def replay_rows(replays: Sequence[HoldReplay]) -> pd.DataFrame:
    """Return one row per hold in words that a person reads: alert, gate, time lost, what ran."""
    return pd.DataFrame([_row(one) for one in replays], columns=list(_LABELS)).rename(
        columns=_LABELS
    )


_LABELS = {
    "hold": "hold",
    "stopped": "alert stopped (UTC)",
    "said": "the gate then",
    "allowed": "first let start",
    "lost": "time lost to the gate",
    "ran": "ran after the release",
    "narrow": "ran in a narrow restart",
}


def _row(one: HoldReplay) -> dict[str, str]:
    look = one.looks[0] if one.looks else None
    stop = f"{one.stopped_at:%Y-%m-%d %H:%M:%S}" if one.stopped_at is not None else CANNOT_TELL
    return {
        "hold": f"{one.hold_id}, {one.scope}",
        "stopped": stop,
        "said": f"{WORDS[look.verdict]}: {counted(len(look.failed), 'check')} FAIL"
        if look
        else CANNOT_TELL,
        "allowed": f"{one.allowed.allowed} at {clock(one.allowed.at)}"
        if one.allowed
        else _never(one),
        "lost": lost_words(one),
        "ran": ran_words(one.ran) if one.ran else "nothing: it was not released",
        "narrow": ran_words(one.ran_narrowly) if one.ran_narrowly else "none",
    }


def _never(one: HoldReplay) -> str:
    if one.stopped_at is None:
        return CANNOT_TELL
    return "nothing before its release" if one.is_released else "nothing before the record ends"


def lost_words(one: HoldReplay) -> str:
    """Say how long the gate kept paused what the rule would have started; at least so long where it never opened."""
    if one.stopped_at is None:
        return CANNOT_TELL
    if one.lost_seconds is None:
        return f"at least {spoken(int(one.watched_seconds))}"
    return "none" if one.lost_seconds <= 1 else spoken(int(one.lost_seconds))


def ran_words(ran: Ran) -> str:
    """Say what ran: `12 runs, 5 failed, 9 records, 1.20 EUR`."""
    parts = [counted(ran.run_count, "run"), f"{ran.failure_count:,} failed"]
    parts.append(f"{counted(ran.record_count, 'record')} written")
    return listed([*parts, *filter(None, [money.written(ran.cost)])], limit=9)


def look_rows(replays: Sequence[HoldReplay]) -> pd.DataFrame:
    """Return one row per look: hold, after_minutes, verdict, allowed, failed."""
    rows = [
        (
            one.hold_id,
            round((look.at - one.stopped_at).total_seconds() / 60),
            "narrow restart allowed" if look.allowed else WORDS[look.verdict],
            look.allowed,
            listed([name.replace("_", " ") for name in look.failed], limit=12),
        )
        for one in replays
        if one.stopped_at is not None
        for look in one.looks
    ]
    return pd.DataFrame(rows, columns=["hold", "after_minutes", "verdict", "allowed", "failed"])


def replay_sentence(replays: Sequence[HoldReplay]) -> str:
    """Sum the replays up in some sentences; what cannot be told is said."""
    known = [one for one in replays if one.looks]
    if not known:
        return "No hold stood while the alerts about it stopped, so nothing can be replayed: cannot tell."
    shut = [one for one in known if not one.looks[0].allowed]
    said = [
        f"At the instant at which its last alert stopped the gate let nothing start in {len(shut)} of "
        f"{counted(len(known), 'hold')}."
    ]
    said += [_after_release(one) for one in known if one.ran]
    said += [_after_opening(one) for one in shut if one.allowed]
    if len(known) < MIN_RESOLUTIONS:
        said.append(f"{counted(len(known), 'hold')} cannot tell how often that is so.")
    return "\n".join(said)


def _after_release(one: HoldReplay) -> str:
    assert one.ran is not None
    gate = (
        "after the gate had let something start"
        if one.allowed
        else "before the gate let anything start"
    )
    back = ""
    if one.relapsed_at is not None:
        later = spoken(int((one.relapsed_at - one.ended_at).total_seconds()))
        back = f" Trouble was back {later} after the release."
    waited = spoken(int(one.watched_seconds))
    return f"{one.hold_id} was released {waited} after the alert stopped, {gate}: {ran_words(one.ran)}.{back}"


def _after_opening(one: HoldReplay) -> str:
    assert one.allowed is not None
    ran = ""
    if one.ran_narrowly is not None and one.narrow_at is not None:
        when = "followed" if one.narrow_at >= one.allowed.at else "somebody had begun before that"
        ran = f", and the narrow restart that {when} ran {ran_words(one.ran_narrowly)}"
    waited = f"{lost_words(one)} after the alert stopped"
    return f"Under {one.hold_id} the gate let {one.allowed.allowed} start {waited}{ran}."

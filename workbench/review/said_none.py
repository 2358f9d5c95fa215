"""Words that nothing was written, against what is loaded now: each stands or has lapsed, and none is a proof."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from workbench.evidence import NothingLoaded
from workbench.records import RunStatus
from workbench.review.endings import ENDED_STATUSES
from workbench.review.ground import NONE_SAID, TICKETS, Ground, counted, listed
from workbench.review.pausing import was_refused

TABLE = "affected_record"
HELD = (RunStatus.HELD, RunStatus.WAITING)
"""What its engine holds writes nothing until it goes on, which is a later run as far as a word goes."""
NOT_BEGUN = (RunStatus.SCHEDULED, RunStatus.QUEUED, RunStatus.CANCELLED, RunStatus.SKIPPED, *HELD)
"""What has no start and one of these never began."""


def nothing_loaded(ground: Ground, automation_id: str) -> NothingLoaded:
    """Return what a word would rest on that is given now: the runs of the automation from the onset on."""
    span = (ground.onset_at, ground.as_of)
    count, digest = _runs_of(_worked(ground, automation_id), span)
    return NothingLoaded(automation_id, count, digest)


def faults_now(ground: Ground, loaded: NothingLoaded) -> list[str]:
    """Return why a word about an automation that is given now would not stand."""
    word = {
        **vars(loaded), "since_at": ground.onset_at, "until_at": ground.as_of, "said_at": ground.as_of,
        "hold_id": ground.request.hold_id,
    }  # fmt: skip
    return list(_faults(ground, word))


def words_about(ground: Ground) -> pd.DataFrame:
    """Return the words about the hold under review, newest last, with `lapsed`: why each stands no more, or ''."""
    words = ground.table(NONE_SAID)
    mine = words[(words["hold_id"] == ground.request.hold_id) & (words["said_at"] <= ground.as_of)]
    mine = mine.reset_index(drop=True)
    # Runs that were sealed before told who signed by the name that was printed alone.
    mine["person"] = mine["person"].where(mine["person"].notna(), mine["said_by"])
    lapsed = ["; ".join(_faults(ground, dict(row))) for _, row in mine.iterrows()]
    return mine.assign(lapsed=pd.Series(lapsed, mine.index, dtype=object))


def answer_of(ground: Ground, stale: Mapping[str, str]) -> str:
    """Return who says that nothing was written, where no source of records does; '' where nobody's word stands.

    Of every automation so many persons must say it as verify what cannot be undone. Where runs are not loaded
    either, nobody can tell that none came after.
    """
    if TABLE not in stale or "run" in stale:
        return ""
    words = _standing(ground)
    if _fewest_persons(ground, words) < max(1, ground.verifier_count):
        return ""
    last = words.drop_duplicates(["automation_id", "person"], keep="last")
    told = ["said_by", "said_at", "since_at", "until_at", "reason"]
    return "; ".join(
        f"{by} said at {_minute(at)} that {listed(sorted(mine['automation_id']))} wrote nothing from {_minute(since)} "
        f"to {_minute(until)} ({reason})"
        for (by, at, since, until, reason), mine in last.groupby(told, sort=True)
    )


def with_words_short(ground: Ground, stale: Mapping[str, str]) -> dict[str, str]:
    """Return why tables are stale, with how many persons said that nothing was written where those are too few."""
    found = dict(stale)
    if TABLE not in found or "run" in found:
        return found
    count, needed = _fewest_persons(ground, _standing(ground)), ground.verifier_count
    if 0 < count < needed:
        found[TABLE] += f" (that nothing was written: {count} of {needed} persons said so)"
    return found


def _standing(ground: Ground) -> pd.DataFrame:
    words = words_about(ground)
    return words[words["lapsed"] == ""]


def _fewest_persons(ground: Ground, words: pd.DataFrame) -> int:
    """Return how many persons say it of the automation of which fewest do; who has two keys is one person."""
    count = words.groupby("automation_id")["person"].nunique()
    return min((int(count.get(i, 0)) for i in ground.request.automation_ids), default=0)


def said_none_table(ground: Ground) -> pd.DataFrame:
    """Return the words as the report shows them, those that lapsed included, with whether each `stands`."""
    words = words_about(ground)
    words["stands"] = [f"no: {why}" if why else "yes" for why in words["lapsed"]]
    return words[
        ["automation_id", "said_by", "said_at", "since_at", "until_at", "reason", "stands"]
    ].reset_index(drop=True)


def _faults(ground: Ground, word: Mapping[str, Any]) -> Iterator[str]:
    automation_id, since, until = str(word["automation_id"]), word["since_at"], word["until_at"]
    if since > ground.onset_at:
        yield f"the trouble began at {_minute(ground.onset_at)}, before what was said"
    records = ground.table("affected_records")
    records = records[
        (records["automation_id"] == automation_id) & (records["changed_at"] >= since)
    ]
    if len(records):
        first = records.iloc[0]
        what = f"{first['record_type']}/{first['record_id']}"
        yield f"{counted(len(records), 'change')} of a record loaded since, the first {what}"
    runs = _worked(ground, automation_id)
    count, digest = _runs_of(runs, (since, until))
    if (count, digest) != (int(word["run_count"]), word["runs_sha256"]):
        yield f"other runs are loaded of that time than then ({int(word['run_count']):,} then, {count:,} now)"
    later = runs[(runs["began_at"] >= until) | (runs["ended_at"] > until)]
    tickets = ground.table(TICKETS)
    tickets = tickets[tickets["automation_id"] == automation_id]
    ids = [*later["run_id"], *tickets[tickets["taken_at"] >= until]["run_id"]]
    if ids:
        yield f"it ran afterwards, or has not ended: {listed(dict.fromkeys(ids))}"
    elif runs["is_open"].any():
        yield f"a run of it has not ended: {listed(runs[runs['is_open']]['run_id'])}"


def _worked(ground: Ground, automation_id: str) -> pd.DataFrame:
    """Return the runs of an automation that may have written, with when each began and ended, as far as known.

    What the gate refused, and what never began, wrote nothing.
    """
    runs = ground.table("runs")
    runs = runs[runs["automation_id"] == automation_id]
    began = runs["started_at"].notna() | ~runs["status"].isin(NOT_BEGUN)
    runs = runs[began & ~was_refused(runs)].copy()
    runs["began_at"] = runs["started_at"].fillna(runs["first_seen_at"])
    ended = runs["finished_at"].fillna(runs["vanished_at"])
    rests = runs["status"].isin((*ENDED_STATUSES, *HELD))
    runs["is_open"] = ended.isna() & ~rests
    runs["ended_at"] = ended
    return runs


def _runs_of(runs: pd.DataFrame, span: tuple[pd.Timestamp, pd.Timestamp]) -> tuple[int, str]:
    """Return how many runs were at work in a time, and the SHA-256 of which they are and how each ended."""
    since, until = span
    mine = runs[(runs["began_at"] < until) & ~(runs["ended_at"] < since)]
    told = [
        [str(row["source_id"]), str(row["run_id"]), str(row["status"]), str(row["ended_at"])]
        for _, row in mine.iterrows()
    ]
    said = json.dumps(sorted(told), ensure_ascii=True)
    return len(mine), hashlib.sha256(said.encode("ascii")).hexdigest()


def _minute(instant: Any) -> str:
    return f"{pd.Timestamp(instant):%Y-%m-%d %H:%M:%S} UTC"

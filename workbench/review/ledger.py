"""The ledger: each change of a record since the onset, who verified it, what was written twice, what to clean up.

Its classes are those of `affected_record.reversibility`. What is `unknown` is neither verified nor clean: it is on
the list until somebody looked, as what is irreversible is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from workbench.review.ground import Ground, Section, counted, filled, listed

CLASSES = ("irreversible", "unknown", "compensable", "reversible")
"""From what binds most to what is easiest to undo."""

TO_DO: Mapping[str, str] = {
    "irreversible": "look at it, tell who is concerned, then mark it verified",
    "unknown": "find out whether it can be undone; until somebody looked it counts as irreversible",
    "compensable": "make the counter entry if it is wrong, then mark it verified",
    "reversible": "set it back to `before` if it is wrong, then mark it verified",
}

BEFORE = "before the pause"
UNTIL_QUIET = "pause to quiet"
AFTER_QUIET = "after quiet"
NOT_QUIET = "since the pause, not known to be quiet"

Failure = tuple[pd.Timestamp, int]
"""Instant and number of an attempt at a step that failed."""

ONCE = ("send", "create")
"""What must happen once: a second one is a duplicate also within one attempt."""


def with_circumstances(ground: Ground, records: pd.DataFrame) -> pd.DataFrame:
    """Return the changes with `written` (when, by pause and quiet), `attempt` of the run, and `duplicate`.

    `attempt` is one more than the last attempt of a step of the run that failed before the change; a run
    whose steps were not loaded is taken for one attempt.
    """
    found = records.copy()
    quiet = _quiet(ground)
    found["written"] = [
        _written(row["changed_at"], ground.first_paused_at, quiet.get(row["automation_id"]))
        for _, row in found.iterrows()
    ]
    failures = _failures(ground)
    found["attempt"] = [
        _attempt(failures.get(run_id, ()), changed_at)
        for run_id, changed_at in zip(found["run_id"], found["changed_at"], strict=True)
    ]
    twice = {
        (row["record_type"], row["record_id"], row["change"]): row["how"]
        for _, row in duplicates(found).iterrows()
    }
    found["duplicate"] = [
        twice.get((row["record_type"], row["record_id"], row["change"]), "")
        for _, row in found.iterrows()
    ]
    return found


def duplicates(records: pd.DataFrame) -> pd.DataFrame:
    """Return one row per record that the same change was made to more than once, with `how`.

    That is: by two runs, by two attempts of one run, or, for what is created or sent, twice by one attempt.
    Needs the column `attempt`.
    """
    columns = [
        "automations", "record_type", "record_id", "change", "change_count", "how", "first_changed_at",
        "last_changed_at",
    ]  # fmt: skip
    rows = []
    for (record_type, record_id, change), mine in records.groupby(
        ["record_type", "record_id", "change"], sort=True
    ):
        how = _how_often(mine, is_once=change in ONCE)
        if how:
            names = listed(sorted(set(mine["automation_id"])))
            span = (mine["changed_at"].min(), mine["changed_at"].max())
            rows.append([names, record_type, record_id, change, len(mine), how, *span])
    return pd.DataFrame(rows, columns=columns)


def _how_often(changes: pd.DataFrame, *, is_once: bool) -> str:
    runs = list(dict.fromkeys(changes["run_id"]))
    sources = set(zip(changes["source_id"], changes["run_id"], strict=True))
    if len(sources) > 1 and len(runs) > 1:
        return f"by runs {listed(runs)}"
    if len(sources) > 1:
        return f"by runs {runs[0]} of {counted(len(sources), 'source')}"
    attempts = sorted(set(changes["attempt"]))
    if len(attempts) > 1:
        return f"by attempts {listed(attempts)} of run {runs[0]}"
    return f"{len(changes)} times by run {runs[0]}" if is_once and len(changes) > 1 else ""


def clean_up(records: pd.DataFrame) -> pd.DataFrame:
    """Return what is still to be looked at, by class: how many, how many duplicates, and what to do."""
    rows = []
    for name in CLASSES:
        mine = records[(records["reversibility"] == name) & records["verified_at"].isna()]
        if len(mine):
            twice = int((mine["duplicate"] != "").sum())
            rows.append([name, len(mine), int(mine["blocks"].sum()), twice, TO_DO[name]])
    columns = [
        "reversibility",
        "unverified_count",
        "blocking_count",
        "duplicate_count",
        "what_to_do",
    ]
    return pd.DataFrame(rows, columns=columns)


def ledger_section(records: pd.DataFrame, *, none_said: pd.DataFrame) -> Section:
    """Return the ledger as a section: the list to clean up, what was written more than once, each change.

    `none_said` has who said that nothing was written.
    """
    done = records[records["verified_at"].notna()]
    todo = clean_up(records)
    sentence = f"{counted(len(records), 'change')} since the onset, {len(done):,} verified"
    blocking = int(todo["blocking_count"].sum())
    sentence += f"; {blocking:,} unverified block a restart." if blocking else "; none blocks."
    tables = {
        "Clean-up list by class": todo,
        "Written more than once": duplicates(records),
        "Each change, and who verified it": shown(records),
        "Who said that nothing was written": none_said,
    }
    return Section("Affected-record ledger", sentence, filled(tables))


def shown(records: pd.DataFrame) -> pd.DataFrame:
    """Return the ledger as people read it, what blocks and what binds most first."""
    columns = [
        "record_type", "record_id", "changed_at", "change", "reversibility", "blocks", "written", "duplicate",
        "verified_at", "verified_by", "before", "after", "automation_id", "run_id", "attempt",
    ]  # fmt: skip
    return in_order(records)[columns].reset_index(drop=True)


def in_order(records: pd.DataFrame) -> pd.DataFrame:
    """Return the changes in the order in which people look at them: what blocks, then what binds most, then by time."""
    rank = {name: number for number, name in enumerate(CLASSES)}
    ordered = records.assign(rank=records["reversibility"].map(rank), done=~records["blocks"])
    return ordered.sort_values(["done", "rank", "changed_at", "record_id"], kind="stable")


def _quiet(ground: Ground) -> dict[str, pd.Timestamp]:
    targets = ground.table("hold_targets")
    mine = targets[targets["hold_id"].isin(ground.chain["hold_id"]) & targets["quiet_at"].notna()]
    return {str(name): rows["quiet_at"].min() for name, rows in mine.groupby("automation_id")}


def _written(changed_at: pd.Timestamp, paused_at: pd.Timestamp, quiet_at: Any) -> str:
    if changed_at < paused_at:
        return BEFORE
    if quiet_at is None:
        return NOT_QUIET
    return UNTIL_QUIET if changed_at <= quiet_at else AFTER_QUIET


def _failures(ground: Ground) -> dict[str, list[Failure]]:
    """Return the failed attempts at steps by run.

    By the run's id alone: who tells of records is often another source than who tells of steps.
    """
    failed = ground.table("failed_steps")
    failed = failed[failed["step_id"].fillna("") != ""]
    found: dict[str, list[Failure]] = {}
    for run_id, at, attempt in zip(
        failed["run_id"], failed["failed_at"], failed["attempt"], strict=True
    ):
        found.setdefault(run_id, []).append((at, int(attempt)))
    return found


def _attempt(failures: Iterable[Failure], changed_at: pd.Timestamp) -> int:
    return 1 + max((attempt for at, attempt in failures if at < changed_at), default=0)

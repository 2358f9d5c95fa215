"""Joins what persons verified, as the log says, to the changes that were loaded."""

from __future__ import annotations

from typing import Any

import pandas as pd

from workbench.evidence import change_sha256

BINDING = ("irreversible", "unknown")
"""Classes that must be verified before a restart: nobody can take them back, or nobody knows."""

KEY = ["source_id", "run_id", "record_type", "record_id", "change_seq"]


def without_withdrawn(
    records: pd.DataFrame, withdrawn: pd.DataFrame, *, as_of: pd.Timestamp
) -> pd.DataFrame:
    """Return the changes without what their sources say of a verification that somebody took back since."""
    taken = withdrawn[withdrawn["withdrawn_at"] <= as_of]
    if records.empty or taken.empty:
        return records
    at = {key_of(row): row["withdrawn_at"] for _, row in taken.iterrows()}
    is_back = pd.Series(
        [
            (found := at.get(key_of(row))) is not None and row["verified_at"] <= found
            for _, row in records.iterrows()
        ],
        records.index,
        dtype=bool,
    )
    return records.assign(
        verified_at=records["verified_at"].mask(is_back),
        verified_by=records["verified_by"].mask(is_back, None),
    )


def withdrawn_table(records: pd.DataFrame, withdrawn: pd.DataFrame) -> pd.DataFrame:
    """Return the changes whose verification was taken back and that nobody verified since, newest last."""
    still = {key_of(row) for _, row in records[records["verified_at"].isna()].iterrows()}
    is_open = [key_of(row) in still for _, row in withdrawn.iterrows()]
    mine = withdrawn[pd.Series(is_open, withdrawn.index, dtype=bool)]
    columns = ["record_type", "record_id", "run_id", "withdrawn_at", "withdrawn_by", "reason"]
    return mine[columns].reset_index(drop=True)


def with_verifications(
    records: pd.DataFrame, words: pd.DataFrame, *, as_of: pd.Timestamp, needed: int = 1
) -> pd.DataFrame:
    """Return the changes with `verified_at` and `verified_by` of the log where the source has none.

    A word counts up to `as_of`, and only for the content that was looked at: a row that was rewritten since is
    unverified again. What binds needs the words of `needed` persons and is verified when the last of them gave it.
    """
    # Not exclusive: the log's position bounds it too, and on a recorded clock both are the same instant.
    words = words[words["verified_at"] <= as_of]
    if records.empty or words.empty:
        return records
    known = _by_content(words)
    told: list[tuple[Any, Any]] = []
    for _, row in records.iterrows():
        is_open = pd.isna(row["verified_at"])
        said = known.get((key_of(row), content_of(row)), []) if is_open else []
        count = needed if (row["reversibility"] or "unknown") in BINDING else 1
        if len(said) < count or not said:
            told.append((row["verified_at"], row["verified_by"]))
        else:
            heard = said[-1:] if count == 1 else said[:count]
            told.append(
                (heard[-1]["verified_at"], " and ".join(one["verified_by"] for one in heard))
            )
    at = pd.Series([at for at, _ in told], records.index)
    return records.assign(
        verified_at=pd.to_datetime(at, utc=True).astype(records["verified_at"].dtype),
        verified_by=pd.Series([by for _, by in told], records.index, dtype=object),
    )


def _by_content(words: pd.DataFrame) -> dict[tuple[tuple[str, ...], str], list[pd.Series[Any]]]:
    """Return the words by change and by the content that was seen, the newest of each person, in order.

    By content too: two persons may have looked at the same change before and after it was rewritten.
    """
    found: dict[tuple[tuple[str, ...], str], dict[str, pd.Series[Any]]] = {}
    for _, row in words.iterrows():
        said = found.setdefault((key_of(row), str(row["content_sha256"])), {})
        said.pop(str(row["person"]), None)
        said[str(row["person"])] = row
    return {key: list(said.values()) for key, said in found.items()}


def half_verified(
    records: pd.DataFrame, words: pd.DataFrame, *, as_of: pd.Timestamp, needed: int
) -> pd.DataFrame:
    """Return the open changes that somebody verified, by fewer persons than policy asks: by whom, and how many more."""
    known = _by_content(words[words["verified_at"] <= as_of])
    names = ["record_type", "record_id", "changed_at", "run_id"]
    rows = []
    for _, row in records[records["verified_at"].isna()].iterrows():
        if said := known.get((key_of(row), content_of(row)), []):
            by = " and ".join(one["verified_by"] for one in said)
            rows.append([*(row[name] for name in names), by, needed - len(said)])
    return pd.DataFrame(rows, columns=[*names, "verified_by", "persons_lacking"])


def key_of(row: pd.Series[Any]) -> tuple[str, ...]:
    """Return what names one change."""
    *names, seq = (row[name] for name in KEY)
    return (*map(str, names), str(int(seq)))


def content_of(row: pd.Series[Any]) -> str:
    """Return the SHA-256 of what a change was, as `mark-verified` takes it."""
    return change_sha256(row["changed_at"].to_pydatetime(), row.to_dict())

"""Check: which records may be wrong, and who has looked at them?"""

from __future__ import annotations

import pandas as pd

from workbench.records import Check, CheckStatus
from workbench.review.ground import (
    VERIFICATIONS,
    WITHDRAWN,
    Finding,
    Ground,
    Section,
    counted,
    filled,
)
from workbench.review.ledger import ONCE, duplicates, in_order, shown, with_circumstances
from workbench.review.pausing import audit_pause
from workbench.review.said_none import said_none_table
from workbench.review.verified import BINDING, half_verified, withdrawn_table


def check_records(ground: Ground) -> Finding:
    """Judge what was written since the onset by whether it can be taken back and whether a person verified it."""
    records = records_since_onset(ground)
    open_records = must_verify(records)
    while_paused = records[records["is_under_review"] & records["verified_at"].isna()]
    twice = duplicates(records)
    sentence = _sentence(records, open_records, len(while_paused), len(twice))
    check = Check(
        name="affected_records",
        question="Which records were written since the onset, and were those that bind verified?",
        status=CheckStatus.FAIL if len(open_records) else CheckStatus.PASS,
        sentence=sentence,
        number=float(len(open_records)),
        unit="records to verify",
        threshold="0 unverified that are irreversible, unknown, customer-facing, sent twice or written while paused",
        threshold_source="what cannot be taken back, or customers saw, is looked at before more is written",
        row_count=len(records),
        query="review.affected_records",
        is_critical=True,
    )
    escalations: tuple[str, ...] = ()
    if len(while_paused):
        escalations = (
            f"production records may have changed: {counted(len(while_paused), 'write')} while paused, not verified",
        )
    tables = {
        "Records since the onset, by class": by_class(records),
        "Records to verify before a restart": _shown(open_records),
        "Written more than once": twice,
        **_words(ground, records),
    }
    section = Section("Affected records", sentence, filled(tables))
    return Finding(check, section, escalations)


def _words(ground: Ground, records: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return what persons said that does not show in the rows: too few of them, taken back, or that there are none."""
    return {
        "Verified by fewer persons than policy asks": by_too_few(ground, records),
        "Verifications that were taken back": withdrawn_table(records, ground.table(WITHDRAWN)),
        "Who said that nothing was written": said_none_table(ground),
    }


def by_too_few(ground: Ground, records: pd.DataFrame) -> pd.DataFrame:
    """Return the open changes that fewer persons verified than policy asks; see `half_verified` for the columns."""
    return half_verified(
        records, ground.table(VERIFICATIONS), as_of=ground.as_of, needed=ground.verifier_count
    )


def records_since_onset(ground: Ground) -> pd.DataFrame:
    """Return the ledger's changes since the onset, with whether they leaked past a hold and whether they block."""
    if "records" not in ground.memo:
        ground.memo["records"] = _records_since_onset(ground)
    found: pd.DataFrame = ground.memo["records"].copy()
    return found


def _records_since_onset(ground: Ground) -> pd.DataFrame:
    records = ground.table("affected_records")
    records = with_circumstances(ground, records[records["changed_at"] >= ground.onset_at])
    leaks = {
        str(hold["hold_id"]): audit_pause(ground, hold).leaked_writes
        for _, hold in ground.chain.iterrows()
    }
    keys = {name: set(_keys(rows)) for name, rows in leaks.items()}
    found = _keys(records)
    records["is_after_pause"] = [any(key in of_hold for of_hold in keys.values()) for key in found]
    records["is_under_review"] = [key in keys[ground.request.hold_id] for key in found]
    records["customer_facing"] = records["customer_facing"].fillna(True).astype(bool)
    records["blocks"] = _blocks(records)
    return records.reset_index(drop=True)


def _keys(records: pd.DataFrame) -> list[tuple[object, ...]]:
    columns = (records[name] for name in ("run_id", "record_type", "record_id", "change_seq"))
    return list(zip(*columns, strict=True))


def must_verify(records: pd.DataFrame) -> pd.DataFrame:
    """Return the unverified changes that block a restart."""
    return records[records["blocks"]].reset_index(drop=True)


def _blocks(records: pd.DataFrame) -> pd.Series[bool]:
    """Tell which changes block: unverified, and of a class that binds, seen, repeated or written while paused."""
    binds = records["reversibility"].isin(BINDING) | records["customer_facing"]
    acted_twice = (records["duplicate"] != "") & records["change"].isin(ONCE)
    wanted = binds | acted_twice | records["is_after_pause"]
    return (wanted & records["verified_at"].isna()).astype(bool)


def by_class(records: pd.DataFrame) -> pd.DataFrame:
    """Return counts by automation and reversibility: written, customer-facing, unverified, after the pause."""
    shown = records.assign(is_unverified=records["verified_at"].isna())
    grouped = shown.groupby(["automation_id", "reversibility"], sort=True)
    return grouped.agg(
        record_count=("record_id", "size"),
        customer_facing_count=("customer_facing", "sum"),
        unverified_count=("is_unverified", "sum"),
        after_pause_count=("is_after_pause", "sum"),
    ).reset_index()


def _shown(records: pd.DataFrame) -> pd.DataFrame:
    """Return what to verify in the order of the ledger, whose first row the sentence names."""
    columns = [
        "automation_id", "record_type", "record_id", "changed_at", "change", "reversibility", "customer_facing",
        "is_after_pause", "before", "after", "run_id",
    ]  # fmt: skip
    return in_order(records)[columns].reset_index(drop=True)


def _sentence(
    records: pd.DataFrame, open_records: pd.DataFrame, paused_count: int, twice_count: int
) -> str:
    if records.empty:
        return "No record was written since the onset."
    unverified = records["verified_at"].isna()
    if not unverified.any():
        return f"{counted(len(records), 'record')} written since the onset, all of them verified by a person."
    said = (
        f"{counted(len(records), 'record')} written since the onset, {int(unverified.sum()):,} unverified, of those "
        f"{int((unverified & records['reversibility'].isin(BINDING)).sum()):,} irreversible or unknown and "
        f"{int((unverified & records['customer_facing']).sum()):,} seen by customers"
    )
    paused = (
        f"; {counted(paused_count, 'unverified write')} came while paused" if paused_count else ""
    )
    twice = f"; {counted(twice_count, 'record')} written more than once" if twice_count else ""
    end = (
        f"; the first to look at is {_named(open_records)}"
        if len(open_records)
        else "; none blocks a restart"
    )
    return f"{said}{paused}{twice}{end}."


def _named(open_records: pd.DataFrame) -> str:
    """Name the change that blocks first, so that a person knows where to look."""
    row = shown(open_records).iloc[0]
    twice = f", written {row['duplicate']}" if row["duplicate"] else ""
    what = f"{row['record_type']}/{row['record_id']}"
    return f"{what} ({row['reversibility']}, {row['change'] or 'unknown'} by run {row['run_id']}{twice})"

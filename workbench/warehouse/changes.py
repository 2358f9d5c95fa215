"""The changes of a record that is named as `type/id`: what somebody who verified it looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from workbench.errors import NotFound, Refused
from workbench.evidence import LoadedChange, change_sha256
from workbench.warehouse.shelf import Warehouse


def find_changes(
    home: Path, record: str, *, run_id: str = "", source_id: str = ""
) -> list[LoadedChange]:
    """Return the loaded changes of one record; raises NotFound where there is none, Refused for an ambiguous name."""
    with Warehouse.open(home).snapshot() as snapshot:
        # What a terminal could not decode has no UTF-8 bytes and names no record that could be loaded.
        asked = record.encode("utf-8", "replace").decode()
        rows = snapshot.query("load.named_record", record=asked)
    mine = rows[
        (rows["run_id"] == (run_id or rows["run_id"]))
        & (rows["source_id"] == (source_id or rows["source_id"]))
    ]
    if mine.empty:
        where = "".join(
            f" of {kind} {name}" for kind, name in (("run", run_id), ("source", source_id)) if name
        )
        raise NotFound(
            f"No change of a record {record}{where} is loaded.",
            next_step="`workbench affected list HOLD` prints records as `type/id`",
        )
    if len(set(zip(mine["record_type"], mine["record_id"], strict=True))) > 1:
        raise Refused(
            f"{record} names records of several types, whose names hold a slash.",
            next_step="`workbench affected mark-verified RECORD --run RUN_ID --reason TEXT`",
        )
    return [_change_of(row) for _, row in mine.iterrows()]


def _change_of(row: pd.Series[Any]) -> LoadedChange:
    return LoadedChange(
        source_id=str(row["source_id"]),
        run_id=str(row["run_id"]),
        record_type=str(row["record_type"]),
        record_id=str(row["record_id"]),
        change_seq=int(row["change_seq"]),
        automation_id=str(row["automation_id"]),
        content_sha256=change_sha256(row["changed_at"].to_pydatetime(), row.to_dict()),
    )

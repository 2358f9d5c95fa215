"""The changes of a record that is named as `type/id`: what somebody who verified it looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.errors import NotFound, Refused
from workbench.evidence import LoadedChange, change_sha256
from workbench.warehouse.shelf import Warehouse
from workbench.warehouse.snapshot import WarehouseSnapshot

EVER, NEVER = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
"""A record is looked up by its name, whenever it was changed."""

LOOK_AGAIN = (
    "`workbench affected list HOLD` shows it as it is loaded now, and its version for `--based-on`"
)


@dataclass(frozen=True)
class Looked:
    """What somebody looks at before they verify it.

    Attributes:
        version: of the warehouse that it was read from.
        rows: one row per change, beside `changes`, as a review reads it; None where its source says nothing.
    """

    version: int
    changes: tuple[LoadedChange, ...]
    rows: tuple[dict[str, Any], ...]


def look_up(
    home: Path,
    records: Iterable[str],
    *,
    run_id: str = "",
    source_id: str = "",
    version: int | None = None,
) -> Looked:
    """Return the changes of records as the present or a named version of the warehouse has them.

    Raises NotFound where a record has none or the version is not there, Refused for an ambiguous name.
    """
    with Warehouse.open(home).snapshot(version) as snapshot:
        found = [
            row.to_dict()
            for record in dict.fromkeys(records)
            for _, row in _named(snapshot, record, run_id=run_id, source_id=source_id).iterrows()
        ]
        rows = [{str(name): value for name, value in row.items()} for row in found]
        return Looked(snapshot.version, tuple(_change_of(row) for row in rows), tuple(rows))


def find_changes(
    home: Path, record: str, *, run_id: str = "", source_id: str = ""
) -> list[LoadedChange]:
    """Return the loaded changes of one record; raises NotFound where there is none, Refused for an ambiguous name."""
    return [*look_up(home, [record], run_id=run_id, source_id=source_id).changes]


def check_unmoved(looked: Looked, look: Callable[..., Looked], *, version: int) -> None:
    """Raise Refused where `look` finds otherwise what a person looked at in another version of the warehouse."""
    try:
        seen = look(version=version)
    except NotFound as exc:
        raise Refused(
            f"Version {version} of the warehouse does not have these changes ({exc.message}).",
            next_step=LOOK_AGAIN,
        ) from exc
    moved = sorted(
        {f"{one.record_type}/{one.record_id}" for one in {*seen.changes} ^ {*looked.changes}}
    )
    if moved:
        raise Refused(
            f"{', '.join(moved[:3])}{' and more' if len(moved) > 3 else ''} changed since version {version} "
            f"of the warehouse, which you looked at; it is {looked.version} now.",
            next_step=LOOK_AGAIN,
        )


def _named(
    snapshot: WarehouseSnapshot, record: str, *, run_id: str, source_id: str
) -> pd.DataFrame:
    # What a terminal could not decode has no UTF-8 bytes and names no record that could be loaded.
    asked = record.encode("utf-8", "replace").decode()
    rows = snapshot.query(
        "review.affected_records", automation_ids=None, record=asked, since=EVER, as_of=NEVER
    )
    rows = rows.astype(object).where(rows.notna(), None)
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
    return mine


def _change_of(row: Mapping[str, Any]) -> LoadedChange:
    return LoadedChange(
        source_id=str(row["source_id"]),
        run_id=str(row["run_id"]),
        record_type=str(row["record_type"]),
        record_id=str(row["record_id"]),
        change_seq=int(row["change_seq"]),
        automation_id=str(row["automation_id"]),
        content_sha256=change_sha256(row["changed_at"].to_pydatetime(), row),
    )

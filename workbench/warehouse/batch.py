"""What a load is asked to do, what it reports, and one file's rows between the check and the publication."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from workbench.clock import to_text
from workbench.sources.files import Refusal, SourceFile
from workbench.sources.mapping import Mapping as FieldMapping
from workbench.warehouse import connection as duck
from workbench.warehouse.manifest import Watermark
from workbench.warehouse.staging import Staging

DEFAULT_ALLOWED_REJECT_SHARE = 0.05
"""Share of the lines that may be rejected before a load is held back; people pass another with --allow-rejects."""

_SHOWN_KEYS = 20
"""Field names, sources and reasons listed in a report; the counts cover all."""

NO_SOURCE = "source_id is missing"
"""Reason of the staging check for rows that name no source and for which none was given."""


@dataclass(frozen=True)
class LoadOptions:
    """How a load behaves.

    Attributes:
        source_id: source of rows that name none; over the mapping's.
        allowed_reject_share: 0 to 1; with more rejects than that, the file's rows are held back.
        complete_until: instant up to which the file is known to be complete; becomes the source's watermark.
        shows_progress: a bar on standard error.
    """

    source_id: str | None = None
    allowed_reject_share: float = DEFAULT_ALLOWED_REJECT_SHARE
    complete_until: datetime | None = None
    shows_progress: bool = False


@dataclass(frozen=True)
class LoadReport:
    """What became of every line of a file: accepted + rejected + blank == lines.

    Attributes:
        changed_count: accepted lines that brought a new or newer row; the others repeat what is known.
        repeat_count: run ids that stood again in the file and were numbered, where the mapping says so.
        unknown_key_count: field names without a column; kept as labels where the table has labels.
        source_ids: sources that the accepted rows are of, said by the rows themselves or for them.
        is_applied: False when the rejects exceeded the allowed share and the rows were held back.
        reasons: why lines were rejected, with their number.
    """

    table: str
    file: str
    batch_id: str
    line_count: int = 0
    accepted_count: int = 0
    rejected_count: int = 0
    blank_count: int = 0
    changed_count: int = 0
    repeat_count: int = 0
    unknown_key_count: int = 0
    unknown_keys: tuple[str, ...] = ()
    source_ids: tuple[str, ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    manifest_version: int = 0
    is_applied: bool = True
    was_already_loaded: bool = False

    @property
    def reject_share(self) -> float:
        """Return the rejected lines as a share of the lines that are not blank."""
        filled = self.line_count - self.blank_count
        return self.rejected_count / filled if filled else 0.0


@dataclass
class Batch:
    """One file's rows, checked but not yet published.

    Attributes:
        is_remembered: its id goes into the manifest, so that loading it again is a no-op.
    """

    id: str
    staging: Staging
    report: LoadReport
    rejects: list[Refusal]
    watermarks: tuple[Watermark, ...] = ()
    is_remembered: bool = True

    def reject_rows(self) -> pd.DataFrame:
        """Return the rejected lines as rows of ingest_reject."""
        columns = ["batch_id", "file", "line_number", "table_name", "reason", "text"]
        rows = [
            (self.id, self.report.file, one.line_number, self.report.table, one.reason, one.text)
            for one in sorted(self.rejects, key=lambda reject: reject.line_number)
        ]
        return pd.DataFrame(rows, columns=columns)


def finished_batch(staging: Staging, batch_id: str, *, name: str) -> Batch:
    """Close a staging area: count every line, sign the errors, and write the report."""
    staging.finish()
    report = LoadReport(
        table=staging.table.name,
        file=name,
        batch_id=batch_id,
        line_count=staging.line_count,
        accepted_count=staging.accepted_count,
        rejected_count=len(staging.rejects),
        blank_count=staging.blank_count,
        repeat_count=staging.repeat_count,
        unknown_key_count=len(staging.unknown_keys),
        unknown_keys=tuple(sorted(staging.unknown_keys)[:_SHOWN_KEYS]),
        source_ids=source_ids_of(staging)[:_SHOWN_KEYS],
        reasons=reasons_of(staging.rejects),
    )
    return Batch(batch_id, staging, report, staging.rejects)


def batch_id_of(
    file: SourceFile, mapping: FieldMapping | None, *, table_name: str, options: LoadOptions
) -> str:
    """Return what makes two loads the same: the bytes, the table, and what the caller says of them."""
    read_as = [
        table_name,
        file.sha256,
        mapping.digest if mapping else "",
        options.source_id or "",
        to_text(options.complete_until) if options.complete_until else "",
    ]
    return hashlib.sha256("\n".join(read_as).encode()).hexdigest()[:16]


def known_report(said: Mapping[str, Any]) -> LoadReport:
    """Return the report of a batch that the manifest remembers."""
    return LoadReport(
        **{
            **said,
            "unknown_keys": tuple(said["unknown_keys"]),
            "source_ids": tuple(
                said.get("source_ids", ())
            ),  # absent in manifests of earlier versions
            "was_already_loaded": True,
        }
    )


def source_ids_of(staging: Staging) -> tuple[str, ...]:
    """Return the sources that a staging area has rows of."""
    found = duck.run_query(staging.connection, "staging.source").fetchall()
    return tuple(source_id for (source_id,) in found)


def reasons_of(rejects: Sequence[Refusal]) -> dict[str, int]:
    """Return the commonest reasons with their number."""
    return dict(Counter(reject.reason for reject in rejects).most_common(_SHOWN_KEYS))

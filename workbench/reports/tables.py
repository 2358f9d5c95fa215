"""Finished tables: columns are formatted by what their names say (`_at`, `_seconds`, `_count`, `_rate`)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from workbench.plots import plain_text
from workbench.reports.markup import Fragment, cell_text, chip, safe

NONE = '<span class="wb-none">\u2013</span>'
_STATUS_COLUMNS = {"status", "check_status"}
_CODE_SUFFIXES = ("_id", "_signature", "query")
_NUMERIC_SUFFIXES = (
    "_count", "_seconds", "_rate", "_share", "_amount", "_cost", "_ms", "_number", "_bound", "_percent", "_minutes",
)  # fmt: skip
_WORDS = {"id": "id", "utc": "UTC", "p50": "p50", "p95": "p95"}


@dataclass(frozen=True)
class TableNote:
    """What goes around a table: its title, how many rows at most, other names of columns."""

    caption: str = ""
    row_limit: int = 25
    labels: Mapping[str, str] | None = None


def table(frame: pd.DataFrame, note: TableNote | None = None) -> Fragment:
    """Return a data frame as a finished table; what is not shown is counted, never dropped silently."""
    note = note or TableNote()
    shown = frame.head(note.row_limit)
    columns = [str(column) for column in frame.columns]
    numeric = {column for column in columns if _is_numeric(column, shown[column])}
    head = "".join(_head_cell(column, column in numeric, note.labels or {}) for column in columns)
    rows = "".join(
        "<tr>" + "".join(_body_cell(c, value, c in numeric) for c, value in zip(columns, row, strict=True)) + "</tr>"
        for row in shown.itertuples(index=False, name=None)
    )
    caption = f"<caption>{safe(note.caption)}</caption>" if note.caption else ""
    more = _more(len(shown), len(frame))
    body = rows or f'<tr><td colspan="{max(len(columns), 1)}" class="wb-none">No rows.</td></tr>'
    return Fragment(
        f'<div class="wb-scroll"><table data-wb-table="1">{caption}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{more}",
        f"[table] {plain_text(note.caption)}: {len(frame)} rows",
    )


def _more(shown_count: int, row_count: int) -> str:
    if shown_count == row_count:
        return ""
    return f'<p class="wb-quiet">The first {shown_count:,} of {row_count:,} rows.</p>'


def label_of(column: str) -> str:
    """Return a column's name in words: `started_at` becomes `started (UTC)`."""
    words = column.replace("_", " ").strip()
    if column.endswith("_at"):
        return f"{words[:-3]} (UTC)"
    if column.endswith("_on"):
        return words[:-3]
    for suffix in ("seconds", "count"):
        if column.endswith(f"_{suffix}"):
            return words[: -len(suffix) - 1]
    return words


def _head_cell(column: str, is_numeric: bool, labels: Mapping[str, str]) -> str:
    css_class = ' class="wb-num"' if is_numeric else ""
    return f'<th scope="col"{css_class}>{safe(labels.get(column, label_of(column)))}</th>'


def _is_numeric(column: str, values: pd.Series[Any]) -> bool:
    if pd.api.types.is_bool_dtype(values):
        return False
    return pd.api.types.is_numeric_dtype(values) or column.endswith(_NUMERIC_SUFFIXES)


def _body_cell(column: str, value: object, is_numeric: bool) -> str:
    if is_missing(value):
        return f'<td class="wb-num">{NONE}</td>' if is_numeric else f"<td>{NONE}</td>"
    if isinstance(value, datetime):
        return f'<td class="wb-when">{safe(when(value))}</td>'
    if column in _STATUS_COLUMNS and str(value) in {"PASS", "FAIL", "NO EVIDENCE"}:
        return f"<td>{chip(str(value))}</td>"
    if is_numeric:
        return f'<td class="wb-num">{safe(amount(column, value))}</td>'
    if isinstance(value, Mapping | list | tuple):
        value = json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    if isinstance(value, bool):
        return f"<td>{'yes' if value else 'no'}</td>"
    if column.endswith(_CODE_SUFFIXES):
        return f'<td class="wb-id">{cell_text(value)}</td>'
    return f"<td>{cell_text(value)}</td>"


def is_missing(value: object) -> bool:
    """Tell whether a cell holds nothing: None, NaT, NaN, or empty text."""
    if value is None or value is pd.NaT or value is pd.NA or value == "":
        return True
    return isinstance(value, float) and math.isnan(value)


def when(instant: datetime) -> str:
    """Write an instant plainly in UTC, to the second; fractions only where they are not zero."""
    text = instant.strftime("%Y-%m-%d %H:%M:%S")
    milliseconds = instant.microsecond // 1000
    return f"{text}.{milliseconds:03d}" if milliseconds else text


def duration(seconds: float) -> str:
    """Write seconds as people say them: `240 ms`, `14.2 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`."""
    size = abs(seconds)
    sign = "-" if seconds < 0 else ""
    if size < 1:
        return f"{sign}{size * 1000:.0f} ms"
    if size < 60:
        return f"{sign}{size:.1f} s"
    if size < 3600:
        return f"{sign}{int(size // 60)} min {int(size % 60):02d} s"
    if size < 86400:
        return f"{sign}{int(size // 3600)} h {int(size % 3600 // 60):02d} min"
    return f"{sign}{int(size // 86400)} d {int(size % 86400 // 3600)} h"


def amount(column: str, value: object) -> str:
    """Write a number as its column's name asks: rates in percent, seconds in words, counts with commas."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return plain_text(value)
    if column.endswith("_seconds") or column == "seconds":
        return duration(number)
    if column.endswith(("_rate", "_share", "_bound")) or column in {"rate", "share"}:
        return f"{number * 100:.1f} %"
    if column.endswith(("_amount", "_cost")) or column == "cost":
        return f"{number:,.2f}"
    if number.is_integer():
        return f"{int(number):,}"
    return f"{number:,.3g}" if abs(number) < 1000 else f"{number:,.0f}"

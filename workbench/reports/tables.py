"""Finished tables: columns are formatted by what their names say (`_at`, `_seconds`, `_count`, `_rate`)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from workbench.plots.text import plain_text
from workbench.reports.markup import Fragment, cell_text, chip, safe

NONE = '<span class="wb-none">\u2013</span>'
_STATUS_COLUMNS = {"status", "check_status"}
_CODE_SUFFIXES = ("_id", "_signature", "query")
_NUMERIC_SUFFIXES = (
    "_count", "_seconds", "_rate", "_share", "_amount", "_cost", "_ms", "_number", "_bound", "_percent", "_minutes",
)  # fmt: skip
_FOR_FIGURES = ["says"]
"""Words that a figure writes beside its bars; the table has the number itself."""

_CODE_COLUMNS = {"sha256"}
_COUNTED = {
    "run",
    "outcome",
    "failure",
    "record",
    "token",
    "change",
    "alert",
    "start",
    "write",
    "event",
    "step",
}
_LABELS = {
    "automation_id": "automation",
    "run_id": "run",
    "hold_id": "hold",
    "alert_id": "alert",
    "approval_id": "approval",
    "source_id": "source",
    "table_name": "table",
    "step_id": "step",
    "baseline_count": "in baseline",
    "incident_count": "in incident",
    "returned_count": "after a restart",
    "since_pause_count": "since the pause",
    "drill_age_days": "days since drill",
}
WIDE_COLUMNS = 8
"""A table with more columns than this is set smaller, and its instants may break between day and time."""

SHORT_ID_CHARACTERS = 20
"""An id up to this length stays on one line."""

LONG_CELL_CHARACTERS = 60
"""Text longer than this gets room, so that it does not become a tower of words."""

LONG_WORD_CHARACTERS = 36
"""A word longer than this may be broken anywhere, so that one id does not widen the whole table."""


@dataclass(frozen=True)
class TableNote:
    """What goes around a table: its title, how many rows at most, other names of columns."""

    caption: str = ""
    row_limit: int = 60
    labels: Mapping[str, str] | None = None


def table(frame: pd.DataFrame, note: TableNote | None = None) -> Fragment:
    """Return a data frame as a finished table; what is not shown is counted, never dropped silently."""
    note = note or TableNote()
    row_count = len(frame)
    shown = with_diffs(frame.head(note.row_limit).drop(columns=_FOR_FIGURES, errors="ignore"))
    columns = [str(column) for column in shown.columns]
    numeric = {column for column in columns if _is_numeric(column, shown[column])}
    head = "".join(_head_cell(column, column in numeric, note.labels or {}) for column in columns)
    rows = "".join(
        "<tr>"
        + "".join(_body_cell(c, value, c in numeric) for c, value in zip(columns, row, strict=True))
        + "</tr>"
        for row in shown.itertuples(index=False, name=None)
    )
    wide = ' class="wb-wide"' if len(columns) > WIDE_COLUMNS else ""
    caption = f"<caption>{safe(note.caption)}</caption>" if note.caption else ""
    more = _more(len(shown), row_count)
    body = rows or f'<tr><td colspan="{max(len(columns), 1)}" class="wb-none">No rows.</td></tr>'
    return Fragment(
        f'<div class="wb-scroll"><table data-wb-table="1"{wide}>{caption}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{more}",
        f"[table] {plain_text(note.caption)}: {row_count} {'row' if row_count == 1 else 'rows'}",
    )


def _more(shown_count: int, row_count: int) -> str:
    if shown_count == row_count:
        return ""
    return f'<p class="wb-quiet">The first {shown_count:,} of {row_count:,} rows.</p>'


def label_of(column: str) -> str:
    """Return a column's name in words: `started_at` becomes `started (UTC)`, `run_count` becomes `runs`."""
    words = column.replace("_", " ").strip()
    if column in _LABELS:
        return _LABELS[column]
    if column.endswith("_at"):
        return f"{words[:-3]} (UTC)"
    if column.endswith("_count"):
        counted = words[:-6]
        return f"{counted}s" if counted.split(" ")[-1] in _COUNTED else counted
    for prefix, suffix in (("", " seconds"), ("", " on"), ("is ", ""), ("has ", "")):
        if suffix and words.endswith(suffix):
            return words[: -len(suffix)]
        if prefix and words.startswith(prefix):
            return words[len(prefix) :]
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
    if isinstance(value, Fragment):
        return f"<td>{value.html}</td>"
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
    classes = [
        name
        for name, is_so in (
            ("wb-id", column.endswith(_CODE_SUFFIXES)),
            (
                "wb-short",
                column.endswith(_CODE_SUFFIXES) and len(str(value)) <= SHORT_ID_CHARACTERS,
            ),
            ("wb-long", _is_long(value)),
            ("wb-prose-cell", len(str(value)) > LONG_CELL_CHARACTERS),
        )
        if is_so
    ]
    attribute = f' class="{" ".join(classes)}"' if classes else ""
    return f"<td{attribute}>{cell_text(value)}</td>"


def _is_long(value: object) -> bool:
    return any(len(word) > LONG_WORD_CHARACTERS for word in str(value).split())


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


def to_second(instant: datetime) -> str:
    """Write an instant plainly in UTC, to the second."""
    return when(instant.replace(microsecond=0))


def duration(seconds: float) -> str:
    """Write seconds as people say them: `240 ms`, `14.2 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`."""
    if seconds == 0:
        return "0 s"
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
        number = float(value)  # type: ignore[arg-type] # a failed conversion is the answer
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


def with_diffs(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with `before` and `after` as one column that shows only what differs."""
    if not {"before", "after"} <= set(frame.columns):
        return frame
    pairs = zip(frame["before"], frame["after"], strict=True)
    shown = pd.Series(
        [difference(before, after) for before, after in pairs], frame.index, dtype=object
    )
    found = frame.assign(before=shown)
    return found.drop(columns=["after"]).rename(columns={"before": "what_changed"})


def difference(before: object, after: object) -> Fragment:
    """Return the fields that differ between two JSON objects: old value struck out, new one underlined."""
    old, new = _fields(before), _fields(after)
    parts = [
        f"{safe(key)}: {_value('del', old.get(key))} {_value('ins', new.get(key))}".strip()
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
    ]
    return Fragment("<br>".join(parts) or NONE, "; ".join(parts))


def _fields(value: object) -> dict[str, Any]:
    if not isinstance(value, str) or not value:
        return {}
    try:
        found = json.loads(value)
    except ValueError:
        return {"value": value}
    return found if isinstance(found, dict) else {"value": found}


def _value(tag: str, value: object) -> str:
    if value is None:
        return ""
    text = (
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    )
    return f"<{tag}>{cell_text(text)}</{tag}>"

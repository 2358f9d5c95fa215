"""Writes docs/data-dictionary.md from the SQL files under `queries/`: `python -m docs.data_dictionary`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from workbench.warehouse.dictionary import query_dictionary
from workbench.warehouse.tables import Table, table, table_names

PAGE = Path(__file__).with_name("data-dictionary.md")

HEAD = """# Data dictionary

Written by `python -m docs.data_dictionary` from the files under `queries/`; do not edit. In a terminal the same is
`workbench sql --list-tables` and `workbench sql --list-queries`, in a notebook `w.columns()` and `w.queries()`.

All instants are UTC and aware. A name ends as its unit does: `_at` an instant, `_seconds` a duration, `_count` a
number of things. Ids are text. Each row of a table also says which source it is of and which load brought it.
Of a file that is loaded each row must have the columns that are required; where a row names no source,
`workbench load --source` does. The other columns may be left out.
"""

QUERIES_HEAD = """## Queries

Asked with `w.query(NAME, parameter=value, ...)`. Every one is bounded in time on both sides, or says why not, and
gives its rows in one order. It keeps to a part of SQL that other engines read alike: no `group by all`, `qualify`,
`arg_max`, `date_diff` or `select *`.
"""


def page() -> str:
    """Return the page."""
    tables = [_table_part(table(name)) for name in table_names()]
    queries = [
        _query_part(name, list(entries))
        for name, entries in groupby(query_dictionary(), key=lambda entry: entry["query"])
    ]
    return "\n".join([HEAD, "## Tables\n", *tables, QUERIES_HEAD, *queries])


def _table_part(found: Table) -> str:
    head = f"### {found.name}\n\n{found.schema.description}\n"
    rows = [
        {
            "name": column.name,
            "type": column.type,
            "meaning": column.meaning,
            "required": found.asked_of(column).replace("--source", "`--source`"),
        }
        for column in found.columns
    ]
    return "\n".join([head, *_lines(("name", "type", "meaning", "required"), rows), ""])


def _query_part(name: str, entries: list[dict[str, str]]) -> str:
    parts = {part: [e for e in entries if e["part"] == part] for part in ("parameter", "column")}
    lines = [f"### {name}\n", entries[0]["meaning"], ""]
    for part, rows in parts.items():
        shown = [{**row, part: row["name"]} for row in rows]
        lines += [*_lines((part, "type", "meaning"), shown), ""]
    return "\n".join(lines)


def _lines(heads: Iterable[str], rows: Iterable[dict[str, str]]) -> Iterator[str]:
    heads = tuple(heads)
    yield f"| {' | '.join(heads)} |"
    yield f"| {' | '.join('---' for _ in heads)} |"
    for row in rows:
        yield f"| {' | '.join(row[head].replace('|', chr(92) + '|') for head in heads)} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

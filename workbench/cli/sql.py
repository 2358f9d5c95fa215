"""`workbench sql`: ask the warehouse one SELECT."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from typing import Any

import click
import pandas as pd

from workbench.cli.present import as_json, counted, demo_words, one_line, printable, table
from workbench.settings import Settings
from workbench.warehouse import Warehouse
from workbench.warehouse.dictionary import query_dictionary
from workbench.warehouse.tables import dictionary

_SHOWN_CELL = 60
"""Characters of a cell on the terminal; --json and --csv give all."""


@click.command()
@click.argument("text", required=False)
@click.option("--list-tables", is_flag=True, help="Tables and columns with their meaning.")
@click.option("--list-queries", is_flag=True, help="Queries: what a row is, parameters, columns.")
@click.option(
    "--version", "version", type=int, help="An old version of the warehouse, as a report names it."
)
@click.option("--json", "is_json", is_flag=True, help="A JSON array, one object a row.")
@click.option(
    "--csv", "is_csv", is_flag=True, help="CSV whose cells no spreadsheet runs as a formula."
)
def command(
    text: str | None,
    list_tables: bool,
    list_queries: bool,
    version: int | None,
    is_json: bool,
    is_csv: bool,
) -> None:
    """Print the rows of one SELECT over the warehouse.

    workbench sql "select automation_id, status, count(*) as runs from run group by 1, 2 order by 1, 2"
    """
    if is_json and is_csv:
        raise click.UsageError("choose --json or --csv")
    if bool(text) + list_tables + list_queries > 1:
        raise click.UsageError("give one of a SELECT, --list-tables and --list-queries")
    said = ""
    if list_tables:
        found = pd.DataFrame(dictionary())
    elif list_queries:
        found = pd.DataFrame(query_dictionary())
    elif text:
        settings = Settings.from_environment()
        said = demo_words(settings)
        with Warehouse.open(settings.home, settings.clock()).snapshot(version) as snapshot:
            found = snapshot.sql(text)
    else:
        raise click.UsageError("give a SELECT, --list-tables or --list-queries")
    if is_json:
        click.echo(as_json(row_documents(found)))
    elif is_csv:
        click.echo(as_csv(found), nl=False)
    else:
        click.echo(
            table(list(map(one_line, found.columns)), _cells(found, is_whole=list_tables))
            if len(found.columns)
            else ""
        )
        click.echo(f"{said}{counted(len(found), 'row')}", err=True)


def as_csv(found: pd.DataFrame) -> str:
    """Return CSV in which no cell, header included, begins as a formula: run history is text others choose."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([guarded(str(name)) for name in found.columns])
    for row in found.itertuples(index=False):
        writer.writerow([guarded(_plain(cell)) for cell in row])
    return out.getvalue()


def guarded(cell: Any) -> Any:
    """Make text safe for a terminal and a spreadsheet; numbers stay numbers.

    Control characters and marks that reverse text go, tab and line break inside a cell stay; each line
    that a spreadsheet would run as a formula gets an apostrophe before it.
    """
    if not isinstance(cell, str):
        return cell
    # Only here: a carriage return ends a line for a spreadsheet, and moves the cursor on a terminal.
    lines = cell.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(map(_guarded_line, lines))


def _guarded_line(line: str) -> str:
    shown = "\t".join(printable(part) for part in line.split("\t"))
    first = unicodedata.normalize("NFKC", shown.lstrip(" "))[:1]
    is_formula = first and first in "=+-@|%\t\N{REPLACEMENT CHARACTER}"
    return f"'{shown}" if is_formula else shown


def row_documents(found: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as plain values under their columns; missing is None, instants are ISO text in UTC."""
    names = list(map(str, found.columns))
    return [
        dict(zip(names, map(_plain, row), strict=True)) for row in found.itertuples(index=False)
    ]


def _cells(found: pd.DataFrame, *, is_whole: bool) -> list[list[str]]:
    """Return what the terminal shows; whole where it is the words that a column may have."""
    return [
        [_shown(cell, is_whole=is_whole) for cell in row] for row in found.itertuples(index=False)
    ]


def _shown(cell: Any, *, is_whole: bool) -> str:
    text = "" if (plain := _plain(cell)) is None else str(plain)
    return text if is_whole or len(text) <= _SHOWN_CELL else text[: _SHOWN_CELL - 3] + "..."


def _plain(cell: Any) -> Any:
    """Return a cell as a plain Python value; missing is None, instants are ISO text in UTC."""
    if isinstance(cell, dict | list | tuple):
        return json.dumps(cell, default=str, ensure_ascii=False)
    if pd.isna(cell):
        return None
    if isinstance(cell, pd.Timestamp):
        return cell.isoformat().replace("+00:00", "Z")
    return cell.item() if hasattr(cell, "item") else cell

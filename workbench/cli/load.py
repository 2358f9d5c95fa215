"""`workbench load`: bring files of run history into the warehouse."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from workbench.cli.present import as_json, demo_words, one_line
from workbench.clock import from_text
from workbench.errors import SourceError
from workbench.settings import Settings
from workbench.sources.mapping import Mapping, load_mapping
from workbench.warehouse import LoadOptions, LoadReport, Warehouse


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--table", help="Table to load into; the mapping's where it names one.")
@click.option("--mapping", "mapping_name", help="Shipped mapping, or a TOML file of your own.")
@click.option("--source", help="Source of rows that name none.")
@click.option(
    "--constant",
    "constants",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Value where a row has none.",
)
@click.option(
    "--allow-rejects",
    type=click.FloatRange(0, 1),
    default=LoadOptions.allowed_reject_share,
    show_default=True,
    help="Share of lines that may be rejected; beyond it no row of the file is loaded (exit 13).",
)
@click.option(
    "--complete-until",
    metavar="INSTANT",
    help="The files hold all that the source knew until then.",
)
@click.option(
    "--progress/--no-progress", default=None, help="Progress bar; by itself only on a terminal."
)
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def command(
    files: tuple[Path, ...],
    table: str | None,
    mapping_name: str | None,
    source: str | None,
    constants: tuple[str, ...],
    allow_rejects: float,
    complete_until: str | None,
    progress: bool | None,
    is_json: bool,
) -> None:
    """Load JSONL, CSV (also .gz) or Parquet files; each line ends accepted, rejected with a reason, or blank.

    Loading a file again changes nothing. All files of one call are loaded together or, after an error, not at all.
    """
    mapping = _mapping(mapping_name, constants, table)
    options = LoadOptions(
        source_id=source,
        allowed_reject_share=allow_rejects,
        complete_until=_instant(complete_until),
        shows_progress=sys.stderr.isatty() if progress is None else progress,
    )
    target = table or (mapping.table if mapping else None)
    if target is None:
        raise click.UsageError("say which table with --table, or give a --mapping that names it")
    settings = Settings.from_environment()
    warehouse = Warehouse.open(settings.home, settings.clock())
    reports = warehouse.load_files(
        [(target, path) for path in files], mapping=mapping, options=options
    )
    click.echo(
        as_json([asdict(report) for report in reports])
        if is_json
        else demo_words(settings) + _in_words(reports, _unknown_words(warehouse, reports))
    )
    if empty := [report.file for report in reports if report.line_count == report.blank_count]:
        raise SourceError(f"{', '.join(empty)}: has no lines, so nothing was loaded from it")


def _mapping(name: str | None, constants: tuple[str, ...], table: str | None) -> Mapping | None:
    if name is None:
        if not constants:
            return None
        if table is None:
            raise click.UsageError("--constant needs --table or --mapping")
        mapping = Mapping(name="constants", table=table, fields={}, keep_names=True)
    else:
        mapping = load_mapping(name)
    if table and mapping.table != table:
        raise click.UsageError(f"mapping {mapping.name} is for table {mapping.table}, not {table}")
    pairs = [entry.partition("=") for entry in constants]
    if wrong := [column for column, sign, _ in pairs if not sign]:
        raise click.UsageError(f"--constant wants COLUMN=VALUE, not {wrong[0]}")
    said = {column: value for column, _, value in pairs}
    return mapping.model_copy(update={"constants": {**mapping.constants, **said}})


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return from_text(text)
    except ValueError as exc:
        raise click.UsageError(f"--complete-until: {exc}") from exc


def _unknown_words(warehouse: Warehouse, reports: list[LoadReport]) -> list[str]:
    """Say which words of a source became `unknown`: unknown is not success, and a mapping can name them."""
    batches = [r.batch_id for r in reports if r.table == "run" and r.changed_count]
    lines = []
    with warehouse.snapshot() as snapshot:
        for batch_id in batches:
            found = snapshot.query("load.unknown_status", batch_id=batch_id)
            words = [
                f"{one_line(w) or 'no word'} ({n:,})" for w, n in found.itertuples(index=False)
            ]
            if words:
                lines.append(f"    status unknown, which is not success: {', '.join(words)}")
    if lines:
        lines.append("    to say what they mean, add them to `[words.status]` of your --mapping")
    return lines


def _in_words(reports: list[LoadReport], more: list[str]) -> str:
    lines = []
    for report in reports:
        again = "already loaded, nothing changed: " if report.was_already_loaded else ""
        lines.append(
            f"{one_line(report.file)} -> {report.table}: {again}{report.accepted_count:,} accepted + "
            f"{report.rejected_count:,} rejected + {report.blank_count:,} blank = {report.line_count:,} lines"
        )
        known = report.accepted_count - report.changed_count
        if known and not report.was_already_loaded:
            lines.append(
                f"    {known:,} accepted lines repeat what is known; {report.changed_count:,} are new or newer"
            )
        if report.repeat_count:
            lines.append(
                f"    {report.repeat_count:,} ids stood again in the file and were numbered (ID#2)"
            )
        if report.unknown_keys:
            kept = "kept as labels" if report.table == "run" else "not kept"
            names = ", ".join(one_line(name) for name in report.unknown_keys)
            lines.append(f"    {report.unknown_key_count:,} fields have no column, {kept}: {names}")
        lines += [
            f"    rejected: {one_line(reason)} ({count:,})"
            for reason, count in report.reasons.items()
        ]
    lines += more
    lines.append(f"warehouse version {max(report.manifest_version for report in reports)}")
    return "\n".join(lines)

"""`workbench load`: bring files of run history into the warehouse."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from workbench.cli.present import as_json, counted, demo_words, one_line
from workbench.clock import from_text
from workbench.errors import SourceError
from workbench.records import RunStatus
from workbench.settings import Settings
from workbench.sources.mapping import Mapping, load_mapping
from workbench.warehouse import LoadOptions, LoadReport, Warehouse
from workbench.warehouse.batch import NO_SOURCE

STATUS_QUERIES = {"run": "load.unknown_status", "step": "load.unknown_step_status"}
"""Table -> the query for the words of its source that are no status here."""


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--table", help="Table to load into; the mapping's where it names one.")
@click.option("--mapping", "mapping_name", help="Shipped mapping, or a TOML file of your own.")
@click.option(
    "--source",
    metavar="SOURCE_ID",
    help="Source of rows that name none: a word of yours, e.g. billing-cron.",
)
@click.option(
    "--constant",
    "constants",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Value where a row has none.",
)
@click.option(
    "--automation-label", metavar="NAME", help="Label of an alert that names its automation."
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
    automation_label: str | None,
    allow_rejects: float,
    complete_until: str | None,
    progress: bool | None,
    is_json: bool,
) -> None:
    """Load JSONL, CSV (also .gz) or Parquet files; each line ends accepted, rejected with a reason, or blank.

    Loading a file again changes nothing. All files of one call are loaded together or, after an error, not at all.

    A row of each of two tables, with what it must have and the instants that reviews count by;
    `workbench sql --list-tables` marks the columns that a row must have, and names the words that stand in
    some of them.

    \b
    --table run:
      {"run_id": "r1", "automation_id": "invoice-triage",
       "status": "succeeded", "started_at": "2026-11-23T21:00:00Z",
       "finished_at": "2026-11-23T21:00:04Z"}
    --table affected_record:
      {"run_id": "r1", "automation_id": "invoice-triage",
       "record_type": "invoice", "record_id": "4711", "change_seq": 0,
       "change": "update", "changed_at": "2026-11-23T21:00:03Z"}
    """  # noqa: D301  # click takes the character itself for: leave these lines as they are
    mapping = _labelled(_mapping(mapping_name, constants, table), automation_label)
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
        else demo_words(settings) + _in_words(reports, _remarks(warehouse, reports, mapping))
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


def _labelled(mapping: Mapping | None, label: str | None) -> Mapping | None:
    """Return the mapping with the label that names the automation, where one was said."""
    if label is None:
        return mapping
    if mapping is None or mapping.automation_label is None:
        raise click.UsageError(
            "--automation-label needs a mapping of alerts: alertmanager, grafana or pagerduty"
        )
    # A mapping keeps its rules once they were asked for, so a new one is made.
    return Mapping(**{**mapping.model_dump(), "automation_label": label})


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return from_text(text)
    except ValueError as exc:
        raise click.UsageError(f"--complete-until: {exc}") from exc


def _unknown_words(
    warehouse: Warehouse, reports: list[LoadReport], mapping: Mapping | None
) -> list[str]:
    """Say which words of a source became `unknown`: unknown is not success, and a mapping can name them."""
    found: dict[str, int] = {}
    with warehouse.snapshot() as snapshot:
        for report in reports:
            if report.table in STATUS_QUERIES and report.accepted_count:
                name = STATUS_QUERIES[report.table]
                rows = snapshot.query(name, batch_id=report.batch_id)
                for word, count in rows.itertuples(index=False):
                    found[word] = found.get(word, 0) + count
    if not found:
        return []
    said = ", ".join(f"{one_line(word) or 'no word'} ({count:,})" for word, count in found.items())
    lines = [f"    status unknown, which is not success: {said}"]
    words = [word for word in found if word]
    return [*lines, *_how_to_map(words, reports[0].table, mapping)] if words else lines


def _remarks(warehouse: Warehouse, reports: list[LoadReport], mapping: Mapping | None) -> list[str]:
    """Say what was accepted and counts for less than its sender may think."""
    return [
        *_unknown_words(warehouse, reports, mapping),
        *_unnamed(warehouse, reports, mapping),
        *_endless(warehouse, reports),
    ]


def _endless(warehouse: Warehouse, reports: list[LoadReport]) -> list[str]:
    """Say how many ended runs do not tell their end, or their start: reviews know less of them."""
    batches = [r.batch_id for r in reports if r.table == "run" and r.accepted_count]
    if not batches:
        return []
    with warehouse.snapshot() as snapshot:
        rows = [snapshot.query("load.endless_run", batch_id=batch_id) for batch_id in batches]
    endless, startless = (
        sum(int(found[name].sum()) for found in rows)
        for name in ("endless_count", "startless_count")
    )
    how = "each counts from its start, and how long it took is unknown; `finished_at` says it"
    said = [f"    no end told by {counted(endless, 'ended run')}: {how}"] * (endless > 0)
    why = "no review counts those; `started_at` says it"
    return [
        *said,
        *[f"    no start told by {counted(startless, 'ended run')}: {why}"] * (startless > 0),
    ]


def _unnamed(warehouse: Warehouse, reports: list[LoadReport], mapping: Mapping | None) -> list[str]:
    """Say how many alerts name no automation: no review counts what is about nothing that it knows."""
    batches = [r.batch_id for r in reports if r.table == "alert" and r.accepted_count]
    if not batches:
        return []
    with warehouse.snapshot() as snapshot:
        rows = [snapshot.query("load.unnamed_alert", batch_id=batch_id) for batch_id in batches]
    count = sum(int(found["alert_count"].sum()) for found in rows)
    label = "service.summary" if mapping and mapping.name == "pagerduty" else "LABEL"
    how = f"`--automation-label {label}`, or a mapping's `automation_id`, says which they are about"
    return [f"    no automation named by {count:,} alerts, which no review counts; {how}"] * (
        count > 0
    )


def _how_to_map(words: list[str], table: str, mapping: Mapping | None) -> list[str]:
    """Return the entries of a mapping that would say what the words mean, to be copied and filled in."""
    named = mapping is not None and "status" in mapping.rules
    file = f"a copy of the mapping {mapping.name}" if mapping and named else "a mapping file"
    head = (
        []
        if named
        else [f'table = "{table}"', "keep_names = true", "[fields]", 'status = "status"']
    )
    known = ", ".join(status for status in RunStatus if status is not RunStatus.UNKNOWN)
    keys = dict.fromkeys(word.strip().lower() for word in words)
    entries = [f'{one_line(json.dumps(key, ensure_ascii=False))} = "WORD"' for key in keys]
    return [
        f"    to say what they mean, load the file again with --mapping and {file}, where WORD is one of",
        f"    {known}:",
        *(f"        {line}" for line in (*head, "[words.status]", *entries)),
    ]


def _in_words(reports: list[LoadReport], more: list[str]) -> str:
    lines = []
    for report in reports:
        again = "already loaded, nothing changed: " if report.was_already_loaded else ""
        lines.append(
            f"{one_line(report.file)} -> {report.table}: {again}{report.accepted_count:,} accepted + "
            f"{report.rejected_count:,} rejected + {report.blank_count:,} blank = {report.line_count:,} lines"
        )
        if report.source_ids:
            lines.append(f"    source: {', '.join(map(one_line, report.source_ids))}")
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
            + ("; `--source SOURCE_ID` says whose rows they are" * (reason == NO_SOURCE))
            for reason, count in report.reasons.items()
        ]
    lines += more
    lines.append(f"warehouse version {max(report.manifest_version for report in reports)}")
    return "\n".join(lines)

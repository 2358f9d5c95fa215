"""A newcomer's story: rows exactly as `load --help` shows them, and without an end, show an incident that happened."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.ground import a_store, run
from workbench.clock import to_text
from workbench.settings import Settings


def _help_row(table: str) -> dict[str, Any]:
    text = run("load", "--help").out.split(f"--table {table}:", 1)[1]
    row: dict[str, Any] = json.loads(text[text.index("{") : text.index("}") + 1])
    return row


def _load(path: Path, table: str, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    until = to_text(Settings.from_environment().clock().now())
    words = ("--table", table, "--source", "billing-cron", "--complete-until", until)
    done = run("load", *words, str(path), "--no-progress")
    assert done.code == 0, done.said
    return done.out


@pytest.mark.parametrize("has_end", [True, False])
def test_rows_of_the_help_show_the_incident(has_end: bool, own_folders: Path) -> None:
    """90 went well, then 30 failed and wrote: the onset is found, the records block, the triggers fire."""
    control = a_store()
    now = control.clock.now()
    runs, records = [], []
    for n in range(120):
        at = now - timedelta(minutes=2 * (120 - n))
        status = "succeeded" if n < 90 else "failed"
        told = {"run_id": f"r{n}", "status": status, "started_at": to_text(at)}
        told["finished_at"] = to_text(at + timedelta(seconds=4))
        runs.append({**_help_row("run"), **told} if n == 0 else {**runs[0], **told})
        if n >= 90:
            wrote = {"run_id": f"r{n}", "record_id": str(n), "changed_at": to_text(at)}
            records.append({**(records[0] if records else _help_row("affected_record")), **wrote})
    if not has_end:
        for row in runs:
            del row["finished_at"]
    said = _load(own_folders / "runs.jsonl", "run", runs)
    line = (
        "no end told by 120 ended runs: each counts from its start, and how long it took is unknown"
    )
    assert (line in said) is not has_end
    _load(own_folders / "records.jsonl", "affected_record", records)
    looked = run("triggers", "--once")
    assert looked.code == 22, looked.said
    assert "FIRES  automation=invoice-triage  failure_streak" in looked.out, looked.out
    assert run(
        "pause", "automation=invoice-triage", "--reason", "wrong amounts", "--no-wait", "--yes"
    ).code in (0, 10)
    found = run("affected", "list", "H-1")
    assert "30 changes loaded since the onset" in found.out, found.said
    assert "30 of them block a restart" in found.out
    onset = to_text(now - timedelta(minutes=11))
    asked = run("affected", "list", "H-1", "--onset", onset)
    assert "5 changes loaded since the onset" in asked.out, asked.said

"""Which sources a resume is asked about, read from a real warehouse: those that tell of its automations."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from tests.warehouse.conftest import run_row, write_lines
from workbench.clock import FixedClock
from workbench.evidence import Evidence, EvidenceQuestion
from workbench.warehouse import LoadOptions, Warehouse, Watermark
from workbench.warehouse.serving import read_evidence


def asked(clock: FixedClock, *automation_ids: str, days: int = 8) -> EvidenceQuestion:
    """Ask about automations and the provider acme-llm."""
    now = clock.now()
    return EvidenceQuestion(automation_ids, ("acme-llm",), now - timedelta(days=days), now)


def told(found: Evidence) -> dict[tuple[str, str], str]:
    """Return (source, table) -> what loads it."""
    return {(mark.source_id, mark.table_name): mark.load_command for mark in found.marks}


def put(warehouse: Warehouse, source_id: str, automation_id: str, at: datetime) -> None:
    """Bring one run and the marks of a reading of an engine, as a sync does."""
    row = run_row(f"of-{source_id}", source_id=source_id, automation_id=automation_id)
    row = {**row, "first_seen_at": at, "started_at": at, "finished_at": at, "updated_at": at}
    now = datetime.fromisoformat("2026-11-20T09:30:00+00:00")
    marks = [Watermark(source_id, table, now, now) for table in ("run", "step", "audit_event")]
    warehouse.put_rows({"run": [row]}, source_id=source_id, watermarks=marks)


def test_an_absent_warehouse_tells_nothing(tmp_path: Path, clock: FixedClock) -> None:
    """Where nothing was ever loaded no source tells of anything."""
    found = read_evidence(tmp_path / "home", asked(clock, "invoice-triage"))
    assert found == Evidence(("invoice-triage",), ())


def test_sources_that_tell_of_others_are_not_asked_about(
    warehouse: Warehouse, tmp_path: Path, clock: FixedClock
) -> None:
    """An engine that runs other automations, or told of these long ago, does not stand in the way."""
    now = clock.now()
    put(warehouse, "prefect", "invoice-triage", now - timedelta(hours=1))
    put(warehouse, "airflow", "order-sync", now - timedelta(hours=1))
    put(warehouse, "old-engine", "invoice-triage", now - timedelta(days=20))
    found = told(read_evidence(tmp_path / "home", asked(clock, "invoice-triage")))
    assert found == dict.fromkeys(
        [("prefect", "audit_event"), ("prefect", "run"), ("prefect", "step")],
        "`workbench sync prefect`",
    )
    both = told(read_evidence(tmp_path / "home", asked(clock, "invoice-triage", days=30)))
    assert both["old-engine", "run"] == "`workbench sync old-engine`"


def test_files_and_providers_are_told_with_their_own_command(
    warehouse: Warehouse, tmp_path: Path, clock: FixedClock
) -> None:
    """A file's source is loaded further by `load`; a status page serves whose provider it tells of."""
    whole = LoadOptions(complete_until=clock.now())
    runs = write_lines(tmp_path / "run.jsonl", [run_row(source_id="billing cron")])
    warehouse.load_rows("run", runs, options=whole)
    for provider in ("acme-llm", "other"):
        row = {
            "source_id": f"page-{provider}", "provider": provider, "component": "api",
            "since_at": "2026-11-20T08:00:00Z", "status": "operational",
        }  # fmt: skip
        path = write_lines(tmp_path / f"{provider}.jsonl", [row])
        warehouse.load_rows("provider_status", path, options=whole)
    found = told(read_evidence(tmp_path / "home", asked(clock, "invoice-triage")))
    assert found == {
        ("billing cron", "run"): "`workbench load --table run --source 'billing cron' FILE --complete-until INSTANT`",
        ("page-acme-llm", "provider_status"): "`workbench load --table provider_status --source page-acme-llm FILE --complete-until INSTANT`",
    }  # fmt: skip


def test_a_file_without_an_end_is_no_mark(
    warehouse: Warehouse, tmp_path: Path, clock: FixedClock
) -> None:
    """Rows alone do not say that nothing else happened: without `--complete-until` there is no mark."""
    warehouse.load_rows("run", write_lines(tmp_path / "run.jsonl", [run_row()]))
    assert read_evidence(tmp_path / "home", asked(clock, "invoice-triage")).marks == ()

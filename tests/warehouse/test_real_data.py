"""Real exports nobody here wrote: the totals are those that were counted independently."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.sources.mapping import load_mapping
from workbench.warehouse import Warehouse

Ask = Callable[[str], list[dict[str, Any]]]


def test_github_actions_jobs_become_runs(
    warehouse: Warehouse, rows_of: Ask, shared_data: Path
) -> None:
    """19,199 jobs of which 713 failed, under 717 names; a job that the export lists twice is said and kept."""
    report = warehouse.load_rows(
        "run", shared_data / "pytorch_ci_jobs.csv.gz", mapping=load_mapping("github-actions-jobs")
    )
    assert (report.accepted_count, report.rejected_count, report.repeat_count) == (19_199, 0, 1)
    (found,) = rows_of(
        "select count(*) as runs, count(*) filter (where status = 'failed') as failed, "
        "count(*) filter (where status = 'succeeded') as succeeded, "
        "count(distinct automation_id) as names, count(distinct labels['name']) as labelled from run"
    )
    assert (found["runs"], found["failed"], found["names"]) == (19_199, 713, 717)
    assert found["runs"] == found["failed"] + found["succeeded"]


def test_status_page_incidents_become_provider_status(
    warehouse: Warehouse, rows_of: Ask, shared_data: Path
) -> None:
    """819 incidents, 18 of them maintenance; durations of the others have the known quantiles."""
    report = warehouse.load_rows(
        "provider_status",
        shared_data / "github_provider_incidents.jsonl",
        mapping=load_mapping("status-page-incidents"),
    )
    assert (report.accepted_count, report.rejected_count, report.changed_count) == (819, 0, 819)
    (found,) = rows_of(
        "select count(*) as incidents, count(distinct incident_ref) as refs, "
        "count(*) filter (where status = 'maintenance') as maintenance, "
        "median(epoch(until_at) - epoch(since_at)) filter (where status <> 'maintenance') / 60 as median_minutes, "
        "min(since_at) as first, count(*) filter (where component = '') as whole from provider_status"
    )
    assert (found["incidents"], found["refs"], found["maintenance"]) == (819, 819, 18)
    assert found["median_minutes"] == pytest.approx(73, abs=1)
    assert found["first"].isoformat().startswith("2022-03-2")
    assert found["whole"] == 158


def test_a_page_of_many_components_stays_one_row(
    warehouse: Warehouse, rows_of: Ask, shared_data: Path
) -> None:
    """Components of one incident stand together, so an incident is not counted once per component."""
    warehouse.load_rows(
        "provider_status",
        shared_data / "github_provider_incidents.jsonl",
        mapping=load_mapping("status-page-incidents"),
    )
    (found,) = rows_of(
        "select max(len(string_split(component, ', '))) as most from provider_status"
    )
    assert found["most"] == 10


def test_a_watchers_history_is_loaded_with_a_mapping_of_ones_own(
    warehouse: Warehouse, rows_of: Ask, shared_data: Path, tmp_path: Path
) -> None:
    """A user's TOML file is enough to load a CSV that nobody foresaw."""
    path = tmp_path / "uptime.toml"
    path.write_text(
        """
        table = "run"
        source_id = "uptime"
        number_repeats = true
        [fields]
        run_id = { all_of = ["check", "committed_at"] }
        automation_id = "check"
        status = "status"
        started_at = "committed_at"
        [constants]
        kind = "watcher"
        [words.status]
        "🟩" = "succeeded"
        "🟥" = "failed"
        """
    )
    report = warehouse.load_rows(
        "run", shared_data / "uptime_checks.csv", mapping=load_mapping(str(path))
    )
    assert (report.accepted_count, report.line_count, report.rejected_count) == (314, 314, 0)
    assert report.unknown_keys == ("http_code", "ms")
    (found,) = rows_of("select count(*) as n, count(distinct kind) as kinds from run")
    assert found == {"n": 314, "kinds": 1}

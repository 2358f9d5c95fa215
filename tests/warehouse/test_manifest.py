"""The manifest: replaced atomically, old versions stay, a killed loader loses nothing that was acknowledged."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.warehouse.conftest import run_row, write_lines
from workbench.errors import NotFound, WarehouseError
from workbench.warehouse import LoadReport, Warehouse, Watermark, manifest, read_watermarks
from workbench.warehouse.manifest import Manifest, locked, publish, read_manifest

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
LOADER = """
import sys, json
from pathlib import Path
from workbench.warehouse import Warehouse
home, prefix = Path(sys.argv[1]), sys.argv[2]
warehouse = Warehouse.open(home)
for number in range(1000):
    run_id = f"{prefix}-{number}"
    row = {"source_id": "s", "run_id": run_id, "automation_id": "a", "status": "failed",
           "started_at": f"2026-11-{10 + number % 5}T09:00:00Z"}
    step = {"source_id": "s", "run_id": run_id, "step_id": "x", "attempt": 1, "automation_id": "a",
            "status": "failed", "started_at": row["started_at"]}
    warehouse.put_rows({"run": [row], "step": [step]})
    print(run_id, flush=True)
"""


def marks(checked: datetime, source: str = "prefect") -> tuple[Watermark, ...]:
    """Return one watermark that was checked at an instant."""
    return (Watermark(source, "run", checked, checked),)


def test_an_absent_warehouse_is_empty(tmp_path: Path) -> None:
    """Before the first load there is version 0 and nothing in it."""
    assert read_manifest(tmp_path / "warehouse") == Manifest()
    assert read_manifest(tmp_path / "warehouse", 0) == Manifest()
    assert read_watermarks(tmp_path / "warehouse") == ()


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Text and record are the same thing."""
    with locked(tmp_path):
        written = publish(tmp_path, Manifest().with_watermarks(marks(NOW)), created_at=NOW)
    assert read_manifest(tmp_path) == written
    assert Manifest.from_text(written.to_text()) == written
    assert written.version == 1


def test_old_versions_stay(tmp_path: Path) -> None:
    """Each publication leaves the version before it readable by its number."""
    with locked(tmp_path):
        one = publish(tmp_path, Manifest(), created_at=NOW)
        two = publish(tmp_path, one.with_watermarks(marks(NOW)), created_at=NOW)
    assert read_manifest(tmp_path, 1) == one
    assert read_manifest(tmp_path, 2) == read_manifest(tmp_path) == two
    with pytest.raises(NotFound, match="no version 3; the newest is 2"):
        read_manifest(tmp_path, 3)


def test_files_are_read_only(warehouse: Warehouse, tmp_path: Path) -> None:
    """Neither a data file nor a manifest can be written once it is in place."""
    warehouse.load_rows("run", write_lines(tmp_path / "r.jsonl", [run_row()]))
    found = [p for p in warehouse.folder.rglob("*") if p.suffix in (".parquet", ".json")]
    assert len(found) == 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o444}


def test_the_manifest_names_what_is_on_disk(warehouse: Warehouse, tmp_path: Path) -> None:
    """Digest, size and rows of each file are in the manifest."""
    import hashlib

    warehouse.load_rows("run", write_lines(tmp_path / "r.jsonl", [run_row(), run_row("r2")]))
    (found,) = read_manifest(warehouse.folder).files("run")
    content = (warehouse.folder / found.file).read_bytes()
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert (found.byte_count, found.row_count) == (len(content), 2)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"format": 2}', '{"format": 1, "version": "x"}', "\x00"]
)
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    """A cut, foreign or newer manifest is named, never read as an empty warehouse."""
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(WarehouseError, match="is not a manifest of this workbench"):
        read_manifest(tmp_path)


def test_a_lost_manifest_is_not_an_empty_warehouse(tmp_path: Path) -> None:
    """When only the present manifest is gone, the tool says so instead of starting anew."""
    with locked(tmp_path):
        publish(tmp_path, Manifest(), created_at=NOW)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(WarehouseError, match="is gone though older versions are there"):
        read_manifest(tmp_path)


def test_a_reader_beside_the_first_publication_sees_nothing_or_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Published between the look for a manifest and what is made of its absence: nothing is called gone."""
    read_text = Path.read_text

    def published_meanwhile(path: Path, **more: str) -> str:
        monkeypatch.setattr(Path, "read_text", read_text)
        with locked(tmp_path):
            publish(tmp_path, Manifest(), created_at=NOW)
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_text", published_meanwhile)
    assert read_manifest(tmp_path).version == 0
    assert read_manifest(tmp_path).version == 1


def test_a_loader_that_dies_in_the_first_publication_leaves_an_empty_warehouse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its version written and not yet the present one, readers find nothing, and the next load goes through."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying, pytest.raises(KeyboardInterrupt), locked(tmp_path):
        write = manifest.write_durably

        def write_versions(path: Path, content: bytes) -> None:
            if path.parent.name == "manifests":
                write(path, content)
                dying.setattr(manifest, "write_durably", die)
            else:
                write(path, content)

        dying.setattr(manifest, "write_durably", write_versions)
        publish(tmp_path, Manifest(), created_at=NOW)
    assert (tmp_path / "manifests" / "1.json").exists()
    assert read_manifest(tmp_path) == Manifest()
    with locked(tmp_path):
        assert publish(tmp_path, read_manifest(tmp_path), created_at=NOW).version == 1
    assert read_manifest(tmp_path).version == 1


def test_a_watermark_never_goes_back() -> None:
    """What was checked later counts, whichever is loaded last."""
    later = Manifest().with_watermarks(marks(NOW))
    assert later.with_watermarks(marks(NOW - timedelta(hours=1))).watermarks == marks(NOW)
    newest = later.with_watermarks(marks(NOW + timedelta(hours=1)) + marks(NOW, "airflow"))
    assert [mark.source_id for mark in newest.watermarks] == ["airflow", "prefect"]
    assert newest.watermarks[1].checked_at == NOW + timedelta(hours=1)


def test_watermarks_need_no_engine(tmp_path: Path) -> None:
    """A resume asks for stale sources from a cold shell: neither DuckDB nor pandas is imported."""
    with locked(tmp_path):
        publish(tmp_path, Manifest().with_watermarks(marks(NOW)), created_at=NOW)
    code = (
        "import sys; from pathlib import Path; from workbench.warehouse import read_watermarks;"
        "print(read_watermarks(Path(sys.argv[1]))[0].checked_at.isoformat());"
        "print([name for name in ('duckdb', 'pandas', 'numpy', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:2] == ["2026-11-20T09:30:00+00:00", "[]"]


def test_watermarks_are_loaded_like_any_table(warehouse: Warehouse, tmp_path: Path) -> None:
    """Rows of source_watermark end in the manifest and are seen in the snapshot."""
    row = {"source_id": "p", "table_name": "run", "loaded_until_at": "2026-11-20T09:00:00Z"}
    path = write_lines(tmp_path / "w.jsonl", [{**row, "checked_at": "2026-11-20T09:00:01.5Z"}])
    warehouse.load_rows("source_watermark", path)
    (mark,) = warehouse.watermarks()
    assert mark.checked_at == datetime(2026, 11, 20, 9, 0, 1, 500_000, tzinfo=UTC)
    with warehouse.snapshot() as snapshot:
        (seen,) = snapshot.table("source_watermark").to_dict("records")
    assert (seen["source_id"], seen["checked_at"].to_pydatetime()) == ("p", mark.checked_at)


def test_leftovers_of_a_dead_loader_are_swept(warehouse: Warehouse, tmp_path: Path) -> None:
    """A temporary file, and a day file of a version that was never published, go with the next load."""
    warehouse.load_rows("run", write_lines(tmp_path / "a.jsonl", [run_row()]))
    place = warehouse.folder / "run"
    orphans = [place / ".2026-11-20.v2.parquet.tmp", place / "2026-11-19.v2.parquet"]
    for path in orphans:
        path.write_text("left behind")
    warehouse.load_rows("run", write_lines(tmp_path / "b.jsonl", [run_row("r2")]))
    assert sorted(path.name for path in place.iterdir()) == [
        "2026-11-20.v1.parquet",
        "2026-11-20.v2.parquet",
    ]


def test_two_loaders_at_once_bring_both(tmp_path: Path) -> None:
    """Publications queue behind the lock: every acknowledged row of both loaders is there once."""
    loaders = [start_loader(tmp_path, prefix) for prefix in ("a", "b")]
    acknowledged = [read_some(loader, 3) for loader in loaders]
    for loader in loaders:
        kill(loader)
    assert_whole(tmp_path, [run_id for found in acknowledged for run_id in found])


def test_two_imports_of_one_file_load_it_once(tmp_path: Path) -> None:
    """Whoever comes second finds the batch in the manifest and gets the report of the first."""
    path = write_lines(tmp_path / "r.jsonl", [run_row(f"r{number}") for number in range(50)])
    reports: list[LoadReport] = []
    loaders = [
        threading.Thread(
            target=lambda: reports.append(Warehouse.open(tmp_path / "home").load_rows("run", path))
        )
        for _ in range(3)
    ]
    for loader in loaders:
        loader.start()
    for loader in loaders:
        loader.join()
    assert sorted(report.was_already_loaded for report in reports) == [False, True, True]
    assert {report.manifest_version for report in reports} == {1}
    with Warehouse.open(tmp_path / "home").snapshot() as snapshot:
        assert snapshot.row_count("run") == 50


@pytest.mark.slow
def test_a_killed_loader_loses_nothing_and_tears_nothing(tmp_path: Path) -> None:
    """After kill -9 at any moment every acknowledged run is there once, with its step, and the next load works."""
    acknowledged: list[str] = []
    for number in range(4):
        loader = start_loader(tmp_path, f"k{number}")
        acknowledged += read_some(loader, 2)
        time.sleep(0.037 * number)
        acknowledged += kill(loader)
        assert_whole(tmp_path, acknowledged)


def start_loader(home: Path, prefix: str) -> subprocess.Popen[str]:
    """Start a process that publishes one run with its step after the other and says each id."""
    return subprocess.Popen(
        [sys.executable, "-c", LOADER, str(home), prefix], stdout=subprocess.PIPE, text=True
    )


def read_some(loader: subprocess.Popen[str], count: int) -> list[str]:
    """Read so many acknowledgements."""
    assert loader.stdout is not None
    return [loader.stdout.readline().strip() for _ in range(count)]


def kill(loader: subprocess.Popen[str]) -> list[str]:
    """Kill the loader without warning; return what it acknowledged besides."""
    os.kill(loader.pid, signal.SIGKILL)
    rest, _ = loader.communicate()
    return [line for line in rest.split("\n")[:-1] if line]


def assert_whole(home: Path, acknowledged: list[str]) -> None:
    """Check that a reader sees each acknowledged run once and as many steps as runs."""
    assert acknowledged
    with Warehouse.open(home).snapshot() as snapshot:
        runs = snapshot.table("run")["run_id"].tolist()
        steps = snapshot.table("step")["run_id"].tolist()
    assert set(acknowledged) <= set(runs)
    assert len(runs) == len(set(runs))
    assert sorted(runs) == sorted(steps)


def test_a_changed_batch_report_is_refused_by_type(tmp_path: Path) -> None:
    """A manifest whose fields have another form is refused, not half read."""
    with locked(tmp_path):
        whole = publish(tmp_path, Manifest(), created_at=NOW)
    said = json.loads(replace(whole, version=1).to_text())
    said["watermarks"] = [{"source_id": "p"}]
    (tmp_path / "manifest.json").chmod(0o644)
    (tmp_path / "manifest.json").write_text(json.dumps(said))
    with pytest.raises(WarehouseError, match="is not a manifest"):
        read_manifest(tmp_path)

"""`import workbench as wb`: light to import, DataFrames in UTC, and the sealed data of a decision."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import workbench as wb
from tests.warehouse.conftest import run_row, write_lines
from workbench import api
from workbench.errors import NotFound, StoreMissing
from workbench.warehouse import Warehouse


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home whose warehouse has one run at version 1 and another from version 2 on."""
    home = tmp_path / "home"
    for number in (1, 2):
        path = write_lines(tmp_path / f"{number}.jsonl", [run_row(f"r{number}")])
        Warehouse.open(home).load_rows("run", path)
    return home


def test_importing_the_package_imports_nothing_heavy() -> None:
    """A fresh interpreter has none of our own modules and no engine after `import workbench`."""
    code = (
        "import sys, json; import workbench as wb;"
        "heavy = ('duckdb', 'pandas', 'numpy', 'pydantic', 'papermill', 'ipywidgets', 'apsw', 'click', 'httpx');"
        "print(json.dumps([m for m in sys.modules if m in heavy or m.startswith('workbench.')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_every_public_name_exists_and_is_documented() -> None:
    """About twenty names, each with a docstring, and nothing else is promised."""
    assert len(wb.__all__) <= 24
    assert sorted(wb.__all__) == dir(wb)
    for name in wb.__all__:
        assert getattr(wb, name).__doc__, name


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A typing mistake is Python's own error."""
    with pytest.raises(AttributeError, match="no attribute 'opne'"):
        wb.opne  # noqa: B018


def test_snapshot_stays_a_function_beside_the_module() -> None:
    """Importing the module of the same name does not take the function away from analysts."""
    code = (
        "import workbench as wb; from workbench.snapshot import __doc__ as said; import workbench.gate;"
        "print(callable(wb.snapshot), bool(said))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True True"


def test_open_gives_data_frames(home: Path) -> None:
    """sql, table and query answer with DataFrames whose instants are aware UTC."""
    w = wb.open()
    assert w.version == 2
    assert w.sql("select count(*) as n from run")["n"].tolist() == [2]
    assert str(w.table("run")["started_at"].dtype) == "datetime64[us, UTC]"
    open_runs = w.query("sync.open_runs", source_id="prefect")
    assert open_runs.empty
    assert home.is_dir()


def test_the_data_dictionary_is_at_hand(home: Path) -> None:
    """Of all tables and queries, or of one: what a row is, what is asked, and each column with its type."""
    w = wb.open()
    assert set(w.columns("run")["table"]) == {"run"}
    mine = w.queries("review.watermarks")
    assert list(mine["part"].value_counts().sort_index()) == [6, 1, 1]
    assert mine.iloc[0]["meaning"].startswith("How far each source is known to be loaded")
    assert set(w.queries()["query"]) > {"triggers.spend", "sync.open_runs"}


def test_a_surface_stays_frozen_until_it_is_refreshed(home: Path, tmp_path: Path) -> None:
    """Cells of one notebook belong together; refresh gives a new surface on the newest version."""
    w = wb.open(home)
    path = write_lines(tmp_path / "3.jsonl", [run_row("r3")])
    Warehouse.open(home).load_rows("run", path)
    assert len(w.table("run")) == 2
    assert len(w.refresh().table("run")) == 3
    assert repr(w).startswith("<warehouse version 2: .tables()")


def test_tables_and_columns_explain_themselves(home: Path) -> None:
    """Rows and span of each table, and the meaning of each column, are a call away."""
    w = wb.open(home)
    tables = w.tables().set_index("table")
    assert tables.loc["run"].tolist() == [2, "2026-11-20", "2026-11-20"]
    assert tables.loc["step", "row_count"] == 0
    assert set(w.columns("run")["table"]) == {"run"}


def pretend_store(monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    """Let the store know decision D-3 of report R-1, which was made from a warehouse version."""
    state = SimpleNamespace(
        decisions={"D-3": SimpleNamespace(report_id="R-1")},
        reports={"R-1": SimpleNamespace(report_id="R-1", manifest_version=version)},
    )
    monkeypatch.setattr(api, "open_store", lambda *_: SimpleNamespace(events=list))
    monkeypatch.setattr(api, "fold", lambda _: state)


def test_the_data_of_a_decision_can_be_opened_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version that the report was made from gives the same rows, and every output says that it is no record."""
    pretend_store(monkeypatch, 1)
    w = wb.snapshot("D-3")
    found = w.table("run")
    assert (w.version, found["run_id"].tolist()) == (1, ["r1"])
    for shown in (repr(found), found._repr_html_(), repr(found[["run_id"]]), repr(w)):
        assert "run by hand, not recorded" in shown
    assert "run by hand" in repr(w.sql("select 1 as x"))
    assert "run by hand" not in repr(w.refresh().table("run"))


def test_marked_cells_are_escaped(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text from run history is text in the HTML of a marked table too."""
    pretend_store(monkeypatch, 1)
    shown: Any = wb.snapshot("D-3").sql("select '<script>alert(1)</script>' as x")
    assert "<script>" not in shown._repr_html_()


def test_an_unknown_decision_names_the_known_ones(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong id is answered with what there is; a version that is not on this machine is named."""
    pretend_store(monkeypatch, 9)
    with pytest.raises(NotFound, match="no decision 'D-4'; it has D-3"):
        wb.snapshot("D-4")
    with pytest.raises(NotFound, match="no version 9; the newest is 2"):
        wb.snapshot("D-3")


def test_without_a_store_there_are_no_decisions() -> None:
    """A missing store is named; none is made."""
    with pytest.raises(StoreMissing):
        wb.snapshot("D-1")

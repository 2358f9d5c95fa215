"""What analysts use in a notebook: the warehouse as DataFrames, now or as a decision saw it."""

from __future__ import annotations

import html
from pathlib import Path
from shlex import quote
from typing import Any, ClassVar

import pandas as pd

from workbench.errors import NotFound
from workbench.settings import Settings
from workbench.store import open_store
from workbench.store.folding import fold
from workbench.store.log import genesis
from workbench.warehouse import Warehouse, WarehouseSnapshot
from workbench.warehouse.dictionary import query_dictionary
from workbench.warehouse.tables import dictionary, table_names

BY_HAND = "run by hand, not recorded"
"""What every output of a sealed snapshot says: only the runner's own execution is a record."""


class MarkedFrame(pd.DataFrame):
    """A DataFrame that shows where it comes from, also after it was filtered."""

    _metadata: ClassVar[list[str]] = ["note"]
    note: str = ""

    @property
    def _constructor(self) -> type[MarkedFrame]:
        return MarkedFrame

    def __repr__(self) -> str:
        """Return the table as text with the mark under it."""
        return f"{super().__repr__()}\n[{self.note}]"

    def _repr_html_(self) -> str:
        """Return the table as HTML, its cells escaped, with the mark under it."""
        return f"{pd.DataFrame(self).to_html(max_rows=60)}<p><em>{html.escape(self.note)}</em></p>"


class Surface:
    """One frozen version of the warehouse.

    Attributes:
        note: empty for the present version; else what every output is marked with.
    """

    def __init__(self, warehouse: Warehouse, version: int | None = None, *, note: str = "") -> None:
        """Freeze the present version, or open an old one."""
        self.note = note
        self._warehouse = warehouse
        self._snapshot: WarehouseSnapshot = warehouse.snapshot(version)

    @property
    def version(self) -> int:
        """Return the manifest version; two outputs of one version belong together."""
        return self._snapshot.version

    def sql(self, text: str) -> pd.DataFrame:
        """Run exactly one SELECT."""
        return self._marked(self._snapshot.sql(text))

    def table(self, name: str) -> pd.DataFrame:
        """Return a whole table."""
        return self._marked(self._snapshot.table(name))

    def query(self, name: str, **parameters: Any) -> pd.DataFrame:
        """Run a query of the repository by its dotted name, such as `review.failed_steps`."""
        return self._marked(self._snapshot.query(name, **parameters))

    def tables(self) -> pd.DataFrame:
        """Return the tables with their rows and the days they span."""
        rows = [
            (name, self._snapshot.row_count(name), *(self._snapshot.day_span(name) or (None, None)))
            for name in table_names()
        ]
        return self._marked(pd.DataFrame(rows, columns=["table", "row_count", "first", "last"]))

    def hint(self) -> str:
        """Return one line: how many runs are loaded, or where none are how to come by some."""
        if count := self._snapshot.row_count("run"):
            return f"{count:,} run{'' if count == 1 else 's'} loaded, version {self.version} of the warehouse."
        recorded = Settings.from_environment().home / "demo-stage" / "end"
        shown = (
            f"the recorded incident shows after `export WORKBENCH_HOME={quote(str(recorded))}"
            " WORKBENCH_STORE=$WORKBENCH_HOME/store WORKBENCH_GATE=$WORKBENCH_HOME/gate`"
            if recorded.is_dir()
            else "`make demo` leaves a recorded incident to look at"
        )
        return (
            "No run is loaded here: `workbench load --help` shows a row, `workbench sync --all` reads your engines; "
            f"{shown}, then `workbench lab`."
        )

    def columns(self, table: str | None = None) -> pd.DataFrame:
        """Return the data dictionary, of one table or of all."""
        found = pd.DataFrame(dictionary())
        return self._marked(found if table is None else found[found["table"] == table])

    def queries(self, name: str | None = None) -> pd.DataFrame:
        """Return what each query of the repository gives and asks, of one query or of all.

        Columns query, part (`row`, `parameter` or `column`), name, type and meaning.
        """
        found = pd.DataFrame(query_dictionary())
        return self._marked(found if name is None else found[found["query"] == name])

    def chain_faults(self) -> pd.DataFrame:
        """Verify the shared store's audited log in SQL: one row per event that does not follow, none when sound.

        Columns seq and fault. Raises StoreMissing where there is no store.
        """
        settings = Settings.from_environment()
        store = open_store(settings, settings.clock())
        events = store.events()
        return self.query(
            "audit.chain_fault",
            seq=[event.seq for event in events],
            prev_hash=[event.prev_hash for event in events],
            hash=[event.hash for event in events],
            body=[event.body for event in events],
            genesis=genesis(store.meta().get("store_id", "")),
        )

    def refresh(self) -> Surface:
        """Return a surface on the newest version; this one stays as it is."""
        return Surface(self._warehouse)

    def __repr__(self) -> str:
        """Say what this is and what to do with it."""
        mark = f", {self.note}" if self.note else ""
        return f"<warehouse version {self.version}{mark}: .tables(), .sql(text), .table(name), .query(name)>"

    def _marked(self, found: pd.DataFrame) -> pd.DataFrame:
        if not self.note:
            return found
        marked = MarkedFrame(found)
        marked.note = self.note
        return marked


def open_surface(home: str | Path | None = None) -> Surface:
    """Open the warehouse of this user, or of another home folder, at its newest version."""
    settings = Settings.from_environment()
    return Surface(Warehouse.open(Path(home) if home else settings.home, settings.clock()))


def sealed(decision_id: str) -> Surface:
    """Open the data on which a decision rests; outputs are marked as run by hand.

    Raises NotFound when the store knows no such decision, or its warehouse version is not on this machine.
    """
    settings = Settings.from_environment()
    state = fold(open_store(settings, settings.clock()).events())
    decision = state.decisions.get(decision_id)
    if decision is None:
        known = ", ".join(sorted(state.decisions)) or "none yet"
        raise NotFound(f"the store knows no decision {decision_id!r}; it has {known}")
    report = state.reports.get(decision.report_id)
    if report is None:
        raise NotFound(
            f"{decision_id} rests on report {decision.report_id}, which the store does not know"
        )
    note = f"{BY_HAND}: data of {decision_id}, report {report.report_id}, warehouse {report.manifest_version}"
    return Surface(Warehouse.open(settings.home), report.manifest_version, note=note)

"""The chain of the log in SQL: the same verdict as the workbench's own verification, for every row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import workbench as wb
from tests.cli.ground import a_hold, a_store
from tests.queries.given import Given
from tests.store.ground import a_control, pause, raw_sql
from workbench.store.audit import verify_store
from workbench.store.log import genesis
from workbench.store.store import Store


def faults(store: Store, **changed: Any) -> pd.DataFrame:
    """Ask the query about a store's log."""
    events = store.events()
    columns = {
        name: [getattr(e, name) for e in events] for name in ("seq", "prev_hash", "hash", "body")
    }
    given = {**columns, "genesis": genesis(store.meta()["store_id"]), **changed}
    return Given().ask("audit.chain_fault", **given)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store with some events."""
    control = a_control(tmp_path)
    pause(control)
    pause(control, "automation=order-sync")
    return control.store


def test_a_sound_log_has_no_fault(store: Store) -> None:
    """An untouched log gives no row."""
    assert faults(store).empty
    assert verify_store(store).is_ok


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "update event set body = replace(body, 'wrong amounts', 'planned work') where seq = 12",
            "altered after",
        ),
        ("update event set body = body || ' ' where seq = 3", "altered after"),
        ("update event set hash = 'x' || substr(hash, 2) where seq = 5", "altered after"),
        ("update event set prev_hash = hash where seq = 5", "does not follow"),
        ("delete from event where seq = 4", "an event before it is missing"),
    ],
)
def test_the_first_fault_is_where_verification_breaks(
    store: Store, statement: str, words: str
) -> None:
    """SQL and the workbench name the same first place, and SQL says what is wrong with it."""
    raw_sql(store, statement)
    found = faults(store)
    result = verify_store(store)
    missing = "missing" in words
    assert found["seq"].iloc[0] == (5 if missing else result.broken_at)
    assert words in found["fault"].iloc[0]


def test_another_stores_log_does_not_begin_here(store: Store) -> None:
    """The first event follows from the store's own id."""
    assert faults(store, genesis=genesis("st-else"))["seq"].tolist() == [1]


def test_a_notebook_verifies_the_shared_store() -> None:
    """`w.chain_faults()` reads the store that the settings name."""
    a_store()
    a_hold()
    assert wb.open().chain_faults().empty

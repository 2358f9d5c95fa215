"""What persons said of records, as the log has it: the rows that a review joins to what was loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from workbench.review.ground import COLUMNS, NONE_SAID, VERIFICATIONS, WITHDRAWN
from workbench.store.none_events import counted_none_words
from workbench.store.record_events import counted_words
from workbench.store.state import State


def word_tables(state: State) -> dict[str, pd.DataFrame]:
    """Return the tables of words that count as of the state, by the names that a review knows them by."""
    return {
        VERIFICATIONS: verification_rows(state),
        WITHDRAWN: withdrawn_rows(state),
        NONE_SAID: none_said_rows(state),
    }


def verification_rows(state: State) -> pd.DataFrame:
    """Return one row per verification of a change that counts as of the state, in the order of the log."""
    return _rows(counted_words(state), COLUMNS[VERIFICATIONS].split())


def withdrawn_rows(state: State) -> pd.DataFrame:
    """Return one row per change whose verification was taken back last, in the order of the log."""
    words = sorted(state.withdrawn.values(), key=lambda word: int(word["seq"]))
    return _rows(words, COLUMNS[WITHDRAWN].split())


def none_said_rows(state: State) -> pd.DataFrame:
    """Return one row per word of an automation that nothing was written, in the order of the log."""
    return _rows(counted_none_words(state), COLUMNS[NONE_SAID].split())


def _rows(words: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    found = pd.DataFrame.from_records([dict(word) for word in words], columns=list(columns))
    for name in columns:
        if name.endswith("_at"):
            found[name] = pd.to_datetime(found[name], utc=True, format="ISO8601")
    return found

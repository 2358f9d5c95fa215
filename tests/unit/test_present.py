"""What strangers wrote cannot play with the operator's terminal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.ground import settings_in
from workbench.cli.present import as_json, printable, store_line, table, when
from workbench.records import HeadNote
from workbench.settings import Settings


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J\x1b[31mred", "\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}[31mred"),
        ("a\rb", "a\N{REPLACEMENT CHARACTER}b"),
        ("a\x07\x08b", "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b"),
        ("\x9b31m", "\N{REPLACEMENT CHARACTER}31m"),  # CSI in one byte
        ("abc\u202ecba", "abccba"),
        ("a\u2066b\u2069", "ab"),
        ("pay\u200bpal", "paypal"),
        ("one\ntwo", "one\ntwo"),
        ("Grüße, 東京", "Grüße, 東京"),
        ("\udc80", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_control_characters_are_shown_and_not_obeyed(hostile: str, shown: str) -> None:
    """Escapes, returns, bells and direction marks never reach the terminal."""
    assert printable(hostile) == shown


@given(st.text())
def test_whatever_is_printed_can_be_printed(text: str) -> None:
    """No text keeps a character that moves the cursor, and what is printed can be encoded."""
    found = printable(text)
    assert all(c.isprintable() or c == "\n" for c in found)
    assert found.encode("utf-8")[:0] == b""


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=5))
def test_a_table_keeps_one_line_a_row(rows: list[tuple[str, str]]) -> None:
    """A cell with line breaks does not make a row that is none."""
    assert len(table(["one", "two"], rows).split("\n")) == len(rows) + 2


def test_a_table_aligns_its_columns() -> None:
    """Columns are as wide as their widest cell."""
    assert table(["a", "b"], [("long cell", 1)]) == "a          b\n---------  -\nlong cell  1"


def test_instants_are_written_plainly() -> None:
    """An instant is shown in UTC with the word, and a missing one as a dash."""
    assert when(datetime(2026, 11, 20, 9, 30, tzinfo=UTC)) == "2026-11-20 09:30:00 UTC"
    assert when(None) == "-"


def test_json_is_for_machines() -> None:
    """Instants are ISO text, tuples and sets are lists, and escapes are escaped."""
    at = datetime(2026, 11, 20, tzinfo=UTC)
    found = json.loads(as_json({"at": at, "ids": ("a",), "set": frozenset({"b"}), "t": "\x1b["}))
    assert found == {"at": "2026-11-20T00:00:00+00:00", "ids": ["a"], "set": ["b"], "t": "\x1b["}
    assert "\x1b" not in as_json({"t": "\x1b["})


def test_every_screen_says_which_store_and_whether_it_is_a_demo(tmp_path: Path) -> None:
    """The store line names id, environment, place and position, and DEMO on a recorded clock."""
    head = HeadNote("st-1", "staging", 7, "ab" * 32, "/srv/store")
    assert (
        store_line(head, settings_in(tmp_path))
        == "store st-1  |  environment staging  |  /srv/store  |  event 7"
    )
    at = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    demo = Settings(tmp_path, tmp_path, tmp_path, demo_clock_at=at)
    assert store_line(head, demo).startswith("DEMO, clock stands at 2026-11-20 09:30:00 UTC")

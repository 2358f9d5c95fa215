"""Whatever run history says is shown as text and nothing else."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pandas as pd
import pytest

from tests.reports import hostile
from workbench.plots.decision import pareto
from workbench.plots.drawing import to_svg
from workbench.plots.text import label, plain_text
from workbench.reports.markup import cell_text, chip, figure, heading, paragraph, safe
from workbench.reports.tables import TableNote, amount, duration, label_of, table, when

INERT_TAGS = {
    "div",
    "p",
    "h2",
    "h3",
    "code",
    "br",
    "span",
    "aside",
    "strong",
    "figure",
    "figcaption",
    "dl",
    "dt",
    "dd",
}
INERT_TAGS |= {"table", "caption", "thead", "tbody", "tr", "th", "td"}


class Reader(HTMLParser):
    """Notes every tag and attribute name that a browser would see."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one tag."""
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)


def seen_in(html: str) -> Reader:
    """Read markup as a browser would."""
    reader = Reader()
    reader.feed(html)
    return reader


@pytest.mark.parametrize("text", hostile.EVERYTHING)
def test_hostile_text_is_inert_everywhere(text: str) -> None:
    """Paragraphs, headings, cells and captions carry hostile text without any active markup."""
    frame = pd.DataFrame({"error_signature": [text], text: [text]})
    for piece in (
        paragraph(text),
        heading(text, anchor=text),
        table(frame, TableNote(text)),
        figure("", text),
    ):
        seen = seen_in(piece.html)
        assert seen.tags <= INERT_TAGS
        assert not [
            name
            for name in seen.attributes
            if name.startswith("on") or name in {"src", "href", "style"}
        ]
        assert "\x1b" not in piece.html
        assert "\u202e" not in piece.html
        assert "\x00" not in piece.html


def test_hostile_text_is_inert_in_a_figure() -> None:
    """A chart draws hostile labels as text of a well-formed SVG without script."""
    frame = pd.DataFrame(
        {"error_signature": list(hostile.EVERYTHING), "failure_count": range(1, 8), "seen": "new"}
    )
    svg = to_svg(pareto(frame))
    assert not re.search(r"<(script|img|style|foreignObject|a)\b", svg)
    assert "\u202e" not in svg
    assert "example.invalid/x.png" not in re.sub(r"<text.*?</text>|aria-label=\"[^\"]*\"", "", svg)


def test_invisible_marks_become_visible() -> None:
    """A direction override is shown by its code point; terminal colours are dropped."""
    assert plain_text(hostile.BIDI) == "invoice⟨U+202E⟩gpj.exe⟨U+2066⟩⟨U+200B⟩"
    assert plain_text("\x1b[31mred\x1b[0m") == "red"


def test_a_cell_is_no_formula() -> None:
    """Text that a spreadsheet would compute is guarded; plain numbers are not."""
    assert cell_text("=1+1").startswith("&#x27;=") or cell_text("=1+1").startswith("'=")
    assert cell_text("\uff1d1+1").startswith("'")
    assert cell_text("-5.20") == "-5.20"


def test_long_text_says_how_much_was_cut() -> None:
    """A cell never cuts silently."""
    assert cell_text("x" * 400).endswith("… (80 more characters)")
    assert label("a" * 40 + "b" * 40, 21) == "a" * 10 + "…" + "b" * 10


def test_a_status_has_mark_word_and_colour() -> None:
    """No status is told by colour alone."""
    assert chip("FAIL") == '<span class="wb-chip wb-tone-bad">✕ FAIL</span>'
    assert "NO EVIDENCE" in chip("NO EVIDENCE")
    assert "wb-open" in chip("NO EVIDENCE")


def test_a_table_counts_what_it_does_not_show() -> None:
    """Rows beyond the limit are counted below the table, and an empty table says so."""
    frame = pd.DataFrame({"run_id": [str(n) for n in range(70)]})
    assert "The first 60 of 70 rows." in table(frame).html
    assert "No rows." in table(frame.head(0)).html


def test_columns_are_formatted_by_their_names() -> None:
    """Suffixes say the unit: instants in UTC, seconds in words, rates in percent, missing values as a dash."""
    frame = pd.DataFrame(
        {
            "started_at": [pd.Timestamp("2026-11-23T18:00:00Z"), pd.NaT],
            "failure_rate": [0.139, float("nan")],
            "delay_seconds": [185.0, 0.25],
            "is_leak": [True, False],
            "status": ["PASS", "succeeded"],
        }
    )
    found = table(frame).html
    for expected in (
        "started (UTC)",
        "2026-11-23 18:00:00",
        "13.9 %",
        "3 min 05 s",
        "250 ms",
        "✓ PASS",
        ">yes<",
        "\u2013",
    ):
        assert expected in found
    assert label_of("run_count") == "runs"
    assert label_of("outcome_count") == "outcomes"
    assert when(datetime(2026, 11, 23, 18, 0, 0, 250_000, tzinfo=UTC)) == "2026-11-23 18:00:00.250"
    assert duration(93_600) == "1 d 2 h"
    assert amount("run_count", 12345) == "12,345"


def test_text_is_escaped_once() -> None:
    """An ampersand stays one ampersand on the page."""
    assert safe("a & b") == "a &amp; b"

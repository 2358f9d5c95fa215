"""Finished HTML from plain values: everything that comes from run history is escaped here, once."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from workbench.plots.text import plain_text
from workbench.store.reported import NOTE_CLASS

CSS_PATH = Path(__file__).with_name("report.css")
CELL_CHARACTERS = 320
"""Longest text of one table cell; beyond it the cell says how much was cut."""

_FORMULA = re.compile(r"^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"^[+-]?\d[\d ,.]*(e[+-]?\d+)?%?$", re.IGNORECASE)

TONES = {"PASS": "good", "FAIL": "bad", "NO EVIDENCE": "warn"}
MARKS = {"PASS": "\u2713", "FAIL": "\u2715", "NO EVIDENCE": "?"}


@dataclass(frozen=True)
class Fragment:
    """A finished piece of a report; notebooks show it, nbconvert copies it.

    Attributes:
        html: escaped markup without any script.
        text: what a terminal or a golden run shows instead.
    """

    html: str
    text: str = ""

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        """Return the plain words, so that a stored output says something."""
        return self.text or "(see the HTML output)"

    def __add__(self, other: Fragment) -> Fragment:
        """Put two pieces one below the other."""
        return Fragment(
            self.html + "\n" + other.html, "\n".join(t for t in (self.text, other.text) if t)
        )


def safe(value: object, limit: int | None = None) -> str:
    """Return any value as inert HTML text: control marks made visible, markup escaped, length bounded."""
    text = plain_text(value)
    if limit is not None and len(text) > limit:
        text = f"{text[:limit]} \u2026 ({len(text) - limit:,} more characters)"
    return html.escape(text, quote=True)


def cell_text(value: object) -> str:
    """Return a text cell: safe, bounded, and guarded so that a pasted cell is no spreadsheet formula."""
    raw = str(value)
    guard = "'" if _FORMULA.match(raw) and not _NUMBER.match(raw) else ""
    return guard + safe(raw, CELL_CHARACTERS).replace("\n", "<br>")


def style() -> Fragment:
    """Return the one style sheet of a report, for notebooks opened in JupyterLab."""
    return Fragment(f"<style>\n{css()}\n</style>", "")


def css() -> str:
    """Return the text of the style sheet."""
    return CSS_PATH.read_text(encoding="utf-8")


def join(pieces: Iterable[Fragment]) -> Fragment:
    """Put pieces one below the other inside one styled block."""
    found = [piece for piece in pieces if piece.html]
    inner = "\n".join(piece.html for piece in found)
    return Fragment(
        f'<div class="wb">\n{inner}\n</div>', "\n".join(piece.text for piece in found if piece.text)
    )


def paragraph(text: object, css_class: str = "") -> Fragment:
    """Return one paragraph of escaped text; back-quoted parts become code."""
    attribute = f' class="{css_class}"' if css_class else ""
    return Fragment(f"<p{attribute}>{with_code(text)}</p>", plain_text(text))


def with_code(text: object) -> str:
    """Escape text and set what stands between back-quotes as code."""
    parts = safe(text).split("`")
    if len(parts) % 2 == 0:
        return safe(text)
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


def heading(text: str, *, level: int = 2, status: str = "", anchor: str = "") -> Fragment:
    """Return a heading, with the status of its check beside it where it has one."""
    mark = f" {chip(status)}" if status else ""
    name = f' id="{safe(anchor)}"' if anchor else ""
    return Fragment(
        f"<h{level}{name}>{safe(text)}{mark}</h{level}>",
        f"{text}{f' [{status}]' if status else ''}",
    )


def chip(status: str) -> str:
    """Return a status as a small label: mark, word and colour, so that none of them carries it alone."""
    tone = TONES.get(status, "quiet")
    mark = f"{MARKS[status]} " if status in MARKS else ""
    open_class = " wb-open" if status == "NO EVIDENCE" else ""
    return f'<span class="wb-chip wb-tone-{tone}{open_class}">{mark}{safe(status)}</span>'


def strip(word: str, text: str) -> Fragment:
    """Return a strip across the page that opens with one loud word, such as DEMO."""
    return Fragment(
        f'<aside class="wb-strip" data-wb-strip="{safe(word)}"><strong>{safe(word)}</strong>{with_code(text)}</aside>',
        f"{word}: {text}",
    )


def facts(pairs: Iterable[tuple[str, object]]) -> Fragment:
    """Return short labelled facts side by side; empty ones are left out."""
    found = [(label, value) for label, value in pairs if str(value)]
    rows = "".join(
        f"<div><dt>{safe(label)}</dt><dd>{with_code(value)}</dd></div>" for label, value in found
    )
    return Fragment(
        f'<dl class="wb-facts">{rows}</dl>',
        "; ".join(f"{label}: {value}" for label, value in found),
    )


def note_block(note: str) -> Fragment:
    """Return the checkpoint of a report as it stands, so that it can be read back; nothing for an empty one."""
    if not note:
        return Fragment("")
    return Fragment(f'<pre class="wb-pre {NOTE_CLASS}">{safe(note)}</pre>', note)


def figure(svg: str, caption: str) -> Fragment:
    """Return a drawn figure with its caption; the SVG comes from `plots.to_svg`, never from data."""
    label = safe(caption)
    return Fragment(
        f'<figure data-wb-figure="1" role="img" aria-label="{label}">{svg}<figcaption>{label}</figcaption></figure>',
        f"[figure] {plain_text(caption)}",
    )

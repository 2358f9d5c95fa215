"""Checkpoints and head notes inside of reports, so that a copy of one is a witness wherever it was sent.

A report carries the note of its log position twice: in the notebook's metadata and, as people see it, in the
seal of the page. Only markup that the workbench writes is looked at. What a report quotes of run history is
escaped, so that nobody can put a note or a head there that would make a sound log look broken.
"""

from __future__ import annotations

import contextlib
import html
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.store.anchors import look_into
from workbench.store.witness import Witness, read_witness

NOTE_CLASS = "wb-note"
HEAD_LABEL = "Log head"
NOTE_KEY = "checkpoint"
"""Name of the note in a notebook's metadata, under `workbench`."""

_NOTE = re.compile(rf'<pre class="[^"]*\b{NOTE_CLASS}">([^<]*)</pre>')
_HEAD = re.compile(rf"<dt>{HEAD_LABEL}</dt><dd>([^<]*)</dd>")
_SUFFIXES = (".ipynb", ".html")

Noted = tuple[Path, int, str]
"""File, number of the note in it, and its text."""


@dataclass(frozen=True)
class Reported:
    """What the reports of some folders say of one store's log.

    Attributes:
        report_count: reports that speak of this store; others are passed over.
        notes: each checkpoint in them, as it stands there.
        witnesses: each head note in them.
    """

    report_count: int
    notes: tuple[Noted, ...]
    witnesses: tuple[Witness, ...]


def read_reports(folders: Sequence[Path], store_id: str) -> Reported:
    """Read every notebook and page in folders, and in folders up to two below (`STORE/R-1`), that names a store.

    One that names it and cannot be read gives a note that is none, so that verification says so. Raises
    StorageUnavailable for a folder that cannot be looked into.
    """
    notes: list[Noted] = []
    witnesses: list[Witness] = []
    count = 0
    for path in _files(folders):
        content = _content(path, store_id)
        if content is None:
            continue
        found = _notes_of(path, content)
        heads = list(_heads_of(path, content, store_id))
        count += bool(found or heads)
        notes += [(path, number, text) for number, text in enumerate(found, start=1)]
        witnesses += heads
    return Reported(count, tuple(notes), tuple(witnesses))


def _files(folders: Sequence[Path]) -> Iterator[Path]:
    """Give the files by name; a hidden folder holds what an editor or a maker of reports left there."""
    for folder in folders:
        look_into(folder)
        for pattern in ("*", "[!.]*/*", "[!.]*/[!.]*/*"):
            for path in sorted(folder.glob(pattern)):
                if path.suffix in _SUFFIXES and path.is_file():
                    yield path


def _content(path: Path, store_id: str) -> str | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return content.decode("utf-8", "replace") if store_id.encode() in content else None


def _notes_of(path: Path, content: str) -> list[str]:
    """Return each different note of a file, the one of the metadata first."""
    if path.suffix != ".ipynb":
        return _unique(_in_page(_NOTE, content))
    try:
        notebook = json.loads(content)
        own = notebook["metadata"].get("workbench", {}).get(NOTE_KEY)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ["not a notebook"]
    in_pages = [note for page in _pages(notebook) for note in _in_page(_NOTE, page)]
    return _unique([own] if isinstance(own, str) and own else [], in_pages)


def _heads_of(path: Path, content: str, store_id: str) -> Iterator[Witness]:
    pages = [content]
    if path.suffix == ".ipynb":
        pages = []
        with contextlib.suppress(ValueError, RecursionError):
            pages = list(_pages(json.loads(content)))
    for page in pages:
        for line in _in_page(_HEAD, page):
            with contextlib.suppress(ValueError):
                said = read_witness(line)
                if said.store_id == store_id:
                    yield Witness(said.seq, said.hash, said.store_id, str(path))


def _in_page(pattern: re.Pattern[str], page: str) -> list[str]:
    return [html.unescape(found) for found in pattern.findall(page)]


def _pages(notebook: Any) -> Iterator[str]:
    """Give every HTML output of a notebook, whatever else is wrong with it."""
    for cell in _items(notebook, "cells"):
        for output in _items(cell, "outputs"):
            page = output.get("data", {}) if isinstance(output, dict) else {}
            page = page.get("text/html", "") if isinstance(page, dict) else ""
            yield "".join(map(str, page)) if isinstance(page, list) else str(page)


def _items(value: Any, name: str) -> list[Any]:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _unique(*notes: list[str]) -> list[str]:
    return list(dict.fromkeys(note for some in notes for note in some))

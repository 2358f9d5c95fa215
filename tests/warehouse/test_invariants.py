"""I10: accepted + rejected + blank == lines, for any lines; loading again changes nothing."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.warehouse.conftest import run_row
from workbench.errors import WarehouseError
from workbench.sources import files
from workbench.sources.files import Block
from workbench.sources.strict import refusal_of
from workbench.warehouse import LoadOptions, Warehouse, checking

ALL = LoadOptions(allowed_reject_share=1)
INSTANTS = st.sampled_from(
    [
        "2026-11-20T09:00:00Z",
        "2026-11-19T23:59:59.999999+02:00",
        "2026-11-20T09:00:00",
        "soon",
        7,
        None,
    ]
)
ROWS = st.builds(
    run_row,
    run_id=st.sampled_from(["r1", "r2", "r3"]) | st.text(max_size=5),
    status=st.sampled_from(["succeeded", "failed", "odd", "", None]),
    started_at=INSTANTS,
    finished_at=st.none(),
    updated_at=INSTANTS,
    attempt_count=st.sampled_from([1, 0, -1, "7", 1.5, None]),
    labels=st.none() | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    extra=st.none() | st.text(max_size=3),
).map(json.dumps)
WRECKS = st.sampled_from(
    [
        b"", b"  ", b"\r", b"{}", b"[1]", b"null", b'{"a":NaN}', b'{"a":1,"a":2}', b'{"a":1,}',
        b"\xff\xfe{", b'{"a":"\x00"}', b'{"a"', b'{"run_id":"x"}{"run_id":"y"}', b"\xef\xbb\xbf{}",
        b'{"labels":{"a":1,"a":2},"run_id":"x"}', b'{"a":{"b":{"c":[1,{"d":1,"d":2}]}}}',
    ]
)  # fmt: skip
LINES = st.lists(ROWS.map(str.encode) | WRECKS | st.binary(max_size=12), max_size=12)


def load(lines: list[bytes], *, ends_with_newline: bool = True) -> tuple[Any, Any, int, int]:
    """Load the lines twice; return both reports, the rows of run and the rejects."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "runs.jsonl"
        path.write_bytes(b"\n".join(lines) + (b"\n" if ends_with_newline else b""))
        warehouse = Warehouse.open(Path(place))
        first = warehouse.load_rows("run", path, options=ALL)
        again = warehouse.load_rows("run", path, options=ALL)
        with warehouse.snapshot() as snapshot:
            return first, again, snapshot.row_count("run"), snapshot.row_count("ingest_reject")


@settings(max_examples=40)
@given(lines=LINES, ends_with_newline=st.booleans())
def test_every_line_is_accounted_for(lines: list[bytes], ends_with_newline: bool) -> None:
    """Accepted + rejected + blank are the lines of the file as `wc` and an editor count them; a reload is a no-op."""
    content = b"\n".join(lines) + (b"\n" if ends_with_newline else b"")
    line_count = content.count(b"\n") + (bool(content) and not content.endswith(b"\n"))
    first, again, row_count, reject_count = load(lines, ends_with_newline=ends_with_newline)
    assert first.line_count == line_count
    assert first.accepted_count + first.rejected_count + first.blank_count == line_count
    assert first.rejected_count == reject_count
    assert row_count <= first.accepted_count
    assert again.was_already_loaded
    assert again.manifest_version == first.manifest_version


@settings(max_examples=40)
@given(lines=LINES)
def test_the_bulk_check_agrees_with_the_strict_parser(lines: list[bytes]) -> None:
    """No line is accepted that the strict parser refuses: the quick way certifies only what is strict."""
    whole = [part for line in lines for part in line.split(b"\n")]
    strict = 0
    for part in whole:
        try:
            text = part.removesuffix(b"\r").decode()
        except UnicodeDecodeError:
            continue
        strict += bool(text.strip()) and "\0" not in text and refusal_of(text) is None
    first, *_ = load(whole)
    assert first.accepted_count <= strict


def test_small_blocks_give_the_same_as_large_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file is cut into blocks changes nothing."""
    lines = [json.dumps(run_row(f"r{n}", odd=n)).encode() for n in range(300)] + [b"", b"x"] * 5
    whole = load(lines)
    monkeypatch.setattr(files, "BLOCK_BYTES", 1_000)
    pieces = load(lines)
    assert pieces[0] == whole[0]
    assert pieces[2:] == whole[2:] == (300, 5)


def test_a_loader_that_drops_bad_lines_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeded bug: a reader that ignores errors, as `ignore_errors=true` does, cannot load anything."""
    honest = files.read_lines

    def forgetful(file: files.SourceFile, *, keeps_blank: bool = False) -> Iterator[Block]:
        for block in honest(file, keeps_blank=keeps_blank):
            block.refused = []
            yield block

    monkeypatch.setattr("workbench.sources.records.read_lines", forgetful)
    with pytest.raises(WarehouseError, match="2 lines were read but 1 are accounted for"):
        load([json.dumps(run_row()).encode(), b"\xff\xff"])


def test_a_check_that_drops_rows_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeded bug: a staging area that forgets its rejected rows cannot load anything."""
    monkeypatch.setattr(checking, "refusals_of", lambda *_: [])
    with pytest.raises(WarehouseError, match="nothing was loaded"):
        load([json.dumps(run_row()).encode(), json.dumps(run_row("r2", status=None)).encode()])


def test_a_refused_load_leaves_no_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the count does not come out, the warehouse stays as it was."""
    monkeypatch.setattr(checking, "refusals_of", lambda *_: [])
    path = tmp_path / "runs.jsonl"
    path.write_text(json.dumps(run_row(status=None)) + "\n")
    warehouse = Warehouse.open(tmp_path)
    with pytest.raises(WarehouseError):
        warehouse.load_rows("run", path, options=ALL)
    assert warehouse.version == 0

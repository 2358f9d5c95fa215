"""Opening files: only regular files of a known kind, read in bounded memory, and never half."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import pytest

from workbench.errors import SourceError
from workbench.sources import files
from workbench.sources.files import MAX_LINE_BYTES, Block, look_at, read_lines


def read(path: Path, *, keeps_blank: bool = False) -> Block:
    """Read a whole file into one block."""
    whole = Block()
    for block in read_lines(look_at(path), keeps_blank=keeps_blank):
        whole.numbers += block.numbers
        whole.lines += block.lines
        whole.refused += block.refused
        whole.blank_count += block.blank_count
        whole.line_count += block.line_count
    return whole


def write(tmp_path: Path, content: bytes, name: str = "x.jsonl") -> Path:
    """Write a file and return its path."""
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "lines", "blank"),
    [
        (b"", [], 0),
        (b"\n", [], 1),
        (b"{}", ["{}"], 0),
        (b"{}\n", ["{}"], 0),
        (b"{}\r\n{}\r\n", ["{}", "{}"], 0),
        (b"{}\n\n  \n\xc2\xa0\n{}", ["{}", "{}"], 3),
        ('{"a":"é"}\n'.encode(), ['{"a":"é"}'], 0),
        (b'{"a":"x\xe2\x80\xa8y"}\n', ['{"a":"x\u2028y"}'], 0),
    ],
)
def test_lines_are_split_at_newlines_only(
    tmp_path: Path, content: bytes, lines: list[str], blank: int
) -> None:
    """LF and CRLF end a line; a Unicode line separator inside a text does not; blank lines are counted."""
    block = read(write(tmp_path, content))
    assert (block.lines, block.blank_count) == (lines, blank)
    assert block.line_count == len(lines) + blank
    assert block.numbers == [
        n for n, text in enumerate(content.split(b"\n"), 1) if text.decode().strip()
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a":"\xff"}', "is not UTF-8 at byte 7"),
        (b'{"a":"caf\xe9"}', "is not UTF-8 at byte 10"),
        (b'{"a":"\x00"}', "has a NUL character"),
        (b"{" + b"x" * MAX_LINE_BYTES, f"is longer than {MAX_LINE_BYTES} bytes"),
    ],
)
def test_a_broken_line_is_refused_alone(tmp_path: Path, line: bytes, reason: str) -> None:
    """One broken line does not cost its neighbours, and its text is kept readable and short."""
    block = read(write(tmp_path, b'{"n":1}\n' + line + b'\n{"n":3}\n'))
    assert block.lines == ['{"n":1}', '{"n":3}']
    assert block.numbers == [1, 3]
    (refusal,) = block.refused
    assert (refusal.line_number, refusal.reason) == (2, reason)
    assert len(refusal.text) <= 2_000
    assert "\0" not in refusal.text


def test_a_line_without_end_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an endless line only the beginning is kept; the lines after it are read."""
    monkeypatch.setattr(files, "BLOCK_BYTES", 100_000)
    content = b"{}\n" + b"x" * (5 * MAX_LINE_BYTES) + b"\n{}\n"
    sizes = [len(chunk) for chunk in files._chunks(look_at(write(tmp_path, content)))]
    assert max(sizes) <= 2 * MAX_LINE_BYTES + 200_000
    block = read(tmp_path / "x.jsonl")
    assert (block.lines, block.line_count, len(block.refused)) == (["{}", "{}"], 3, 1)


def test_packed_lines_are_the_same_lines(tmp_path: Path) -> None:
    """A .gz gives what the file gives."""
    content = b'{"n":1}\n\n{"n":2}'
    plain = read(write(tmp_path, content))
    packed = read(write(tmp_path, gzip.compress(content, mtime=0), "y.jsonl.gz"))
    assert packed == plain


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.xlsx", b"PK\x03\x04", "not a kind of file that can be loaded"),
        ("x.pkl", b"\x80\x04", "not a kind of file that can be loaded"),
        ("x.duckdb", b"DUCK", "not a kind of file that can be loaded"),
        ("x.ipynb", b"{}", "not a kind of file that can be loaded"),
        ("x", b"{}", "not a kind of file that can be loaded"),
        ("x.parquet.gz", b"\x1f\x8b", "not a kind of file that can be loaded"),
        ("x.jsonl.gz", b"{}\n", "is named .gz but is not gzip"),
        ("x.jsonl", gzip.compress(b"{}", mtime=0), "is gzip; name it .gz"),
        ("x.jsonl", b"PAR1", "is Parquet; the name says otherwise"),
        ("x.parquet", b"{}\n", "is not Parquet; the name says otherwise"),
        ("x.csv", "a,b\n".encode("utf-16"), "is UTF-16; save it as UTF-8"),
    ],
)
def test_a_file_of_another_kind_is_refused(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    """Kind and disguise are seen before a row is read; nothing is unpickled or attached."""
    with pytest.raises(SourceError, match=said):
        look_at(write(tmp_path, content, name))


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    """A folder, a FIFO, a device and a circle of links end in one sentence, at once."""
    (tmp_path / "d.jsonl").mkdir()
    os.mkfifo(tmp_path / "f.jsonl")
    (tmp_path / "z.jsonl").symlink_to("/dev/zero")
    (tmp_path / "l.jsonl").symlink_to(tmp_path / "l.jsonl")
    for name in ("d", "f", "z"):
        with pytest.raises(SourceError, match=r"is not a regular file|Is a directory"):
            look_at(tmp_path / f"{name}.jsonl")
    for name in ("l", "absent"):
        with pytest.raises(SourceError, match="cannot be opened"):
            look_at(tmp_path / f"{name}.jsonl")


def test_a_damaged_gzip_gives_nothing(tmp_path: Path) -> None:
    """A cut or broken .gz is refused whole."""
    packed = gzip.compress(os.urandom(50_000).hex().encode())
    for content in (packed[:-20], packed[:3000] + b"\0" * 50 + packed[3050:]):
        with pytest.raises(SourceError, match="gzip is damaged or ends too early"):
            read(write(tmp_path, content, "x.jsonl.gz"))


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A .gz that grows far more than rows do is not unpacked to its end."""
    monkeypatch.setattr(files, "BLOCK_BYTES", 1_000_000)
    packed = gzip.compress(b"{}\n" * 10_000_000, mtime=0)
    with pytest.raises(SourceError, match=r"unpacks to more than \d+ times its size"):
        read(write(tmp_path, packed, "x.jsonl.gz"))


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """Growing, rotated or cut between the look and the end of the reading: nothing of it counts."""
    path = write(tmp_path, b"{}\n")
    looked = look_at(path)
    path.write_bytes(b"{}\n{}\n")
    with pytest.raises(SourceError, match="changed while it was read"):
        list(read_lines(looked))


def test_a_file_deleted_before_it_is_read_is_named(tmp_path: Path) -> None:
    """A file that is gone after the look is one sentence."""
    path = write(tmp_path, b"{}\n")
    looked = look_at(path)
    path.unlink()
    with pytest.raises(SourceError, match=r"x\.jsonl: cannot be opened: No such file"):
        list(read_lines(looked))


def test_reading_a_fifo_never_waits(tmp_path: Path) -> None:
    """A FIFO without a writer does not hang the command."""
    os.mkfifo(tmp_path / "f.jsonl")
    found: list[str] = []

    def look() -> None:
        try:
            look_at(tmp_path / "f.jsonl")
        except SourceError as exc:
            found.append(exc.message)

    worker = threading.Thread(target=look, daemon=True)
    worker.start()
    worker.join(10)
    assert found == ["f.jsonl: is not a regular file"]

"""Opens a file of rows and gives its lines in blocks, each line a strict JSON object or a refusal with its reason."""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import IO, cast

from workbench.errors import SourceError

MAX_LINE_BYTES = 1_048_576
"""A longer line is refused: no run record is a mebibyte long, and a line without end must not fill the memory."""

BLOCK_BYTES = 32 * 1_048_576
"""Bytes read before a block is handed on; enough for the vectorised checks, small enough for three at a time."""

MAX_REFUSED_TEXT = 2_000
"""Characters kept of a refused line."""

_MAX_GROWTH = 400
"""A .gz may grow so many times (beyond 64 MiB); JSON lines shrink 10 to 50 times, a bomb 1,000 times."""

FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
}


@dataclass(frozen=True)
class Refusal:
    """A line that was not taken, and why."""

    line_number: int
    reason: str
    text: str


@dataclass
class Block:
    """Some lines of a file.

    Attributes:
        numbers: line number of each line in `lines`, from 1.
        lines: candidate records, each one JSON object as text.
        originals: the lines as they stood in the file, where `lines` had to be rewritten.
        line_count: lines read, counted apart from what became of them.
        repeat_count: run ids that stood again and got a number.
    """

    numbers: list[int] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    originals: list[str] | None = None
    refused: list[Refusal] = field(default_factory=list)
    blank_count: int = 0
    line_count: int = 0
    repeat_count: int = 0

    def text_of(self, position: int) -> str:
        """Return the line as it stood in the file, cut to what a reject keeps."""
        return (self.originals or self.lines)[position][:MAX_REFUSED_TEXT]


@dataclass(frozen=True)
class SourceFile:
    """A regular file that was looked at before it is read.

    Attributes:
        name: last part of its path; the rest says more about a machine than about the data.
        sha256: digest of its bytes as they stand on disk.
    """

    path: Path
    name: str
    format: str
    is_packed: bool
    byte_count: int
    sha256: str


def look_at(path: Path) -> SourceFile:
    """Find out what the file is without reading its rows; raises SourceError for what is no file of rows."""
    name = path.name
    is_packed = name.lower().endswith(".gz")
    suffix = Path(name[:-3] if is_packed else name).suffix.lower()
    form = FORMATS.get(suffix)
    if form is None or (form == "parquet" and is_packed):
        raise SourceError(
            f"{name}: not a kind of file that can be loaded (.jsonl, .csv, .parquet; .gz of the first two)"
        )
    with _opened(path) as stream:
        byte_count = os.fstat(stream.fileno()).st_size
        start = stream.read(4)
        _refuse_disguise(name, form, is_packed=is_packed, start=start)
        stream.seek(0)
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return SourceFile(path, name, form, is_packed, byte_count, sha256)


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    """Open a regular file for reading; a FIFO or a device would block or never end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as exc:
        raise SourceError(f"{path.name}: cannot be opened: {os.strerror(exc.errno or 0)}") from exc
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SourceError(f"{path.name}: is not a regular file")
    with os.fdopen(descriptor, "rb") as stream:
        yield stream


def _refuse_disguise(name: str, form: str, *, is_packed: bool, start: bytes) -> None:
    looks_packed = start[:2] == b"\x1f\x8b"
    if is_packed and start and not looks_packed:
        raise SourceError(f"{name}: is named .gz but is not gzip")
    if not is_packed and looks_packed:
        raise SourceError(f"{name}: is gzip; name it .gz")
    if (form == "parquet") != (start == b"PAR1"):
        raise SourceError(
            f"{name}: {'is not' if form == 'parquet' else 'is'} Parquet; the name says otherwise"
        )
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise SourceError(f"{name}: is UTF-16; save it as UTF-8")


def read_lines(file: SourceFile, *, keeps_blank: bool = False) -> Iterator[Block]:
    """Give the file's text lines in blocks; what is not UTF-8, has a NUL or is too long is refused.

    Blank lines are counted and left out, unless the caller keeps them (inside a CSV field they mean something).
    """
    number = 1
    for chunk in _chunks(file):
        block = _split(chunk, number, keeps_blank=keeps_blank)
        number += block.line_count
        yield block


def _chunks(file: SourceFile) -> Iterator[bytes]:
    """Give the bytes in pieces that end at a line end; the rest of an endless line is read past, not kept."""
    rest = b""
    for piece in _pieces(file):
        end = piece.rfind(b"\n") + 1
        if end:
            yield rest + piece[:end]
            rest = piece[end:]
        else:
            rest += piece
        if len(rest) > 2 * MAX_LINE_BYTES:
            # Enough to be refused as too long; the next piece goes on in the same line.
            rest = rest[: MAX_LINE_BYTES + 1]
    if rest:
        yield rest


def _pieces(file: SourceFile) -> Iterator[bytes]:
    """Give the unpacked bytes; refuse a file that changes under the reader, ends early or is a bomb."""
    read_count, allowed = 0, file.byte_count * _MAX_GROWTH + BLOCK_BYTES
    with _opened(file.path) as raw:
        before = os.fstat(raw.fileno())
        stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if file.is_packed else raw
        while piece := _read_piece(file, stream):
            read_count += len(piece)
            if file.is_packed and read_count > allowed:
                raise SourceError(
                    f"{file.name}: unpacks to more than {_MAX_GROWTH} times its size; unpack it and look"
                )
            yield piece
        after = os.fstat(raw.fileno())
    if (before.st_size, before.st_mtime_ns) != (
        after.st_size,
        after.st_mtime_ns,
    ) or before.st_size != file.byte_count:
        raise SourceError(f"{file.name}: changed while it was read; nothing of it was loaded")


def _read_piece(file: SourceFile, stream: IO[bytes]) -> bytes:
    try:
        return stream.read(BLOCK_BYTES)
    except (EOFError, gzip.BadGzipFile, zlib.error) as exc:
        raise SourceError(
            f"{file.name}: the gzip is damaged or ends too early; nothing of it was loaded"
        ) from exc
    except OSError as exc:
        raise SourceError(f"{file.name}: cannot be read: {exc.strerror or exc}") from exc


def _split(chunk: bytes, first_number: int, *, keeps_blank: bool) -> Block:
    """Split one chunk into lines, the quick way when nothing in it is odd."""
    block = Block(line_count=chunk.count(b"\n") + (not chunk.endswith(b"\n")))
    lines = _all_at_once(chunk)
    if lines is None:
        parts = chunk.removesuffix(b"\n").split(b"\n")
        for number, part in enumerate(parts, first_number):
            _take(block, number, part, keeps_blank=keeps_blank)
    elif keeps_blank or _all_begin_an_object(chunk, len(lines)):
        block.numbers = list(range(first_number, first_number + len(lines)))
        block.lines = lines
    else:
        for number, line in enumerate(lines, first_number):
            _keep(block, number, line, keeps_blank=False)
    return block


def _all_begin_an_object(chunk: bytes, line_count: int) -> bool:
    """Tell, without a look at each line, that none is blank."""
    return chunk.startswith(b"{") and chunk.count(b"\n{") == line_count - 1


def _all_at_once(chunk: bytes) -> list[str] | None:
    """Decode all lines in one go, or return None when a line needs a look of its own."""
    if b"\0" in chunk:
        return None
    try:
        text = chunk.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if "\r" in text:
        text = text.replace("\r\n", "\n").removesuffix("\r")
    lines = text.removesuffix("\n").split("\n")
    # A character has at most four bytes.
    return lines if max(map(len, lines)) * 4 <= MAX_LINE_BYTES else None


def _take(block: Block, number: int, part: bytes, *, keeps_blank: bool) -> None:
    """Put one line where it belongs: taken, blank or refused."""
    part = part.removesuffix(b"\r")
    readable = (
        part[: MAX_REFUSED_TEXT * 4]
        .decode("utf-8", errors="replace")[:MAX_REFUSED_TEXT]
        .replace("\0", "\ufffd")
    )
    if len(part) > MAX_LINE_BYTES:
        block.refused.append(Refusal(number, f"is longer than {MAX_LINE_BYTES} bytes", readable))
    elif b"\0" in part:
        block.refused.append(Refusal(number, "has a NUL character", readable))
    else:
        try:
            line = part.decode("utf-8")
        except UnicodeDecodeError as exc:
            block.refused.append(Refusal(number, f"is not UTF-8 at byte {exc.start + 1}", readable))
            return
        _keep(block, number, line, keeps_blank=keeps_blank)


def _keep(block: Block, number: int, line: str, *, keeps_blank: bool) -> None:
    """Put a readable line where it belongs: taken, or blank."""
    if not keeps_blank and (not line or line.isspace()):
        block.blank_count += 1
        return
    block.numbers.append(number)
    block.lines.append(line)

"""Turns lines of foreign files into lines under our column names, where a mapping or CSV asks for it."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from workbench.errors import SourceError
from workbench.sources.bodies import lone_body
from workbench.sources.files import (
    MAX_LINE_BYTES,
    MAX_REFUSED_TEXT,
    Block,
    Refusal,
    SourceFile,
    read_lines,
)
from workbench.sources.mapping import Mapping
from workbench.sources.strict import NotStrict, parse_object

_BLOCK_RECORDS = 100_000
"""Records of a CSV file handed on together."""


@dataclass(frozen=True)
class Target:
    """What the reader must know of the table it reads for.

    Attributes:
        columns: names of its columns.
        required: columns without which no line can be accepted.
        json_columns: columns whose CSV cell is read as JSON where it is JSON.
    """

    columns: frozenset[str]
    required: tuple[str, ...]
    json_columns: frozenset[str]


@dataclass
class RecordReader:
    """Reads one file for one table; `blocks` gives lines under our column names."""

    file: SourceFile
    target: Target
    mapping: Mapping | None = None
    seen_run_ids: Counter[str] = field(default_factory=Counter)
    more_count: int = 0

    @property
    def is_text(self) -> bool:
        """Tell whether every value comes as text, so that numbers may stand in quotes."""
        return self.file.format == "csv"

    def blocks(self) -> Iterator[Block]:
        """Give the file's records in blocks; lines that need no rewriting are passed as they stand."""
        if self.file.format == "csv":
            yield from self._csv_blocks()
            return
        if self.mapping and (self.mapping.is_body or self.mapping.each):
            body = lone_body(self.file)
            if body is not None:
                yield self.mapped_lines([body], 1)
                return
        for block in read_lines(self.file):
            yield self._mapped(block) if self.mapping else block

    def mapped_lines(self, lines: Sequence[str], first_number: int) -> Block:
        """Rewrite lines that did not come from a text file (Parquet rows as JSON)."""
        numbers = list(range(first_number, first_number + len(lines)))
        block = Block(numbers=numbers, lines=list(lines), line_count=len(lines))
        return self._mapped(block) if self.mapping else block

    def _mapped(self, block: Block) -> Block:
        out = Block(
            originals=[],
            refused=block.refused,
            blank_count=block.blank_count,
            line_count=block.line_count,
        )
        for number, line in zip(block.numbers, block.lines, strict=True):
            try:
                records = self.mapping.records_in(line) if self.mapping else [parse_object(line)]
            except NotStrict as exc:
                refusal = Refusal(number + self.more_count, str(exc), line[:MAX_REFUSED_TEXT])
                out.refused.append(refusal)
            else:
                self._put_all(out, number, records, line)
        return out

    def _put_all(self, block: Block, number: int, records: list[dict[str, Any]], line: str) -> None:
        """Add the records of one line; each counts as a line, so that every one is accounted for."""
        for place, record in enumerate(records):
            if place:
                self.more_count += 1
                block.line_count += 1
            if len(records) > 1 and not isinstance(record["part"], dict):
                refused = json.dumps(record["part"], ensure_ascii=False)[:MAX_REFUSED_TEXT]
                reason = "is a member of the body that is not an object"
                block.refused.append(Refusal(number + self.more_count, reason, refused))
                continue
            original = line if len(records) == 1 else json.dumps(record["part"], ensure_ascii=False)
            self._put(block, number + self.more_count, record, original)

    def _put(self, block: Block, number: int, record: dict[str, Any], original: str) -> None:
        """Add one parsed record to the block under our column names."""
        if self.mapping:
            record = self.mapping.apply(record, self.target.columns)
            if self.mapping.number_repeats:
                self._number_repeat(block, record)
        block.numbers.append(number)
        block.lines.append(json.dumps(record, ensure_ascii=False))
        if block.originals is not None:
            block.originals.append(original)

    def _number_repeat(self, block: Block, record: dict[str, Any]) -> None:
        run_id = record.get("run_id")
        if run_id is None:
            return
        self.seen_run_ids[str(run_id)] += 1
        if (occurrence := self.seen_run_ids[str(run_id)]) > 1:
            record["run_id"] = f"{run_id}#{occurrence}"
            block.repeat_count += 1

    def _csv_blocks(self) -> Iterator[Block]:
        lines = _CsvLines(self.file)
        delimiter = self.mapping.delimiter if self.mapping else ","
        csv.field_size_limit(MAX_LINE_BYTES)
        rows = csv.reader(lines, strict=True, delimiter=delimiter)
        header = self._header(rows, lines, delimiter)
        while True:
            block = Block(originals=[])
            is_last = self._fill(block, rows, header, lines)
            lines.hand_over(block)
            if block.line_count:
                yield block
            if is_last:
                return

    def _header(self, rows: Iterator[list[str]], lines: _CsvLines, delimiter: str) -> list[str]:
        """Read the header; refuse twin names, missing columns and another delimiter, by name."""
        try:
            header = next(rows, None)
        except csv.Error as exc:
            raise SourceError(f"{self.file.name}: the header is not CSV: {exc}") from exc
        if header is None:
            return []
        lines.is_header_read = True
        header[:1] = [header[0].removeprefix("\ufeff")] if header else []
        others = [sign for sign in ";\t|" if sign != delimiter and sign in "".join(header)]
        if len(header) == 1 and others:
            raise SourceError(
                f"{self.file.name}: looks separated by {others[0]!r}; say `delimiter` in a mapping"
            )
        if twins := sorted(name for name, count in Counter(header).items() if count > 1):
            raise SourceError(
                f"{self.file.name}: the header names {', '.join(twins)} more than once"
            )
        self.refuse_missing(header)
        return header

    def refuse_missing(self, names: Sequence[str]) -> None:
        """Raise SourceError when the file's columns cannot give what the table requires."""
        rules = self.mapping.rules if self.mapping else {}
        constants = self.mapping.constants if self.mapping else {}
        found = set(names)
        missing = []
        for column in self.target.required:
            rule = rules.get(column)
            wanted = (
                {name.split(".")[0] for name in (*rule.any_of, *rule.all_of)} if rule else {column}
            )
            if column not in constants and not (wanted & found):
                missing.append(
                    column
                    if wanted == {column}
                    else f"{column} (from {' or '.join(sorted(wanted))})"
                )
        if missing:
            steps = []
            if "source_id" in missing:
                steps.append("say whose rows these are: `--source SOURCE_ID`")
            if missing != ["source_id"]:
                steps.append("name the columns in a mapping: `--mapping FILE.toml`")
            raise SourceError(
                f"{self.file.name}: has no column {', '.join(missing)}; it has {', '.join(names) or 'none'}",
                next_step="; ".join(steps),
            )

    def _fill(
        self, block: Block, rows: Iterator[list[str]], header: list[str], lines: _CsvLines
    ) -> bool:
        """Read records into the block until it is full; tell whether the file has ended."""
        while len(block.lines) < _BLOCK_RECORDS:
            start = lines.number + 1
            try:
                row = next(rows, None)
            except csv.Error as exc:
                self._refuse_row(block, start, lines, str(exc))
                continue
            if row is None:
                return True
            block.line_count += 1
            if not row:
                block.blank_count += 1
            elif len(row) != len(header):
                reason = f"has {len(row)} fields, the header has {len(header)}"
                block.refused.append(Refusal(start, reason, ",".join(row)[:MAX_REFUSED_TEXT]))
            else:
                self._put(block, start, self._record(header, row), ",".join(row))
        return False

    def _refuse_row(self, block: Block, start: int, lines: _CsvLines, reason: str) -> None:
        """Refuse one broken record; a quote that is never closed makes the rest of the file unreadable."""
        if "unexpected end of data" in reason or "field larger" in reason:
            raise SourceError(
                f"{self.file.name}: a quote that opens in the record of line {start} is not closed"
            )
        block.line_count += 1
        block.refused.append(
            Refusal(start, f"is not CSV: {reason}", lines.last_line[:MAX_REFUSED_TEXT])
        )

    def _record(self, header: list[str], row: list[str]) -> dict[str, Any]:
        record: dict[str, Any] = {
            name: cell for name, cell in zip(header, row, strict=True) if cell != ""
        }
        for name in self.target.json_columns & record.keys():
            if record[name][:1] in "{[":
                try:
                    record[name] = parse_object(f'{{"cell": {record[name]}}}')["cell"]
                except NotStrict:
                    continue
        return record


class _CsvLines:
    """Feeds the CSV reader line by line and keeps what it cannot be fed: undecodable and endless lines."""

    def __init__(self, file: SourceFile) -> None:
        self.number = 0
        self.last_line = ""
        self.is_header_read = False
        self._refused: list[Refusal] = []
        self._lines = self._read(file)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.number, self.last_line = next(self._lines)
        return self.last_line + "\n"

    def _read(self, file: SourceFile) -> Iterator[tuple[int, str]]:
        for block in read_lines(file, keeps_blank=True):
            self._refused += block.refused
            yield from zip(block.numbers, block.lines, strict=True)

    def hand_over(self, block: Block) -> None:
        """Move the refused lines to a block, counted as lines."""
        block.refused += self._refused
        block.line_count += len(self._refused)
        self._refused = []

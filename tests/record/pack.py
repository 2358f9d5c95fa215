"""Packs a recorded run into the form that ships: `python -m tests.record.pack RUN_FOLDER TARGET_FOLDER`.

A recording under way can be packed too: only a copy of its store is opened, and the instants are those
taken so far. Rows are as they were when their batch was taken; nothing is filled in later.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import shutil
import sqlite3
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.record.place import from_text
from tests.record.provenance import REAL, REVIEWED, STAGED, TITLE
from workbench.sources.signature import error_signature

SIZE_LIMIT_BYTES = 8_000_000
Line = dict[str, Any]


def main() -> None:
    """Pack one run folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a recorded run")
    parser.add_argument("target", type=Path, help="new folder of the recording")
    parser.add_argument("--title", default=TITLE)
    options = parser.parse_args()
    body = pack(options.run, options.target, title=options.title)
    size = size_of(options.target)
    sys.stdout.write(f"{options.target}: {size} bytes, rows {json.dumps(body['rows'])}\n")


def pack(run: Path, target: Path, *, title: str = TITLE) -> Line:
    """Write the recording of a run folder and return its description; a broken chain ends the program."""
    log = read_log(run / "store")
    taken: dict[str, str] = json.loads((run / "instants.json").read_text())
    target.mkdir(parents=True)
    rows = {name: pack_batch(run / "batches" / name, target / name) for name in sorted(taken)}
    _write_gzip(target / "store_log.jsonl.gz", log)
    body = {
        "title": title,
        "recorded_on": min(taken.values())[:10],
        "instants": instants_of(taken, log),
        "staged": STAGED,
        "real": REAL,
        "rows": rows,
    }
    (target / "recording.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    if (size := size_of(target)) > SIZE_LIMIT_BYTES:
        raise SystemExit(f"the recording has {size} bytes, more than {SIZE_LIMIT_BYTES}")
    return body


def instants_of(taken: dict[str, str], log: list[Line]) -> Line:
    """Describe each instant: when, which hold, which batches lead to it, where our log stood."""
    names = sorted(taken)
    found = {}
    for position, folder in enumerate(names, 1):
        name, hold_id, only = REVIEWED[folder]
        head = head_at(log, taken[folder])
        found[name] = {
            "at": taken[folder],
            "hold_id": hold_id,
            **({"only": only} if only else {}),
            "batches": names[:position],
            "log_head": {"seq": head["seq"], "hash": head["hash"]},
        }
    return found


def head_at(log: list[Line], at: str) -> Line:
    """Return the last line of the log that was written by an instant."""
    known = [
        line for line in log if from_text(json.loads(line["body"])["occurred_at"]) <= from_text(at)
    ]
    return known[-1]


def read_log(store: Path) -> list[Line]:
    """Return the store's log lines in order; a chain that does not hold ends the program."""
    with tempfile.TemporaryDirectory() as copy:
        for path in store.glob("store.sqlite*"):
            if not path.name.endswith("-shm"):  # rebuilt from the log; the live one is in use
                shutil.copy(path, copy)
        connection = sqlite3.connect(Path(copy) / "store.sqlite")
        found = connection.execute("select seq, prev_hash, hash, body from event order by seq")
        lines = [
            {
                "seq": seq,
                "prev_hash": prev,
                "hash": own,
                "body": body.decode() if isinstance(body, bytes) else body,
            }
            for seq, prev, own, body in found
        ]
        connection.close()
    refuse_broken(lines)
    return lines


def refuse_broken(lines: list[Line]) -> None:
    """End the program at the first line whose hash does not follow from the line before."""
    before = hashlib.sha256(json.loads(lines[0]["body"])["store_id"].encode()).hexdigest()
    for line in lines:
        own = hashlib.sha256(f"{before}\n{line['body']}".encode()).hexdigest()
        if (line["prev_hash"], line["hash"]) != (before, own):
            raise SystemExit(f"the chain of the log does not hold at event {line['seq']}")
        before = own


def pack_batch(source: Path, target: Path) -> dict[str, int]:
    """Write one batch in small, reproducible files; returns rows per table."""
    target.mkdir()
    counts = {}
    for path in sorted(source.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as found:
            rows = [finished(json.loads(line)) for line in found]
        _write_gzip(target / path.name, rows)
        counts[path.name.split(".")[0]] = len(rows)
    return counts


def finished(row: Line) -> Line:
    """Return a row as the strict loader wants it: an amount as a number, an error with its signature.

    The automations kept amounts as exact decimal text. A JSON number of the same six places is the same
    DECIMAL to the loader, which refuses numbers in quotes.
    """
    changed = dict(row)
    if row.get("error_message") and "error_signature" in row and not row["error_signature"]:
        changed["error_signature"] = error_signature(row["error_message"])
    if isinstance(amount := row.get("cost_amount"), str):
        changed["cost_amount"] = float(amount)
        if Decimal(repr(changed["cost_amount"])) != Decimal(amount):
            raise SystemExit(f"run {row['run_id']}: {amount} is no exact JSON number")
    return changed


def size_of(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _write_gzip(path: Path, rows: list[Line]) -> None:
    content = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    path.write_bytes(gzip.compress(content.encode(), 9, mtime=0))


if __name__ == "__main__":
    main()

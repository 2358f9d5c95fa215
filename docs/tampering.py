"""Writes docs/tampering.md from the attacks that the tests carry out: `python -m docs.tampering`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.store import attacks
from tests.store.attacks import Attack, Defence

PAGE = Path(__file__).with_suffix(".md")

HEAD = """# What tampering with the log is found, and by what

Written by `python -m docs.tampering`; do not edit. Each cell was worked out by a test that does the attack to a real
store and compares the answer of `workbench audit verify` with it (`tests/store/test_matrix.py`). The log is
tamper-evident, not tamper-proof: whoever may write the store can change it, and the question is what shows it.

| Defence | What verification has to go on |
| --- | --- |
| chain alone | the store itself: hash chain, head row, caches, signatures of commands |
| unsigned checkpoints | besides, checkpoints in a folder elsewhere, of users without keys |
| signed checkpoints | besides, each command and checkpoint signed; the keys that the log enrolled count |
| signed, key named | the same, and `--trust-key` names the key that counts, whatever the log enrolled |

*Found* ends with exit code 14 and names the place. *Said* ends with 0 and says how far the log is vouched for;
`--require-anchor` makes it a failure. *Named* ends with 0: it does no harm. *Missed* looks like an untouched log.
`-` has nothing to find.
"""

TAIL = """## What follows

- The chain by itself finds only those who do not know how to recompute it. Keep checkpoints where who may write the
  store may not write: on another disk, host or user; `workbench doctor` says when all lie on the store's own disk.
- A folder whose newest checkpoints are cut off with the log's tail shows nothing. A second folder does; so does the
  last line of any print-out or the log head in a report, given to `workbench audit verify --head`; so does a copy of a
  report, notebook or page, in a folder that is given to `--anchors`: it has note and head note inside.
- Name the keys that you trust. Those that the log enrolled are as good as the log.
- A stolen key that still counts signs what its thief likes. Revoke it, and keep older checkpoints.
- Triggers, columns, indexes and rights are compared with what the migrations make. A difference on a table of the
  store ends with 14 though no row was changed: what guarded the log is gone, so a mistake can change it from then
  on. Who drops the triggers and makes them again unseen is not found by that, only by what was changed meanwhile.
- On a server its superusers and the owner of the tables may do all of this; `audit verify` and `doctor` name them.
"""

SECTIONS = (
    ("Rows changed with a SQLite shell", attacks.WITH_A_SHELL),
    ("What guards the rows changed, and no row", attacks.ON_THE_SCHEMA),
    (
        "The store rewritten: chain, head row and caches worked out anew",
        attacks.WITH_A_PROGRAM,
    ),
    ("Checkpoints changed, the log untouched", attacks.ON_THE_CHECKPOINTS),
    ("The store rewritten, and its checkpoints exchanged", attacks.ON_BOTH),
    ("Copies of a report, mailed to somebody, as all that is kept elsewhere", attacks.ON_COPIES),
)


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for title, rows in SECTIONS:
        parts.append(f"## {title}\n\n{_table(rows)}\n")
    parts.append(f"## A store in a PostgreSQL database\n\n{_server_table()}\n")
    return "\n".join([*parts, TAIL])


def _server_table() -> str:
    lines = ["| Attack | Fault | chain alone |", "| --- | --- | --- |"]
    lines += [f"| {row.name} | F76 | {row.expected} |" for row in attacks.ON_A_SERVER]
    return "\n".join(lines)


def _table(rows: Sequence[Attack]) -> str:
    lines = [f"| Attack | Fault | {' | '.join(Defence)} |", f"| --- |{' --- |' * 5}"]
    lines += [f"| {row.name} | {row.fault} | {' | '.join(row.expected)} |" for row in rows]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

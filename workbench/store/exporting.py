"""Export of the log: the stored lines, the checkpoints, and a verifier that needs no workbench."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import Refused, StorageUnavailable
from workbench.records import HeadNote
from workbench.store.anchors import anchor_file
from workbench.store.copies import log_lines
from workbench.store.store import Store

EVENTS = "events.jsonl"
VERIFIER = "verify.py"


@dataclass(frozen=True)
class Exported:
    """What an export holds."""

    event_count: int
    note_count: int
    head: HeadNote


def export_log(store: Store, folder: Path, *, anchors: Sequence[Path]) -> Exported:
    """Write log, checkpoints and verifier into a folder of its own; raises Refused where one is in use.

    Lines carry seq, prev_hash, hash and body as they are stored, damaged ones too: it is evidence.
    """
    if folder.exists() and any(folder.iterdir()):
        raise Refused(
            f"{folder} is not empty; nothing was written over.", next_step="name a new folder"
        )
    events, store_id = store.events(), store.meta().get("store_id", "")
    note_count = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / EVENTS).open("w", encoding="utf-8") as out:
            out.writelines(log_lines(events))
        for number, anchor in enumerate(anchors, start=1):
            source = anchor_file(anchor, store_id)
            if source.exists():
                text = source.read_text(encoding="utf-8", errors="replace")
                note_count += text.count("\n----\n")
                (folder / f"{number}-{source.name}").write_text(text, encoding="utf-8")
        verifier = Path(__file__).with_name("standalone_verifier.py")
        (folder / VERIFIER).write_text(verifier.read_text(encoding="utf-8"), encoding="utf-8")
    except OSError as exc:
        raise StorageUnavailable(
            f"The export to {folder} failed: {exc.strerror}.",
            next_step="name a folder that you may write to",
        ) from exc
    return Exported(len(events), note_count, store.head_note())

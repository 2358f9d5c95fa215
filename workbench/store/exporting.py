"""Export of the log: the stored lines, the checkpoints, and a verifier that needs no workbench."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.durable import fsync_folder
from workbench.errors import Refused, StorageUnavailable
from workbench.records import HeadNote
from workbench.store.anchors import BETWEEN, anchor_file, notes_in, read_notes
from workbench.store.copies import log_lines
from workbench.store.reported import read_reports
from workbench.store.store import Store

EVENTS = "events.jsonl"
VERIFIER = "verify.py"


@dataclass(frozen=True)
class Exported:
    """What an export holds.

    Attributes:
        note_count: different checkpoints, each a witness of where the log stood.
        reported_count: those of them that reports carry, in the checkpoint file beside them, notebook or page.
    """

    event_count: int
    note_count: int
    reported_count: int
    head: HeadNote


def export_log(
    store: Store, folder: Path, *, anchors: Sequence[Path], shelf: Path | None = None
) -> Exported:
    """Write log, checkpoints and verifier into a folder of its own; raises Refused where one is in use.

    Lines carry seq, prev_hash, hash and body as they are stored, damaged ones too: it is evidence. The
    checkpoints are those of the anchor folders as they lie there, and of the reports on a shelf each once.
    The log gets its name last, when all else is durable: an export that was cut short has none, and what
    failed leaves nothing. Raises StorageUnavailable where it cannot be written.
    """
    if folder.exists() and any(folder.iterdir()):
        raise Refused(
            f"{folder} is not empty; nothing was written over.", next_step="name a new folder"
        )
    events, store_id = store.events(), store.meta().get("store_id", "")
    copies = dict(_copies(anchors, store_id))
    known = {_bare(text) for content in copies.values() for text in notes_in(content)}
    reported = _reported([*anchors, *([shelf] if shelf else [])], store_id)
    if new := [text for text in reported if text not in known]:
        name = f"reports-{anchor_file(Path(), store_id).name}"
        copies[name] = "".join(f"{text}\n{BETWEEN}" for text in new)
    try:
        with _all_or_nothing(folder):
            for name, content in copies.items():
                _write(folder / name, [content])
            own = Path(__file__).with_name("standalone_verifier.py")
            _write(folder / VERIFIER, [own.read_text(encoding="utf-8")])
            _write(folder / f"{EVENTS}.part", log_lines(events))
            os.replace(folder / f"{EVENTS}.part", folder / EVENTS)
            fsync_folder(folder)
    except OSError as exc:
        raise StorageUnavailable(
            f"The export to {folder} failed: {exc.strerror}. Nothing of it was kept.",
            next_step="name a folder that you may write to, on a disk with room",
        ) from exc
    return Exported(len(events), len(known | reported.keys()), len(reported), store.head_note())


def _reported(folders: Sequence[Path], store_id: str) -> dict[str, None]:
    """Return each different checkpoint that lies with a report, or in a copy of one, in its order."""
    own = {anchor_file(folder, store_id) for folder in folders}
    beside = [text for path, _, text in read_notes(folders, store_id) if path not in own]
    inside = [text for _, _, text in read_reports(folders, store_id).notes]
    return dict.fromkeys(map(_bare, [*beside, *inside]))


def _copies(anchors: Sequence[Path], store_id: str) -> Iterator[tuple[str, str]]:
    for number, anchor in enumerate(anchors, start=1):
        source = anchor_file(anchor, store_id)
        if source.exists():
            text = source.read_text(encoding="utf-8", errors="replace")
            yield f"{number}-{source.name}", text


def _bare(note: str) -> str:
    return note.rstrip("\n")


def _write(path: Path, parts: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as out:
        out.writelines(parts)
        out.flush()
        os.fsync(out.fileno())


@contextlib.contextmanager
def _all_or_nothing(folder: Path) -> Iterator[None]:
    """Make a folder; where what follows fails take away what is in it, for it was empty before."""
    was_there = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            for path in folder.iterdir():
                path.unlink()
            if not was_there:
                folder.rmdir()
        raise

"""Anchor files: checkpoints appended outside of the store, one file a store and folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.errors import StorageUnavailable, in_words
from workbench.store.chain import roots_at
from workbench.store.checkpoint import Checkpoint, read_note

BETWEEN = "\n----\n"
_TORN = "\n(torn)"
"""Closes a note whose write was cut short, by a crash or a full disk: it vouches for nothing, and is no finding."""

_NEWEST_BYTES = 8192
"""Holds two dozen notes: as many as writers at the same time may append out of order."""


@dataclass(frozen=True)
class Anchored:
    """What the anchors say of a log.

    Attributes:
        size: newest event that a note vouches for.
        signed_size: newest event that a note signed by a trusted key vouches for.
        note_count: notes that were compared.
        foreign_count: notes signed by no key that counts: unknown, or revoked by then.
        broken_at: first event that no longer is what a note saw, or None.
        fault: what is wrong, or an empty text.
    """

    size: int = 0
    signed_size: int = 0
    note_count: int = 0
    foreign_count: int = 0
    broken_at: int | None = None
    fault: str = ""


def anchor_file(folder: Path, store_id: str) -> Path:
    """Return where the notes of a store lie in an anchor folder."""
    return folder / f"{store_id}.checkpoints"


def anchor_files(folders: Sequence[Path], store_id: str) -> list[Path]:
    """Return the files with notes of a store that are there: those of reports lie one or two folders deeper.

    Raises StorageUnavailable for a folder that cannot be looked into: that it vouches for nothing cannot be told.
    """
    for folder in folders:
        look_into(folder)
    name = anchor_file(Path(), store_id).name
    found = [
        path
        for folder in folders
        for path in (
            folder / name,
            *sorted(folder.glob(f"[!.]*/{name}")),
            *sorted(folder.glob(f"[!.]*/[!.]*/{name}")),
        )
    ]
    return [path for path in dict.fromkeys(found) if path.is_file()]


def look_into(folder: Path) -> None:
    """Raise StorageUnavailable for a folder of checkpoints that cannot be looked into; one that is absent is none."""
    try:
        os.stat(os.path.join(folder, "."))  # the dot asks for the right to search it
        next(folder.iterdir(), None)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as exc:
        raise StorageUnavailable(
            f"The checkpoints in {folder} cannot be looked at: {in_words(exc)}.",
            next_step="let WORKBENCH_HOME and WORKBENCH_ANCHORS name folders that you may read",
        ) from exc


def append_note(folders: Sequence[Path], store_id: str, *, note: str) -> list[str]:
    """Append a note to the store's file in each folder, durably; returns what failed, for nothing depends on it."""
    faults = []
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _append(anchor_file(folder, store_id), f"{note}{BETWEEN}".encode())
        except OSError as exc:
            faults.append(f"no checkpoint could be written to {folder}: {exc.strerror}")
    return faults


def _append(path: Path, content: bytes) -> None:
    """Append with one write, after closing what an earlier write left torn; raises OSError for a short write."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        end, mark = os.fstat(descriptor).st_size, BETWEEN.encode()
        last = os.pread(descriptor, len(mark), max(0, end - len(mark)))
        if end and last != mark:
            content = _TORN.encode() + mark + content
        if os.write(descriptor, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_notes(folders: Sequence[Path], store_id: str) -> Iterator[tuple[Path, int, str]]:
    """Yield file, number and text of each note of a store, in folders and in folders up to two below them.

    What follows the last separator is being written now, or was torn.
    """
    for path in anchor_files(folders, store_id):
        text = path.read_text(encoding="utf-8", errors="replace")
        for number, note in enumerate(text.split(BETWEEN)[:-1], start=1):
            if _is_whole(note):
                yield path, number, note


def notes_in(content: str) -> list[str]:
    """Return the notes of an anchor file's content, without those whose write was cut short."""
    return [note for note in content.split(BETWEEN)[:-1] if _is_whole(note)]


def _is_whole(note: str) -> bool:
    """Tell whether a note was written to its end; where power went, zeros may stand for its first sector alone."""
    return not note.endswith(_TORN) and "\0" not in note


def newest_notes(folders: Sequence[Path], store_id: str) -> list[str]:
    """Return the notes at the end of each file, newest last; a file that cannot be read has none.

    Only the end is read: each print-out asks, and the files grow with each command.
    """
    found: list[str] = []
    for folder in folders:
        try:
            with anchor_file(folder, store_id).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _NEWEST_BYTES))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            continue
        found += text.split(BETWEEN)[:-1]
    return found


def compare(
    bodies: Iterable[str],
    notes: Iterable[tuple[Path, int, str]],
    *,
    public_keys: Mapping[str, int | None],
    store_id: str,
) -> Anchored:
    """Compare a log's bodies with every note; the first that does not fit is named.

    Each note counts, signed or not: a rewritten log has another root, whoever wrote the note. `public_keys`
    gives the keys that count as signers, each with the event that revoked it, from which on it does not.
    """
    read, fault = read_points(notes, store_id)
    if fault:
        return Anchored(note_count=len(read), fault=fault)
    encoded = (body.encode() for body in bodies)
    roots = roots_at(encoded, {point.size for _, point in read})
    return compare_roots(read, roots, public_keys=public_keys)


def compare_roots(
    read: Sequence[tuple[str, Checkpoint]],
    roots: Mapping[int, bytes],
    *,
    public_keys: Mapping[str, int | None],
) -> Anchored:
    """Compare notes, smallest first, with the roots of a log at their sizes and at its end, as `compare` does."""
    last = max(roots)
    seen = Anchored(note_count=len(read))
    for where, point in read:
        if point.size > last:
            why = f"tail missing: {where} saw {point.size} events, the log ends at {last}"
            return replace(seen, broken_at=last + 1, fault=why)
        if roots[point.size] != point.root:
            why = f"the first {point.size} events are not those that {where} saw"
            return replace(seen, broken_at=min(seen.size + 1, point.size), fault=why)
        signer, is_forged = point.signed_by(public_keys)
        if is_forged:
            return replace(seen, fault=f"{where} has a forged signature")
        seen = _with_note(seen, point, counts=_counts(signer, point.size, public_keys))
    return seen


def _counts(signer: str | None, size: int, public_keys: Mapping[str, int | None]) -> bool:
    """Tell whether a note's signer vouches for it: the event that revokes a key is not in its word any more."""
    revoked_seq = public_keys[signer] if signer is not None else None
    return signer is not None and (revoked_seq is None or size < revoked_seq)


def _with_note(seen: Anchored, point: Checkpoint, *, counts: bool) -> Anchored:
    return replace(
        seen,
        size=max(seen.size, point.size),
        signed_size=max(seen.signed_size, point.size if counts else 0),
        foreign_count=seen.foreign_count + (bool(point.signatures) and not counts),
    )


def read_points(
    notes: Iterable[tuple[Path, int, str]], store_id: str
) -> tuple[list[tuple[str, Checkpoint]], str]:
    """Return the notes by size, and what is wrong with the first that cannot be one of this log."""
    found: list[tuple[str, Checkpoint]] = []
    for path, number, text in notes:
        where = f"checkpoint {number} of {path}"
        try:
            point = read_note(text)
        except ValueError as exc:
            return found, f"{where} cannot be read: {exc}"
        if point.store_id != store_id:
            return found, f"{where} is of another log, {point.store_id}"
        found.append((where, point))
    return sorted(found, key=lambda pair: pair[1].size), ""

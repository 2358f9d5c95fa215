"""Who signed the checkpoint of a log position: the words that head notes carry."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.store.checkpoint import ORIGIN, Checkpoint, read_note
from workbench.store.state import State

UNSIGNED = "unsigned"
FORGED = "unsigned, and its checkpoint carries a FORGED signature"
FOREIGN = "signed by a key that nobody enrolled"


def signature_words(state: State, notes: Iterable[str]) -> str:
    """Return who signed a checkpoint of exactly this state, of all notes that lie outside of the store.

    Each signature is verified. One of an enrolled key counts before all else; a forged one is said before
    one of a stranger; a note of another position or with another root says nothing here, `audit verify` does.
    """
    known = {key.public_hex: key for key in state.keys.values()}
    found = set()
    for point in _of_this_position(state, notes):
        signer, is_forged = point.signed_by(known)
        if signer is not None and known[signer].is_live(state.newest_at):
            key = known[signer]
            return f"signed by {key.role} ({key.person}, key {key.key_id})"
        if signer is not None:
            is_over = known[signer].revoked_seq is None
            found.add(
                f"signed by {'an expired' if is_over else 'a revoked'} key, {known[signer].key_id}"
            )
        elif point.signatures:
            found.add(FORGED if is_forged else FOREIGN)
    return FORGED if FORGED in found else min(found, default=UNSIGNED)


def _of_this_position(state: State, notes: Iterable[str]) -> Iterable[Checkpoint]:
    root = bytes.fromhex(state.head.root)
    beginning = f"{ORIGIN}{state.store_id}\n{state.event_count}\n"
    for text in notes:
        if not text.startswith(beginning):
            continue  # of another position, as all but the newest are
        try:
            point = read_note(text)
        except ValueError:
            continue  # whatever it is, it is no word for this position
        if (point.store_id, point.size, point.root) == (state.store_id, state.event_count, root):
            yield point

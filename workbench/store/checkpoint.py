"""Checkpoints: small notes of where the log stood, kept outside of the store as evidence.

The text is that of C2SP tlog-checkpoint: origin, size, base64 root, then after a blank line the signatures,
each `EM DASH, name, base64(4 bytes of key hash, Ed25519 signature)` over the text before the blank line. A note
of a user without a key has no signature line, and counts as a witness only as far as its place is trusted.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.store.keys import SigningKey

ORIGIN = "workbench/"
_ED25519 = b"\x01"
_HASH_BYTES = 4
_MARK = "\N{EM DASH} "


@dataclass(frozen=True)
class Checkpoint:
    """One note as read.

    Attributes:
        size: events that it vouches for.
        root: Merkle root over their bodies.
        signatures: key hash in hex -> signature in hex.
    """

    store_id: str
    size: int
    root: bytes
    signatures: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """The signed part."""
        return f"{ORIGIN}{self.store_id}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    def signed_by(self, public_keys: Iterable[str]) -> tuple[str | None, bool]:
        """Return the public key that signed the note, if it is one of these, and whether one was forged."""
        known = {_key_hash(self.store_id, public_hex): public_hex for public_hex in public_keys}
        for key_hash, signature in self.signatures:
            public_hex = known.get(key_hash)
            if public_hex is None:
                continue
            # Only now: where nothing is signed by a known key a cold shell loads no cryptography.
            from workbench.store.keys import is_signed_by

            if not is_signed_by(public_hex, self.text.encode(), signature_hex=signature):
                return None, True
            return public_hex, False
        return None, False


def note_of(store_id: str, size: int, *, root: bytes, signer: SigningKey | None) -> str:
    """Return the note of a log position, signed where there is a key."""
    text = Checkpoint(store_id, size, root).text
    if signer is None:
        return text
    raw = bytes.fromhex(_key_hash(store_id, signer.public_hex))
    body = base64.b64encode(raw + bytes.fromhex(signer.sign(text.encode()))).decode()
    return f"{text}\n{_MARK}{ORIGIN}{store_id} {body}\n"


def read_note(note: str) -> Checkpoint:
    """Read a note; raises ValueError saying what is wrong with it."""
    text, _, tail = note.partition("\n\n")
    lines = text.rstrip("\n").split("\n")
    if len(lines) != 3 or not lines[0].startswith(ORIGIN):
        raise ValueError("not a checkpoint of a workbench store")
    origin, size, root = lines
    if not size.isascii() or not size.isdigit() or (size != "0" and size.startswith("0")):
        raise ValueError(f"{size[:20]!r} is not a number of events")
    raw = base64.b64decode(root, validate=True)
    if len(raw) != hashlib.sha256().digest_size:
        raise ValueError("the root is not a SHA-256")
    signatures = tuple(_signature(line) for line in tail.split("\n") if line)
    return Checkpoint(origin.removeprefix(ORIGIN), int(size), raw, signatures)


def _signature(line: str) -> tuple[str, str]:
    mark, name, body = line.partition(" ")[0], *line.removeprefix(_MARK).split(" ", 1)
    if mark != _MARK.strip() or not name:
        raise ValueError("a signature line is misshapen")
    raw = base64.b64decode(body, validate=True)
    return raw[:_HASH_BYTES].hex(), raw[_HASH_BYTES:].hex()


def _key_hash(store_id: str, public_hex: str) -> str:
    """Return the key hash of C2SP signed-note: SHA-256(name, LF, 0x01, public key), its first four bytes."""
    name = f"{ORIGIN}{store_id}".encode()
    found = hashlib.sha256(name + b"\n" + _ED25519 + bytes.fromhex(public_hex)).digest()
    return found[:_HASH_BYTES].hex()

"""Signing keys: an Ed25519 key of a person in a private file, and what a signature of it says.

A key file is one JSON line with mode 0600; the public half is enrolled as an event of the log. Key ids
are the first 16 hex digits of SHA-256 over the raw public key, so two keys never share one by accident.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from workbench.errors import BadSettings, Refused
from workbench.private import read_private

_FORMAT = "workbench-ed25519-1"
_RAW_BYTES = 32


@dataclass(frozen=True)
class SigningKey:
    """A person's private key, as read from its file."""

    private: Ed25519PrivateKey

    @property
    def public_hex(self) -> str:
        """The raw public key in hex, as events hold it."""
        return self.private.public_key().public_bytes_raw().hex()

    @property
    def key_id(self) -> str:
        """The short name of the key."""
        return key_id_of(self.public_hex)

    def sign(self, message: bytes) -> str:
        """Return the signature of a message in hex."""
        return self.private.sign(message).hex()


def key_id_of(public_hex: str) -> str:
    """Return the short name of a public key; raises ValueError when the text is no public key."""
    try:
        raw = bytes.fromhex(public_hex)
    except ValueError as exc:
        raise ValueError(
            f"an Ed25519 public key is {2 * _RAW_BYTES} characters of 0-9 and a-f"
        ) from exc
    if len(raw) != _RAW_BYTES:
        raise ValueError(f"an Ed25519 public key has {_RAW_BYTES} bytes, this has {len(raw)}")
    return hashlib.sha256(raw).hexdigest()[:16]


def is_signed_by(public_hex: str, message: bytes, *, signature_hex: str) -> bool:
    """Tell whether a signature over a message was made by the holder of a public key."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_hex))
        key.verify(bytes.fromhex(signature_hex), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def make_key(path: Path) -> SigningKey:
    """Make a private key file that only its owner can read; raises Refused when one is there."""
    private = Ed25519PrivateKey.generate()
    body = {"format": _FORMAT, "private": private.private_bytes_raw().hex()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        own = load_key(path)
        enrol = (
            f"`workbench key enrol {own.public_hex} --person NAME --role ROLE`" if own else "use it"
        )
        raise Refused(
            f"There is a key in {path} already; it was left as it is.",
            next_step=f"{enrol}, where `workbench key list` does not show it; or move it away first",
        ) from None
    except OSError as exc:
        raise BadSettings(f"No key can be written to {path}: {exc.strerror}.") from exc
    with os.fdopen(descriptor, "w", encoding="ascii") as out:
        out.write(json.dumps(body) + "\n")
        out.flush()
        os.fsync(out.fileno())
    return SigningKey(private)


def load_key(path: Path) -> SigningKey | None:
    """Read a private key file; None where there is none.

    Raises BadSettings when others could read or replace the key, or when the file is not one.
    """
    content = read_private(
        path, name=f"The key {path}", instead="it is not used", renew="revoke it and make a new one"
    )
    if content is None:
        return None
    try:
        body = json.loads(content)
        if body["format"] != _FORMAT:
            raise ValueError("another format")
        return SigningKey(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(body["private"])))
    except (ValueError, KeyError, TypeError) as exc:
        raise BadSettings(f"{path} is not a key file ({exc}).") from exc

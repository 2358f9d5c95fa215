"""The Merkle tree over the log's stored bodies, as the right edge of full subtrees.

Hashing of RFC 9162 section 2.1.1: leaf = SHA-256(0x00, body), node = SHA-256(0x01, left, right), the empty
tree = SHA-256(""). A root stands for every body before it, so one small note vouches for the whole log.
"""

from __future__ import annotations

import hashlib

Peaks = tuple[bytes, ...]
"""Roots of the full subtrees, widest first: what is needed to grow the tree and to give its root."""


def grown(peaks: Peaks, size: int, *, body: str) -> Peaks:
    """Return the peaks of a tree of `size` leaves with one more."""
    node = hashlib.sha256(b"\0" + body.encode()).digest()
    kept = list(peaks)
    while size & 1:
        node = hashlib.sha256(b"\1" + kept.pop() + node).digest()
        size >>= 1
    return (*kept, node)


def root_of(peaks: Peaks) -> bytes:
    """Return the root of a tree."""
    if not peaks:
        return hashlib.sha256(b"").digest()
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = hashlib.sha256(b"\1" + peak + root).digest()
    return root

"""Chain and Merkle tree of a log as its rows are stored, a block at a time; what an event says is not read here.

Each row is hashed twice, once for the chain and once as a leaf of the tree, and each pair of subtrees once
(`log.chain_hash`, `merkle`). Rows are taken in blocks of full subtrees, so that the interpreter does little
besides hashing: one by one it takes twice as long. Where a block does not hold, its rows are looked at singly.
"""

from __future__ import annotations

import hashlib
import itertools
import operator
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from workbench.store import log
from workbench.store.merkle import root_of

BLOCK = 256
"""Rows of a block, a power of two; their bodies stay in the processor's cache, with 2,048 it took a fifth longer."""

Row = tuple[int, bytes, bytes, bytes]
"""seq, prev_hash, hash and body of an event, as bytes of the log."""

_HASH_CHARACTERS = 64
_NOTHING, _LEAF, _NODE = (hashlib.sha256(prefix) for prefix in (b"", b"\0", b"\1"))


@dataclass(frozen=True)
class Walk:
    """What was found on the way along a log.

    Attributes:
        count: rows that follow each other from the first on.
        head_hash: hash of the last of them.
        broken_at: place of the first row that does not follow, or None.
        roots: Merkle root at each size that was asked for, as far as there are rows, and at the end.
    """

    count: int
    head_hash: str
    broken_at: int | None = None
    roots: Mapping[int, bytes] = field(default_factory=dict)


def walk(rows: Iterable[Row], store_id: str, *, sizes: Collection[int] = ()) -> Walk:
    """Recompute chain and tree of a log's rows from the first one on."""
    tree, last, count = Tree(sizes), log.genesis(store_id).encode(), 0
    for block in _blocks(rows):
        if not _holds(block, count, last):
            good = _good_count(block, count, last)
            head = block[good - 1][2] if good else last
            return Walk(count + good, _text(head), count + good + 1)
        tree.grow([row[3] for row in block])
        count, last = count + len(block), block[-1][2]
    return Walk(count, _text(last), None, tree.roots())


def roots_at(bodies: Iterable[bytes], sizes: Collection[int]) -> dict[int, bytes]:
    """Return the Merkle root over the first so many bodies, at each size there is, and at the end."""
    tree = Tree(sizes)
    left = iter(bodies)
    while block := list(itertools.islice(left, BLOCK)):
        tree.grow(block)
    return tree.roots()


class Tree:
    """Grows a Merkle tree by blocks and keeps its root at some sizes (RFC 9162, section 2.1.1)."""

    def __init__(self, sizes: Collection[int]) -> None:
        """Remember which sizes are asked for."""
        self._wanted = sorted(set(sizes), reverse=True)
        self._peaks: list[bytes] = []
        self._count = 0
        self._levels: list[list[bytes]] = []
        self._roots: dict[int, bytes] = {}
        self._keep_roots(0)

    def grow(self, bodies: Sequence[bytes]) -> None:
        """Add the leaves of a block; every block but the last one is a full one."""
        self._close_block()
        level = _hashed(_LEAF, bodies)
        self._levels = [level]
        while len(level) > 1:
            # One too many waits for the next level.
            pairs = map(operator.add, level[::2], level[1::2])
            level = _hashed(_NODE, pairs)
            self._levels.append(level)
        self._keep_roots(len(bodies))

    def roots(self) -> dict[int, bytes]:
        """Return the roots at the sizes that there are, and at the end."""
        size = len(self._levels[0]) if self._levels else 0
        return self._roots | {self._count + size: self._root(size)}

    def _keep_roots(self, size: int) -> None:
        while self._wanted and self._wanted[-1] <= self._count + size:
            wanted = self._wanted.pop()
            self._roots[wanted] = self._root(wanted - self._count)

    def _root(self, size: int) -> bytes:
        """Return the root of everything before the block and its first so many leaves."""
        peaks, place = list(self._peaks), 0
        for height in range(size.bit_length() - 1, -1, -1):
            if size & 1 << height:
                peaks.append(self._levels[height][place >> height])
                place += 1 << height
        return root_of(tuple(peaks))

    def _close_block(self) -> None:
        """Take the full block into the peaks."""
        if not self._levels:
            return
        node, size = self._levels[-1][0], self._count // BLOCK
        while size & 1:
            node = hashlib.sha256(b"\1" + self._peaks.pop() + node).digest()
            size >>= 1
        self._peaks.append(node)
        self._count += BLOCK


def _blocks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while block := list(itertools.islice(left, BLOCK)):
        yield block


def _holds(block: Sequence[Row], count: int, last: bytes) -> bool:
    """Tell whether every row of a block follows; all are compared together."""
    seqs, prevs, hashes, bodies = zip(*block, strict=True)
    is_in_place = seqs == tuple(range(count + 1, count + 1 + len(block)))
    is_linked = prevs[0] == last and prevs[1:] == hashes[:-1]
    if not is_in_place or not is_linked or {len(one) for one in hashes} != {_HASH_CHARACTERS}:
        return False
    if not _are_texts(bodies):
        return False
    found = _hashed(_NOTHING, map(b"\n".join, zip(prevs, bodies, strict=True)))
    return b"".join(found).hex().encode() == b"".join(hashes)


def _are_texts(bodies: Sequence[bytes]) -> bool:
    if all(map(bytes.isascii, bodies)):  # by far the most, and seen in a tenth of the time
        return True
    try:
        b"\n".join(bodies).decode()
    except UnicodeDecodeError:
        return False
    return True


def _hashed(begun: hashlib._Hash, contents: Iterable[bytes]) -> list[bytes]:
    """Return the SHA-256 of each content behind what was begun with; a copy costs less than to begin anew."""
    found = []
    for content in contents:
        one = begun.copy()
        one.update(content)
        found.append(one.digest())
    return found


def _good_count(block: Sequence[Row], count: int, last: bytes) -> int:
    """Return how many rows of a block follow before the first that does not."""
    for place, row in enumerate(block):
        if not _holds([row], count + place, last):
            return place
        last = row[2]
    return len(block)


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "replace")

"""Verify an exported audit log without the workbench: `python verify.py [FOLDER] [--trust-key HEX ...]`.

Needs Python 3.11, and cryptography for signatures. Reads `events.jsonl`, and checkpoints in `*.checkpoints`, `*.html`.
Exit 0: every event follows from the one before and every checkpoint fits. 14: broken, the place is named.
A chain alone cannot show a cut tail or a rewrite; checkpoints that you kept elsewhere can:
copy them into the folder first. A key is trusted only when you name it; the export's own list is no proof of itself.
"""

import argparse
import base64
import hashlib
import html
import json
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import Any, NoReturn


def broken(place: object, why: str) -> NoReturn:
    """Say where it breaks, and end."""
    sys.stdout.write(f"broken at {place}: {why}\n")
    sys.exit(14)


def read_events(path: pathlib.Path) -> Iterator[tuple[Any, ...]]:
    """Yield the parsed lines of the export; a line that is none breaks the log."""
    for place, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            row = json.loads(line)
            row["body"].encode()
            said = json.loads(row["body"])
            yield place, row["seq"], row["prev_hash"], row["hash"], row["body"], said | {}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
            broken(place, f"not an event ({exc})")


def follow_chain(path: pathlib.Path) -> tuple[str | None, dict[int, bytes]]:
    """Return store id and every Merkle root by size, after checking each event against the one before."""
    roots: dict[int, bytes] = {0: hashlib.sha256(b"").digest()}
    edge: list[bytes] = []
    store_id = prev = None
    for place, seq, prev_hash, own, body, said in read_events(path):
        store_id = store_id or said.get("store_id")
        prev = prev or hashlib.sha256(str(store_id).encode()).hexdigest()
        if seq != place or said.get("seq") != place:
            broken(place, f"it says seq {said.get('seq')} and stands at place {place}")
        if said.get("store_id") != store_id:
            broken(place, f"it belongs to store {said.get('store_id')}")
        if prev_hash != prev:
            broken(place, "it does not follow the event before it")
        if own != hashlib.sha256(f"{prev}\n{body}".encode()).hexdigest():
            broken(place, "its content was altered after it was recorded")
        prev = own
        grow(edge, place - 1, body=body)
        roots[place] = root_of(edge)
    return store_id, roots


def grow(edge: list[bytes], size: int, *, body: str) -> None:
    """Add a leaf to the right edge of the tree (RFC 9162, section 2.1.1)."""
    node = hashlib.sha256(b"\0" + body.encode()).digest()
    while size & 1:
        node, size = hashlib.sha256(b"\1" + edge.pop() + node).digest(), size >> 1
    edge.append(node)


def root_of(edge: list[bytes]) -> bytes:
    """Return the root over the right edge."""
    node = edge[-1]
    for left in reversed(edge[:-1]):
        node = hashlib.sha256(b"\1" + left + node).digest()
    return node


def is_signed(text: str, origin: str, *, tail: str, keys: list[bytes]) -> bool:
    """Tell whether a trusted key signed a note; a wrong signature of a trusted key breaks it."""
    for line in filter(None, tail.split("\n")):
        mark, name, encoded = line.split(" ")
        if mark != "\N{EM DASH}" or name != origin:
            raise ValueError("a signature line is misshapen")
        raw = base64.b64decode(encoded, validate=True)
        for key in keys:
            if raw[:4] != hashlib.sha256(origin.encode() + b"\n\x01" + key).digest()[:4]:
                continue
            from cryptography.exceptions import InvalidSignature
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

            try:
                Ed25519PublicKey.from_public_bytes(key).verify(raw[4:], text.encode())
            except InvalidSignature:
                broken("a checkpoint", f"forged signature under {origin}")
            return True
    return False


def check_notes(
    folder: pathlib.Path, store_id: str | None, *, roots: dict[int, bytes], keys: list[bytes]
) -> tuple[int, int]:
    """Compare every checkpoint with the log; returns the newest size seen, and the newest signed one."""
    seen = signed_seen = 0
    for path in sorted((*folder.glob("*.checkpoints"), *folder.glob("*.html"))):
        content = path.read_text("utf-8", errors="replace")
        inside = map(html.unescape, re.findall(r'wb-note">([^<]*)<', content))
        for note in inside if path.suffix == ".html" else content.split("\n----\n")[:-1]:
            if note.endswith("\n(torn)") or "\0" in note:  # cut short: it vouches for nothing
                continue
            text, _, tail = note.removesuffix("\n").partition("\n\n")
            try:
                origin, number, encoded = text.split("\n")
                size, root = int(number), base64.b64decode(encoded, validate=True)
                signed = is_signed(f"{text}\n", origin, tail=tail, keys=keys)
            except ValueError as exc:
                broken("a checkpoint", f"{path.name} holds what is none ({exc})")
            if origin != f"workbench/{store_id}":
                broken("a checkpoint", f"{path.name} is of another log, {origin}")
            if size not in roots:
                why = f"a checkpoint saw {size} events, the log ends at {len(roots) - 1}"
                broken(len(roots), f"tail missing: {why}")
            if roots[size] != root:
                broken(f"or before {size}", "the events are not those that a checkpoint saw")
            seen, signed_seen = max(seen, size), max(signed_seen, size if signed else 0)
    return seen, signed_seen


def main() -> None:
    """Verify the folder and say how far it is vouched for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    here = pathlib.Path(__file__).parent
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=here)
    parser.add_argument("--trust-key", action="append", default=[], type=bytes.fromhex)
    asked = parser.parse_args()
    events = asked.folder / "events.jsonl"
    if not events.is_file() or any(len(key) != 32 for key in asked.trust_key):
        parser.error(f"there is no {events}, or a key is not 32 bytes in hex")
    store_id, roots = follow_chain(events)
    if not (count := len(roots) - 1):
        broken(1, "the log holds no event")
    seen, signed = check_notes(asked.folder, store_id, roots=roots, keys=asked.trust_key)
    told = "anchored to the end" if seen == count else f"unanchored since {seen}"
    keyless = "signatures not looked at: --trust-key HEX names a key that you trust"
    told += f"; signed by a trusted key to {signed}" if asked.trust_key else f"; {keyless}"
    spoilt = [p for p in asked.folder.glob("*.checkpoints") if b"\n----\n" not in p.read_bytes()]
    lost = "".join(f"; unreadable, holds no whole checkpoint: {path.name}" for path in spoilt)
    sys.stdout.write(f"ok to {count}, {told}; store {store_id}{lost}\n")


if __name__ == "__main__":
    main()

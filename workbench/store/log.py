"""The audited log: canonical bytes of an event and the chain of hashes over them.

`body` is RFC 8785 canonical JSON. Sorted compact JSON equals it as long as no float, no non-ASCII key
and no integer at or above 2**53 occurs; `canonical` refuses those. The hash covers the stored bytes,
never a re-serialisation: hash = SHA-256(prev_hash as hex, LF, body); genesis = SHA-256(store_id).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson

from workbench.clock import from_text, to_text
from workbench.records import LARGEST_INTEGER, Event

UNREADABLE = "event.unreadable"
"""Action given to a row whose body is not an event; nothing ever records it."""

_TEXTS = ("store_id", "actor", "action", "target", "outcome", "reason", "correlation_id")
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Draft:
    """An event before it has a place in the log."""

    occurred_at: datetime
    actor: str
    action: str
    target: str
    outcome: str = "success"
    reason: str = ""
    correlation_id: str = ""
    payload: Mapping[str, Any] | None = None


def genesis(store_id: str) -> str:
    """Return the hash that the first event follows."""
    return hashlib.sha256(store_id.encode()).hexdigest()


def chain_hash(prev_hash: str, body: str) -> str:
    """Return the hash of an event from the hash before it and its stored text."""
    return hashlib.sha256(f"{prev_hash}\n{body}".encode()).hexdigest()


def canonical(value: Mapping[str, Any]) -> str:
    """Return canonical JSON text; raises ValueError for what the schema does not allow."""
    _check(value, "event")
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def digest(value: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a value's canonical JSON, in hex."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def body_of(draft: Draft, *, seq: int, store_id: str) -> str:
    """Return the canonical body of a draft at its place in the log."""
    return canonical(
        {
            "seq": seq,
            "store_id": store_id,
            "occurred_at": to_text(draft.occurred_at),
            "actor": draft.actor,
            "action": draft.action,
            "target": draft.target,
            "outcome": draft.outcome,
            "reason": draft.reason,
            "correlation_id": draft.correlation_id,
            "payload": dict(draft.payload or {}),
        }
    )


def deed_digest(event: Event) -> str:
    """Return the digest of all that an event says, but for the signature of just that; raises ValueError for none."""
    mark = event.payload["command"]
    said = {name: getattr(event, name) for name in ("seq", *_TEXTS)}
    signed = {**event.payload, "command": {k: v for k, v in mark.items() if k != "deed"}}
    return digest({**said, "occurred_at": to_text(event.occurred_at), "payload": signed})


def read_json(text: str) -> Any:
    """Return what a text says as JSON; raises ValueError where it is none, and MemoryError where memory ended.

    The parser says both by one error. An event that was taken for damaged because memory was short was left out of the
    state, and the next command used its id again.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        if "Not enough memory" in exc.msg:
            raise MemoryError(exc.msg) from exc
        raise


def parse_event(body: str, *, prev_hash: str, hash_text: str) -> Event:
    """Read a stored event; raises ValueError or KeyError when the body is not one."""
    found = read_json(body)
    if not isinstance(found, dict) or not isinstance(found["payload"], dict):
        raise ValueError("the body is not an event")
    texts = {name: found[name] for name in _TEXTS}
    if set(map(type, texts.values())) != {str}:
        raise ValueError("a field of the event is not text")
    return Event(
        seq=int(found["seq"]),
        occurred_at=from_text(found["occurred_at"]),
        payload=found["payload"],
        prev_hash=prev_hash,
        hash=hash_text,
        body=body,
        **texts,
    )


def read_event(seq: int, *, prev_hash: str, hash_text: str, body: str) -> Event:
    """Read the event at a place in the log, whatever stands there; `fault` says what is wrong with it.

    Nothing is raised: a row that somebody damaged must stop no pause.
    """
    try:
        event = parse_event(body, prev_hash=prev_hash, hash_text=hash_text)
    except (ValueError, KeyError, TypeError, OverflowError) as exc:
        fault = f"its content cannot be read as an event ({exc})"
        return Event(
            seq, "", _NEVER, "", UNREADABLE, "", "", "", "", {}, prev_hash, hash_text, body, fault
        )
    if event.seq == seq:
        return event
    return replace(event, seq=seq, fault=f"it says seq {event.seq} and stands at place {seq}")


def _check(value: Any, where: str) -> None:
    if type(value) is str and value.isascii():
        return  # by far the most, and nothing can be wrong with them
    if type(value) is dict or isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise ValueError(f"{where}: key {key!r} is not ASCII text")
            _check(inner, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _check(inner, f"{where}[{index}]")
    elif isinstance(value, float):
        raise ValueError(f"{where}: floats are written as fixed-point text")
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST_INTEGER:
        raise ValueError(f"{where}: {value} is beyond 2**53")
    elif isinstance(value, str) and not value.isprintable():
        value.encode()  # a lone surrogate has no canonical bytes

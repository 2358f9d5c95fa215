"""The log's bytes are RFC 8785, its chain names the first altered event, and damage hides nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from workbench.records import Event
from workbench.store import log
from workbench.store.audit import verify_events

keys = st.text(st.characters(codec="ascii"), max_size=6)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-log.LARGEST_INTEGER, log.LARGEST_INTEGER),
    st.text(max_size=12),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=12,
)
documents = st.dictionaries(keys, values, max_size=5)


def a_draft(**more: Any) -> log.Draft:
    """Return a draft of a hold."""
    at = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    return replace(log.Draft(at, "os:test", "hold.place", "H-1", reason="why"), **more)


def a_chain(count: int, store_id: str = "st-1") -> list[Event]:
    """Return a chain of events."""
    found: list[Event] = []
    prev_hash = log.genesis(store_id)
    for seq in range(1, count + 1):
        body = log.body_of(a_draft(target=f"H-{seq}"), seq=seq, store_id=store_id)
        own = log.chain_hash(prev_hash, body)
        found.append(log.parse_event(body, prev_hash=prev_hash, hash_text=own))
        prev_hash = own
    return found


@given(documents)
def test_canonical_bytes_equal_the_standard(document: dict[str, Any]) -> None:
    """Sorted compact JSON of an allowed document is byte for byte what RFC 8785 asks for."""
    assert log.canonical(document).encode() == rfc8785.dumps(document)


@given(documents)
def test_canonical_text_is_read_back(document: dict[str, Any]) -> None:
    """What was written is read back as the same document, with one digest whatever the key order."""
    assert json.loads(log.canonical(document)) == document
    assert log.digest(dict(reversed(document.items()))) == log.digest(document)


@pytest.mark.parametrize(
    "value",
    [1.5, float("nan"), float("inf"), 1e400, 2**53, -(2**53), "\ud800", {"é": 1}, {1: 1}, [0.1]],
)
def test_what_has_no_one_spelling_is_refused(value: Any) -> None:
    """Floats, large integers, lone surrogates and keys that are not ASCII text are refused."""
    with pytest.raises(ValueError, match=r"."):
        log.canonical({"payload": {"x": value}})


def test_a_draft_becomes_one_line_with_every_field() -> None:
    """A body holds every field of the event, and nothing else."""
    body = log.body_of(a_draft(payload={"a": [1]}), seq=4, store_id="st-1")
    assert json.loads(body) == {
        "seq": 4,
        "store_id": "st-1",
        "occurred_at": "2026-11-20T09:30:00.000000Z",
        "actor": "os:test",
        "action": "hold.place",
        "target": "H-1",
        "outcome": "success",
        "reason": "why",
        "correlation_id": "",
        "payload": {"a": [1]},
    }
    assert "\n" not in body


def test_the_chain_is_what_the_page_says() -> None:
    """Hash = SHA-256(prev_hash in hex, LF, body), from SHA-256(store_id) on."""
    from hashlib import sha256

    assert log.genesis("st-1") == sha256(b"st-1").hexdigest()
    assert log.chain_hash("ab", "{}") == sha256(b"ab\n{}").hexdigest()


def test_a_whole_chain_verifies() -> None:
    """An untouched chain is ok to its last event; an empty one is ok to 0."""
    assert verify_events(a_chain(5), "st-1").finding == "ok to 5"
    assert verify_events([], "st-1").broken_at is None


@given(st.integers(0, 4), st.data())
def test_any_changed_byte_breaks_the_chain_there(place: int, data: st.DataObject) -> None:
    """Whichever character of a body is changed, verification is false at that event (I12)."""
    events = a_chain(5)
    body = events[place].body
    at = data.draw(st.integers(0, len(body) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda c: c != body[at]))
    changed = body[:at] + other + body[at + 1 :]
    old = events[place]
    events[place] = log.read_event(
        place + 1, prev_hash=old.prev_hash, hash_text=old.hash, body=changed
    )
    assert verify_events(events, "st-1").broken_at == place + 1


@pytest.mark.parametrize("place", range(4))
def test_a_rewritten_hash_breaks_the_next_event(place: int) -> None:
    """Somebody who fixes the hash of an altered event breaks the chain at the next one."""
    events = a_chain(5)
    body = events[place].body.replace("why", "WHY")
    own = log.chain_hash(events[place].prev_hash, body)
    events[place] = replace(events[place], body=body, hash=own)
    assert verify_events(events, "st-1").broken_at == place + 2


def test_a_deleted_or_moved_event_is_named() -> None:
    """A gap and two exchanged events are found at the first place that does not follow."""
    events = a_chain(5)
    assert verify_events(events[:2] + events[3:], "st-1").broken_at == 3
    events[1], events[2] = events[2], events[1]
    assert verify_events(events, "st-1").broken_at == 2


def test_a_log_of_another_store_is_named() -> None:
    """Events that carry another store's id do not verify as this store's."""
    result = verify_events(a_chain(2, "st-2"), "st-1")
    assert (result.broken_at, result.event_count) == (1, 0)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        "[]",
        "null",
        "[" * 2000,
        '{"seq": 1}',
        log.body_of(a_draft(), seq=1, store_id="s").replace('"why"', "5"),
        log.body_of(a_draft(), seq=1, store_id="s").replace('"payload":{}', '"payload":[]'),
        log.body_of(a_draft(), seq=1, store_id="s").replace("2026-11-20", "2026-02-30"),
    ],
)
def test_a_damaged_row_is_read_with_its_fault(body: str) -> None:
    """Whatever stands in a row, reading it raises nothing and says what is wrong."""
    found = log.read_event(1, prev_hash="p", hash_text="h", body=body)
    assert (found.seq, found.action, found.body) == (1, log.UNREADABLE, body)
    assert "cannot be read as an event" in found.fault


def test_a_row_at_another_place_says_so() -> None:
    """An event that stands where another belongs keeps its content and carries the fault."""
    body = log.body_of(a_draft(), seq=3, store_id="s")
    found = log.read_event(2, prev_hash="p", hash_text="h", body=body)
    assert (found.seq, found.action) == (2, "hold.place")
    assert found.fault == "it says seq 3 and stands at place 2"


def test_a_body_that_memory_was_too_short_for_is_not_damaged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The parser calls both an error of the text; only what is really none may be left out of the state."""

    def full(text: str) -> Any:
        raise log.orjson.JSONDecodeError(
            "Not enough memory to allocate buffer for parsing", text, 0
        )

    body = log.body_of(a_draft(), seq=1, store_id="st-1")
    damaged = log.read_event(1, prev_hash="", hash_text="", body=body[:-1])
    assert damaged.fault
    monkeypatch.setattr(log.orjson, "loads", full)
    with pytest.raises(MemoryError):
        log.read_event(1, prev_hash="", hash_text="", body=body)

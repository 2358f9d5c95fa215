"""Verification of the audited log: the chain, its place in the store, and the caches beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.records import EnrolledKey, Event, HeadNote
from workbench.store import log
from workbench.store.anchors import Anchored, compare, compare_roots, read_notes, read_points
from workbench.store.chain import Row, Walk, walk
from workbench.store.documents import documents
from workbench.store.folding import fold
from workbench.store.publication import desired_by
from workbench.store.reported import Noted, read_reports
from workbench.store.schema import Drift
from workbench.store.signatures import signer_of
from workbench.store.state import State
from workbench.store.store import Store
from workbench.store.witness import Witness, contradiction

UNANCHORED = Anchored()


@dataclass(frozen=True)
class AuditResult:
    """What verification found.

    Attributes:
        event_count: events whose chain holds, from the first on.
        broken_at: seq of the first event that does not verify, or None.
        finding: one sentence that names the altered row or says that all is well.
        anchored: how far checkpoints outside of the store vouch for it.
        stale_caches: projection rows that differ from the log; the log wins.
        drift: in what the schema is not what the migrations made: what guarded the log may be gone.
    """

    event_count: int
    broken_at: int | None
    finding: str
    head: HeadNote | None
    stale_caches: tuple[str, ...] = ()
    anchored: Anchored = UNANCHORED
    drift: tuple[Drift, ...] = ()

    @property
    def weakened_by(self) -> tuple[str, ...]:
        """The differences of the schema that take away from what the log proves."""
        return tuple(one.finding for one in self.drift if not one.is_harmless)

    @property
    def is_ok(self) -> bool:
        """Tell whether the chain and the caches hold, and what guards them is there."""
        return self.broken_at is None and not self.stale_caches and not self.weakened_by


def verify_store(
    store: Store,
    *,
    anchors: Sequence[Path] = (),
    trusted: Sequence[str] = (),
    witnesses: Sequence[Witness] = (),
) -> AuditResult:
    """Verify the chain from the first event to the head row, the caches, every checkpoint, and the schema.

    Checkpoints are read from the anchor files, and from the notebooks and pages of reports, in `anchors`.

    `witnesses` are head notes from print-outs and reports, to be compared as well.

    `trusted` names the public keys in hex that count as signers of checkpoints; where it is empty, those that
    the log itself enrolled do, which a log begun anew by somebody else has, too.
    """
    events, store_id = store.events(), store.meta().get("store_id", "")
    result = verify_events(events, store_id)
    if result.broken_at is not None:
        return result
    against = _another_head(store, events) or forged_signature(events)
    if against is not None:
        return against
    reported = read_reports(anchors, store_id)
    found = contradiction(events, store_id, witnesses=[*witnesses, *reported.witnesses])
    if found is not None:
        place, why = found
        return AuditResult(len(events), place, f"broken at {place}: {why}", None)
    notes = _once([*read_notes(anchors, store_id), *reported.notes])
    result = _against_notes(store, events, notes=notes, trusted=trusted)
    count = reported.report_count if result.broken_at is None else 0
    copies = f"; {count} {'copy' if count == 1 else 'copies'} of reports agree" if count else ""
    agreed = "; every head note given agrees" if witnesses and result.broken_at is None else ""
    return replace(result, finding=f"{result.finding}{copies}{agreed}")


def _another_head(store: Store, events: Sequence[Event]) -> AuditResult | None:
    """Return the finding where the log does not end at its head row, or None."""
    seq, head_hash = store.head_row()
    at = events[-1].seq if events else 0
    if events and (seq, head_hash) == (at, events[-1].hash):
        return None
    return _broken_at_the_end(at, seq)


def _against_notes(
    store: Store, events: list[Event], *, notes: Iterable[Noted], trusted: Sequence[str]
) -> AuditResult:
    """Return the result for a log whose chain holds: compared with every checkpoint, then its caches."""
    state, outbox = _folded(events)
    anchored = compare(
        (event.body for event in events),
        notes,
        public_keys=_signers(state, events, trusted=trusted),
        store_id=state.store_id,
    )
    if anchored.fault:
        return _broken_by(anchored, len(events))
    return _with_caches(store, state, outbox, anchored=anchored)


def _once(notes: Iterable[Noted]) -> list[Noted]:
    """Return each note once, as it was found first: copies of one say no more than it does."""
    found: dict[str, Noted] = {}
    for note in notes:
        found.setdefault(note[2].rstrip("\n"), note)
    return list(found.values())


def verify_chain(
    store: Store, *, anchors: Sequence[Path] = (), trusted: Sequence[str] = ()
) -> AuditResult:
    """Verify the chain and every checkpoint in the anchors, and nothing else: for a log that is very long.

    What the events say is not read, so that neither the caches are compared nor enrolled keys known: only
    `trusted` ones count as signers.
    """
    store_id = store.meta().get("store_id", "")
    notes = _once([*read_notes(anchors, store_id), *read_reports(anchors, store_id).notes])
    read, fault = read_points(notes, store_id)
    with store.backend.reading() as session:
        walked = walk(session.read_rows(), store_id, sizes={point.size for _, point in read})
        head = session.head()
    if walked.broken_at is not None:
        return _broken_in(store.events(until_seq=walked.broken_at), store_id, walked)
    if head != (walked.count, walked.head_hash):
        return _broken_at_the_end(walked.count, head[0])
    keys = dict.fromkeys(trusted)
    anchored = (
        Anchored(fault=fault) if fault else compare_roots(read, walked.roots, public_keys=keys)
    )
    if anchored.fault:
        return _broken_by(anchored, walked.count)
    said = (
        f"chain ok to {walked.count}, {_vouched(anchored, walked.count)}; nothing else was verified"
    )
    return AuditResult(walked.count, None, said, None, anchored=anchored)


def _broken_at_the_end(count: int, seq: int) -> AuditResult:
    why = f"broken at {count + 1}: the head row says {seq}, the log ends at {count}"
    return AuditResult(count, count + 1, why, None)


def _broken_by(anchored: Anchored, count: int) -> AuditResult:
    place = anchored.broken_at or count
    where = f"broken at {place}" if anchored.broken_at else "broken at its anchors"
    return AuditResult(count, place, f"{where}: {anchored.fault}", None)


def _signers(
    state: State, events: Sequence[Event], *, trusted: Sequence[str]
) -> dict[str, int | None]:
    """Return the keys whose checkpoints count, each with the event that revoked it, or was after its end."""
    enrolled = {key.public_hex: _ended_seq(key, events) for key in state.keys.values()}
    return {key: enrolled.get(key) for key in trusted} if trusted else enrolled


def _ended_seq(key: EnrolledKey, events: Sequence[Event]) -> int | None:
    end = key.expires_at
    later = [] if end is None else [event.seq for event in events if event.occurred_at >= end]
    return min([*later[:1], *([key.revoked_seq] if key.revoked_seq else [])], default=None)


def _folded(events: list[Event]) -> tuple[State, set[tuple[Any, ...]]]:
    """Return the state that the events lead to, and the rows of the outbox that follow from each of them."""
    state, outbox = State(), set()
    for event in events:
        fold([event], state)
        wanted = {} if event.seq in state.doubts else desired_by(state, event)
        outbox |= {(event.seq, a, hold_id, desired) for a, (hold_id, desired) in wanted.items()}
    return state, outbox


def _with_caches(
    store: Store, state: State, outbox: set[tuple[Any, ...]], *, anchored: Anchored
) -> AuditResult:
    """Return the result for a log that holds: its caches compared, and how far it is vouched for."""
    expected, stored = documents(state), store.projection()
    differing = sorted(
        k for k in expected.keys() | stored.keys() if expected.get(k) != stored.get(k)
    )
    restored_seq = int(store.meta().get("restored_seq", "0"))
    stale = (
        *(f"{entity} {key}" for entity, key in differing),
        *_stale_outbox(outbox, store.outbox(), restored_seq),
    )
    note = (
        f"; {len(stale)} cache rows differ from the log ({', '.join(stale[:3])}), the log wins"
        if stale
        else ""
    )
    head, drift = store.head_of(state), tuple(store.drift())
    finding = f"ok to {state.seq}, {_vouched(anchored, state.seq)}{note}{_of_the_schema(drift)}"
    return AuditResult(state.event_count, None, finding, head, stale, anchored, drift)


def _of_the_schema(drift: Sequence[Drift]) -> str:
    """Name every difference of the schema; which of them weaken the evidence is in the result."""
    weak = [one.finding for one in drift if not one.is_harmless]
    beside = [one.finding for one in drift if one.is_harmless]
    said = f"; what guards the log was changed: {', '.join(weak)}" if weak else ""
    return f"{said}; of no harm: {', '.join(beside)}" if beside else said


def _vouched(anchored: Anchored, seq: int) -> str:
    """Say how far checkpoints outside of the store vouch for the log, signed ones named as such."""
    if not anchored.note_count:
        return "unanchored: no checkpoint outside of the store"
    signed = f"signed to {anchored.signed_size}" if anchored.signed_size else "none of them signed"
    foreign = anchored.foreign_count
    other = f", {foreign} signed by keys that do not count" if foreign else ""
    said = f"{anchored.note_count} checkpoints, {signed}{other}"
    if anchored.size == seq:
        return f"anchored ({said})"
    return f"unanchored since {anchored.size} ({said})"


def forged_signature(events: list[Event]) -> AuditResult | None:
    """Return the first event whose actor names an enrolled key that did not sign it, or None.

    The fold obeys no such event where a signature is needed; here it is named whatever it is.
    """
    if not any(event.action == "key.enrol" for event in events):
        return None
    known = State()
    for event in events:
        named = [k for k in known.keys.values() if f"key {k.key_id}, os:" in event.actor]
        if named and signer_of(known, event) is None and event.actor != "system":
            about = f"event {event.seq} ({event.action} {event.target} by {event.actor})"
            why = f"broken at {event.seq}: {about}: key {named[0].key_id} did not sign it"
            return AuditResult(event.seq - 1, event.seq, why, None)
        fold([event], known)
    return None


def _stale_outbox(
    wanted: set[tuple[Any, ...]], stored: list[tuple[Any, ...]], restored_seq: int
) -> list[str]:
    """Name the outbox rows that do not follow from the log; what came with a restored log is not sent."""
    expected = {row for row in wanted if row[0] > restored_seq}
    differing = expected ^ {tuple(row[:4]) for row in stored}
    return [f"outbox {row[0]}/{row[1]}" for row in sorted(differing)]


def verify_events(events: list[Event], store_id: str) -> AuditResult:
    """Verify a chain of events as they are stored; names the first that does not follow."""
    walked = walk(_rows_of(events), store_id)
    is_readable = not any(event.fault or event.store_id != store_id for event in events)
    if walked.broken_at is None and is_readable:
        return AuditResult(walked.count, None, f"ok to {walked.count}", None)
    return _broken_in(events, store_id, walked)


def _broken_in(events: list[Event], store_id: str, walked: Walk) -> AuditResult:
    """Return what is said of the first event that does not follow, or does not say what an event says."""
    prev_hash = log.genesis(store_id)
    for place, event in enumerate(events, start=1):
        why = _fault(event, place, prev_hash, store_id)
        if why:
            what = f"({event.action} {event.target} by {event.actor})" if event.actor else ""
            about = f"event {event.seq} {what}".strip() + f": {why}"
            return AuditResult(place - 1, place, f"broken at {place}: {about}", None)
        prev_hash = event.hash
    place = walked.broken_at or walked.count
    return AuditResult(place - 1, place, f"broken at {place}: it is not as it was recorded", None)


def _rows_of(events: Iterable[Event]) -> Iterator[Row]:
    for event in events:
        yield event.seq, event.prev_hash.encode(), event.hash.encode(), event.body.encode()


def _fault(event: Event, place: int, prev_hash: str, store_id: str) -> str:
    if event.seq != place:
        return f"it says seq {event.seq} and stands at place {place}"
    if event.fault:
        return event.fault
    if event.prev_hash != prev_hash:
        return "it does not follow the event before it"
    if event.hash != log.chain_hash(prev_hash, event.body):
        return "its content was altered after it was recorded"
    if event.store_id != store_id:
        return f"it belongs to store {event.store_id}"
    return ""

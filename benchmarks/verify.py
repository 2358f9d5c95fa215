"""How many events of the audited log are verified in a second of one core, with signed checkpoints beside it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure, Target, of_rounds
from benchmarks.place import make_place
from workbench.control import Control
from workbench.settings import Settings
from workbench.store.anchors import anchor_file
from workbench.store.audit import AuditResult, verify_chain, verify_store
from workbench.store.checkpoint import note_of
from workbench.store.keys import SigningKey, is_signed_by, make_key
from workbench.store.log import Draft
from workbench.store.merkle import grown, root_of
from workbench.store.store import Change, Command

EVENT_COUNT = 40_000
NOTE_EVERY = 200
"""A signed checkpoint for so many events, as in the trial that the target is from."""
AUTOMATION_COUNT = 100
ROUNDS = 5
ONSET = datetime(2026, 11, 1, tzinfo=UTC)

UNIT = "events/CPU-s"
TARGET = Target(400_000, is_least=True)


def measure(root: Path) -> list[Figure]:
    """Verify a log of pauses and releases, in part and in full, by turns with what cannot be left out of it."""
    settings, control = make_place(root, automation_count=AUTOMATION_COUNT)
    fill(control)
    key = make_key(root / "key.json")
    write_checkpoints(settings, control, key)
    bodies = [event.body.encode() for event in control.store.events()]
    where: dict[str, Any] = {"anchors": settings.anchor_folders, "trusted": [key.public_hex]}
    chain, whole, bare = [], [], []
    for _ in range(ROUNDS):
        chain.append(events_per_second(lambda: verify_chain(control.store, **where), bodies))
        whole.append(events_per_second(lambda: verify_store(control.store, **where), bodies))
        bare.append(events_per_second(lambda: hash_and_verify(bodies, key), bodies))
    notes = f"{len(bodies):,} events, {len(bodies) // NOTE_EVERY:,} signed checkpoints"
    mean_bytes = sum(map(len, bodies)) // len(bodies)
    against = f"its SHA-256 (two of each body, {mean_bytes} bytes) and Ed25519 alone"
    return [
        of_rounds(
            "verify chain",
            chain,
            bare,
            unit=UNIT,
            bare=against,
            target=TARGET,
            note=f"{notes}: chain, Merkle roots and signatures, as `audit verify --chain-only` does",
        ),
        of_rounds(
            "verify all",
            whole,
            bare,
            unit=UNIT,
            bare=against,
            note=f"{notes}: besides, what each event says, and the caches beside the log, as "
            "`audit verify` does",
        ),
    ]


def events_per_second(verify: Callable[[], AuditResult | None], bodies: Sequence[bytes]) -> float:
    """Return how many events are verified in a second of one core; raises RuntimeError where they do not verify."""
    begun = time.process_time()
    found = verify()
    seconds = time.process_time() - begun
    if found is not None:
        newest = len(bodies) - len(bodies) % NOTE_EVERY
        if not found.is_ok or found.anchored.signed_size != newest:
            raise RuntimeError(f"the log does not verify: {found.finding}")
    return len(bodies) / seconds


def hash_and_verify(bodies: Sequence[bytes], key: SigningKey) -> None:
    """Compute what any verifier has to: chain, leaves and nodes of the tree, and the signatures; compare nothing."""
    sha256, previous, pair = hashlib.sha256, b"0" * 64 + b"\n", b"\1" + b"0" * 64
    for body in bodies:
        sha256(previous + body).digest()
        sha256(b"\0" + body).digest()
        sha256(pair).digest()
    signature, public = key.sign(b"checkpoint"), key.public_hex
    for _ in range(len(bodies) // NOTE_EVERY):
        is_signed_by(public, b"checkpoint", signature_hex=signature)


def fill(control: Control) -> None:
    """Record many pauses and releases, one hold after the other, as one command."""
    state = control.state()
    taken = len(state.holds)
    drafts = list(_drafts(EVENT_COUNT, taken))
    command = Command("benchmark", {"name": "fill", "count": EVENT_COUNT})
    control.store.transact(command, lambda _: Change(drafts))


def _drafts(count: int, taken: int) -> Iterator[Draft]:
    """Give place, observe, release, and again."""
    for number in range(count // 3):
        hold_id = f"H-{taken + number + 1}"
        automation_id = f"a-{number % AUTOMATION_COUNT}"
        at = ONSET + timedelta(seconds=number)
        text = f"{at:%Y-%m-%dT%H:%M:%S}.000000Z"
        seen = {"delivered_at": text, "confirmed_at": text}
        placed = {
            "scope": f"automation={automation_id}",
            "purpose": "incident",
            "mode": "freeze",
            "incident_id": "",
            "review_by": None,
            "covered": [automation_id],
        }
        released = {"covered": [automation_id], "decision_id": "", "break_glass_reason": "over"}
        reason = "unexpected spend on provider acme-llm"
        yield Draft(
            at, "ops-lead (os:benchmark)", "hold.place", hold_id, "success", reason, hold_id, placed
        )
        yield Draft(
            at, "system", "hold.observe", hold_id, payload={"targets": {automation_id: seen}}
        )
        yield Draft(at, "ops-lead (os:benchmark)", "hold.release", hold_id, payload=released)


def write_checkpoints(settings: Settings, control: Control, key: SigningKey) -> None:
    """Lay signed checkpoints of the whole log into the anchor folder, in place of those that are there."""
    store_id = control.store.meta()["store_id"]
    peaks: tuple[bytes, ...] = ()
    notes = []
    for size, event in enumerate(control.store.events(), start=1):
        peaks = grown(peaks, size - 1, body=event.body)
        if size % NOTE_EVERY == 0:
            notes.append(note_of(store_id, size, root=root_of(peaks), signer=key))
    path = anchor_file(settings.anchor_folders[0], store_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{note}\n----\n" for note in notes), encoding="utf-8")

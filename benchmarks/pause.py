"""What a durable, audited, published pause costs against the least that durability of the same bytes costs."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import IO

from benchmarks.measure import Figure, Target, of_rounds
from benchmarks.place import make_place
from workbench.control import Control
from workbench.control.placing import PauseRequest, decide_pause
from workbench.control.resuming import ResumeRequest
from workbench.durable import Beside, Draft, fsync_folder
from workbench.snapshot import SNAPSHOT_FILE

AUTOMATION_COUNT = 100
ROUNDS = 90
WARM_UP = 6
PAGES = bytes(9 * (4096 + 24))
"""What the database appends to its log for a pause: so many pages, each with a head."""
CHECKPOINT_BYTES = 90
HASHES_BYTES = 2 * 64
"""Beside the body of an event stand its hash and the one before it."""

TARGET = Target(6, is_ratio=True)


def measure(root: Path) -> list[Figure]:
    """Pause one automation after another, by turns with appending and syncing as many bytes."""
    settings, control = make_place(root, automation_count=AUTOMATION_COUNT)
    for number in range(WARM_UP):
        place(control, number)
        pause(control, number)
    release(control)
    anchors = settings.anchor_folders[0]
    content = b"x" * bytes_of_a_pause(control, anchors=anchors)
    published, whole, alone, bare = [], [], [], []
    with open(root / "bare", "ab", buffering=0) as file:
        for number in range(WARM_UP, WARM_UP + ROUNDS):
            published.append(place(control, number))
            release(control)
            whole.append(pause(control, number))
            release(control)
            alone.append(sync_alone(root / "alone", content))
            begun = time.perf_counter()
            file.write(content)
            os.fdatasync(file.fileno())
            bare.append(time.perf_counter() - begun)
    against = f"append {len(content):,} bytes + fdatasync"
    return [
        of_rounds(
            "durable pause",
            published,
            bare,
            bare=against,
            target=TARGET,
            note="until the hold is checked, chained, projected, committed, published to gates and "
            "anchored; the bare loop appends the event, the published snapshot and the checkpoint as "
            "plain bytes",
        ),
        of_rounds(
            "pause, recorded seen",
            whole,
            bare,
            bare=against,
            note="the whole call of Control.pause: the gates' processes are looked at as well, and what was "
            "seen is a second event, committed, published and anchored like the first",
        ),
        of_rounds(
            "pause, its syncs alone",
            alone,
            bare,
            bare=against,
            note="the files of a pause written and synced in its order, and nothing else: what it waits for on "
            "this disk whatever the program does",
        ),
    ]


def sync_alone(folder: Path, content: bytes) -> float:
    """Write and sync what a pause does, with the same things beside each other; returns the seconds that took."""
    folder.mkdir(exist_ok=True)
    (folder / "epoch").touch()
    begun = time.perf_counter()
    with (
        open(folder / "epoch", "r+b", buffering=0) as epoch,
        open(folder / "log", "ab", buffering=0) as log,
        open(folder / "checkpoints", "ab", buffering=0) as checkpoints,
    ):
        _mark(epoch)
        os.fdatasync(epoch.fileno())
        draft = Draft(folder / SNAPSHOT_FILE, content)
        draft.begin()
        log.write(PAGES)
        os.fdatasync(log.fileno())
        draft.put_in_place()
        _mark(epoch)
        checkpoints.write(content[:CHECKPOINT_BYTES])
        beside = [
            Beside(lambda: os.fdatasync(epoch.fileno())),
            Beside(lambda: os.fsync(checkpoints.fileno())),
        ]
        fsync_folder(folder)
        for one in beside:
            one.wait()
    return time.perf_counter() - begun


def _mark(epoch: IO[bytes]) -> None:
    """Write a word in place: the file keeps its size, as the epoch's does."""
    os.pwrite(epoch.fileno(), b"12345678", 0)


def place(control: Control, number: int) -> float:
    """Place a hold on one automation; returns the seconds until it was published and anchored."""
    request, now = _request(number), control.clock.now()
    begun = time.perf_counter()
    done = control.transact(
        request.command(control.new_id(None)),
        lambda state, who: decide_pause(state, request, actor=who.text, now=now),
    )
    seconds = time.perf_counter() - begun
    if done.publication_fault:
        raise RuntimeError(f"gates were not told: {done.publication_fault}")
    return seconds


def pause(control: Control, number: int) -> float:
    """Pause one automation as a command does; returns the seconds until the call returned."""
    begun = time.perf_counter()
    control.pause(_request(number), wait_seconds=0)
    return time.perf_counter() - begun


def release(control: Control) -> None:
    """Release what stands, so that each round finds the store as the one before did."""
    for hold in control.state().standing_holds():
        control.resume_full(ResumeRequest(hold.hold_id, break_glass_reason="benchmark"))


def _request(number: int) -> PauseRequest:
    return PauseRequest(f"automation=a-{number % AUTOMATION_COUNT}", "benchmark")


def bytes_of_a_pause(control: Control, *, anchors: Path) -> int:
    """Return how many bytes a pause has to make durable: event, published snapshot and checkpoint."""
    state = control.state()
    event = next(e for e in reversed(control.store.events()) if e.action == "hold.place")
    snapshot = (control.store.gate_folder / SNAPSHOT_FILE).stat().st_size
    checkpoint = control.checkpoint(state) if anchors.exists() else ""
    return len(event.body) + HASHES_BYTES + snapshot + len(checkpoint)

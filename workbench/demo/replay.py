"""Puts a recorded incident back as it stood at an instant, then becomes `workbench review` about it.

Run as `python -m workbench.demo.replay RECORDING-FOLDER INSTANT FOLDER [review options]`, one process
per report. The store is restored from its recorded log, the rows take the ordinary strict way into a
warehouse, and the clock stands at the recorded instant: no time is shifted.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from workbench.clock import FixedClock
from workbench.errors import AuditBroken, WorkbenchError
from workbench.recordings import Instant, Recording
from workbench.settings import Settings, child_environment
from workbench.store import restore_store
from workbench.warehouse import LoadOptions, Warehouse


def settings_at(folder: Path, instant: Instant) -> Settings:
    """Return the settings that show a folder as it stood at an instant."""
    return Settings(
        store=folder / "store", gate=folder / "gate", home=folder, demo_clock_at=instant.at
    )


def restore(recording: Recording, instant: Instant, *, settings: Settings) -> int:
    """Restore the recorded store up to an instant and return its last event.

    Raises AuditBroken when the chain does not hold or does not end in the hash the recording names.
    """
    clock = FixedClock(instant.at)
    store = restore_store(settings, clock, lines=recording.store_log(), until_seq=instant.log_seq)
    seq, head_hash = store.head_row()
    if (seq, head_hash) != (instant.log_seq, instant.log_hash):
        raise AuditBroken(
            f"The recorded log ends at event {seq} with {head_hash[:16]}; the recording says "
            f"{instant.log_seq} with {instant.log_hash[:16]}."
        )
    return seq


def load(recording: Recording, instant: Instant, *, settings: Settings) -> tuple[int, int]:
    """Load the batches up to an instant by the strict way; returns lines accepted and rejected."""
    warehouse = Warehouse.open(settings.home, FixedClock(instant.at))
    options = LoadOptions(shows_progress=False)
    reports = [
        report
        for batch in recording.batches_until(instant.name)
        for report in warehouse.load_folder(batch, options=options)
    ]
    return sum(r.accepted_count for r in reports), sum(r.rejected_count for r in reports)


def tell(step: str) -> None:
    """Say how far this process is: one line of JSON, which the demo reads."""
    sys.stderr.write(json.dumps({"step": step}) + "\n")
    sys.stderr.flush()


def main(words: list[str]) -> None:
    """Restore, load, and give way to the ordinary command."""
    source, name, target, *options = words
    recording = Recording.open(Path(source).name, Path(source).parent)
    instant = recording.instant(name)
    settings = settings_at(Path(target), instant)
    try:
        seq = restore(recording, instant, settings=settings)
        tell(f"recorded store restored, chain verified up to event {seq}")
        accepted, rejected = load(recording, instant, settings=settings)
    except WorkbenchError as exc:
        sys.stderr.write(f"{exc.message}\n")
        sys.exit(exc.exit_code)
    tell(f"{accepted:,} recorded lines loaded strictly, {rejected} rejected")
    tell(f"workbench review {instant.hold_id} {' '.join(options)}".rstrip())
    command = [sys.executable, "-m", "workbench", "review", instant.hold_id, "--json", *options]
    os.execve(sys.executable, command, child_environment(settings))


if __name__ == "__main__":
    main(sys.argv[1:])

"""Store and warehouse as they stood at one instant of a recording."""

from __future__ import annotations

from pathlib import Path

from workbench.clock import FixedClock
from workbench.control import open_control
from workbench.recordings import Recording
from workbench.reports.sync import load_store_rows, store_rows
from workbench.settings import Settings
from workbench.store import restore_store
from workbench.warehouse import Warehouse


def make_scene(root: Path, recording: Recording, instant_name: str) -> Settings:
    """Restore the log and load the batches of an instant under a folder; the clock stands there."""
    instant = recording.instant(instant_name)
    clock = FixedClock(instant.at)
    settings = Settings(
        store=root / "store", gate=root / "gate", home=root / "home", demo_clock_at=instant.at
    )
    restore_store(settings, clock, lines=recording.store_log_until(instant_name))
    warehouse = Warehouse.open(settings.home, clock)
    for folder in recording.batches_until(instant_name):
        for report in warehouse.load_folder(folder):
            assert report.rejected_count == 0, report
    load_store_rows(warehouse, store_rows(open_control(settings).state()))
    return settings

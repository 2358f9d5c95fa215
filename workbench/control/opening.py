"""Opens the shared store for commands, signing where this user has a key."""

from __future__ import annotations

from pathlib import Path

from workbench.clock import Clock
from workbench.control.commands import Control
from workbench.control.engine_port import NoEngines
from workbench.control.signing import file_signer
from workbench.control.spooling import Intake
from workbench.settings import KEY_FILE, Settings
from workbench.store.store import open_store


def open_control(
    settings: Settings, clock: Clock | None = None, *, role: str | None = None
) -> Control:
    """Open the shared store for commands; raises StoreMissing when there is none."""
    used = clock or settings.clock()
    control = Control(
        open_store(settings, used),
        used,
        role=role,
        signer=file_signer(settings.home),
    )
    control.anchor_key = settings.home / KEY_FILE
    if settings.engines is not None and not _may_be_there(settings.engines):
        why = f"WORKBENCH_ENGINES names {settings.engines}, and nothing is there"
        control.fleet = NoEngines(why)
    elif _may_be_there(settings.engines_file):
        # Only here: what speaks HTTP is loaded where engines are switched, not for every pause.
        from workbench.control.engine_fleet import open_fleet

        control.fleet = open_fleet(settings, control.store, clock=used)
    control.intake = Intake(control.store, (settings.gate, *settings.spool_folders))
    control.take_in_spooled()
    return control


def _may_be_there(path: Path) -> bool:
    """Tell whether a file may be there: what cannot be looked at is not taken for absent, and its reader says so."""
    try:
        return path.exists()
    except OSError:
        return True

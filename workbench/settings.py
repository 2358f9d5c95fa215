"""The settings of one run of the workbench; the only reader of the environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from workbench.clock import Clock, FixedClock, SystemClock, from_text
from workbench.errors import BadSettings

KEY_FILE = "key.json"
"""Name of the private signing key in `WORKBENCH_HOME`."""


@dataclass(frozen=True)
class Settings:
    """Where things are: the shared store, the published gate folder, and private things.

    Attributes:
        store: folder of the one shared store (`WORKBENCH_STORE`).
        gate: folder that gates read (`WORKBENCH_GATE`, default beside the store).
        home: private folder: warehouse, reports (`WORKBENCH_HOME`).
        anchors: folders that checkpoints of the log are copied to (`WORKBENCH_ANCHORS`, apart by `:`;
            default `anchors` in home). One on another disk or host is what makes them evidence.
        demo_clock_at: recorded instant at which everything stands (`WORKBENCH_CLOCK`), or None.
        hub_url: REST interface of the JupyterHub that started this process (`JUPYTERHUB_API_URL`), or empty.
        hub_token: token that the Hub gave it (`JUPYTERHUB_API_TOKEN`); never shown.
        is_unattended: no person is at the screen (`WORKBENCH_UNATTENDED=1`); panels render as text.
    """

    store: Path
    gate: Path
    home: Path
    demo_clock_at: datetime | None = None
    is_unattended: bool = False
    anchors: tuple[Path, ...] = ()
    hub_url: str = ""
    hub_token: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings; raises BadSettings when WORKBENCH_CLOCK is not an instant."""
        env = os.environ if environ is None else environ
        data_home = Path(
            env.get("XDG_DATA_HOME") or Path(env.get("HOME") or "~").expanduser() / ".local/share"
        )
        root = data_home / "workbench"
        store = Path(env.get("WORKBENCH_STORE") or root / "store").expanduser()
        gate = Path(env.get("WORKBENCH_GATE") or store.parent / "gate").expanduser()
        home = Path(env.get("WORKBENCH_HOME") or root).expanduser()
        return cls(
            store=store.absolute(),
            gate=gate.absolute(),
            home=home.absolute(),
            demo_clock_at=_instant(env.get("WORKBENCH_CLOCK")),
            is_unattended=env.get("WORKBENCH_UNATTENDED", "") == "1",
            anchors=_folders(env.get("WORKBENCH_ANCHORS")),
            hub_url=env.get("JUPYTERHUB_API_URL", ""),
            hub_token=env.get("JUPYTERHUB_API_TOKEN", ""),
        )

    @property
    def anchor_folders(self) -> tuple[Path, ...]:
        """Folders that checkpoints are copied to."""
        return self.anchors or (self.home / "anchors",)

    def clock(self) -> Clock:
        """Return the recorded clock where one is set, else the machine's."""
        return FixedClock(self.demo_clock_at) if self.demo_clock_at else SystemClock()

    def as_environment(self) -> dict[str, str]:
        """Return the variables that make a child process see the same settings."""
        found = {
            "WORKBENCH_STORE": str(self.store),
            "WORKBENCH_GATE": str(self.gate),
            "WORKBENCH_HOME": str(self.home),
        }
        if self.demo_clock_at:
            found["WORKBENCH_CLOCK"] = self.demo_clock_at.isoformat()
        if self.is_unattended:
            found["WORKBENCH_UNATTENDED"] = "1"
        if self.anchors:
            found["WORKBENCH_ANCHORS"] = os.pathsep.join(str(path) for path in self.anchors)
        return found


def _folders(text: str | None) -> tuple[Path, ...]:
    parts = [part for part in (text or "").split(os.pathsep) if part]
    return tuple(Path(part).expanduser().absolute() for part in parts)


def _instant(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return from_text(text)
    except ValueError as exc:
        raise BadSettings(f"WORKBENCH_CLOCK is not an instant: {exc}") from exc


def child_environment(settings: Settings, **extra: str) -> dict[str, str]:
    """Return this process's environment with the settings (and extras) put in, for a child process."""
    return {**os.environ, **settings.as_environment(), **extra}


def is_place_named(environ: Mapping[str, str] | None = None) -> bool:
    """Tell whether the environment says where the store or private things are."""
    env = os.environ if environ is None else environ
    return any(env.get(name) for name in ("WORKBENCH_STORE", "WORKBENCH_GATE", "WORKBENCH_HOME"))


def has_desktop(environ: Mapping[str, str] | None = None) -> bool:
    """Tell whether a browser that is opened from here would be seen by somebody."""
    env = os.environ if environ is None else environ
    is_mac = sys.platform == "darwin"
    return is_mac or any(env.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))

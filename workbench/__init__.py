"""Pause automation in seconds, prove that it stopped, and decide on evidence whether to restart it.

In a notebook: `import workbench as wb; w = wb.open(); w.sql("select ...")`. In an automation:
`from workbench import gate`. Importing this package imports nothing else; each name comes when it is first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench import gate
    from workbench.api import Surface
    from workbench.api import open_surface as open
    from workbench.api import sealed as snapshot
    from workbench.clock import FixedClock, SystemClock
    from workbench.errors import NotFound, Refused, WorkbenchError
    from workbench.gate import Gate
    from workbench.opening import open_control
    from workbench.records import (
        CheckStatus,
        GateState,
        HoldState,
        Kind,
        Mode,
        Purpose,
        RunStatus,
        VerdictKind,
    )
    from workbench.scope import Scope
    from workbench.settings import Settings
    from workbench.warehouse import Warehouse

_HOMES: dict[str, tuple[str, str]] = {
    "CheckStatus": ("records", "CheckStatus"),
    "FixedClock": ("clock", "FixedClock"),
    "Gate": ("gate", "Gate"),
    "GateState": ("records", "GateState"),
    "HoldState": ("records", "HoldState"),
    "Kind": ("records", "Kind"),
    "Mode": ("records", "Mode"),
    "NotFound": ("errors", "NotFound"),
    "Purpose": ("records", "Purpose"),
    "Refused": ("errors", "Refused"),
    "RunStatus": ("records", "RunStatus"),
    "Scope": ("scope", "Scope"),
    "Settings": ("settings", "Settings"),
    "Surface": ("api", "Surface"),
    "SystemClock": ("clock", "SystemClock"),
    "VerdictKind": ("records", "VerdictKind"),
    "Warehouse": ("warehouse", "Warehouse"),
    "WorkbenchError": ("errors", "WorkbenchError"),
    "gate": ("gate", ""),
    "open": ("api", "open_surface"),
    "open_control": ("opening", "open_control"),
    "snapshot": ("api", "sealed"),
}
"""Public name -> the module it lives in and its name there; an empty name is the module itself."""

__all__ = [
    "CheckStatus",
    "FixedClock",
    "Gate",
    "GateState",
    "HoldState",
    "Kind",
    "Mode",
    "NotFound",
    "Purpose",
    "Refused",
    "RunStatus",
    "Scope",
    "Settings",
    "Surface",
    "SystemClock",
    "VerdictKind",
    "Warehouse",
    "WorkbenchError",
    "gate",
    "open",
    "open_control",
    "snapshot",
]


class _Package(ModuleType):
    """Keeps `workbench.snapshot` the function for analysts, although a module of that name holds the gate's file.

    Importing a submodule sets an attribute of its name on the package; `from workbench.snapshot import ...` does not
    need that attribute.
    """

    @property
    def snapshot(self) -> Any:
        """Return what opens the data of a decision."""
        return __getattr__("snapshot")

    @snapshot.setter
    def snapshot(self, module: ModuleType) -> None:
        """Leave the name as it is when the import system sets it."""


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    found = import_module(f"{__name__}.{module}")
    return getattr(found, attribute) if attribute else found


def __dir__() -> list[str]:
    """Return the public names."""
    return list(__all__)

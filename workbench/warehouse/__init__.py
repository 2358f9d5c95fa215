"""The analysis side: immutable day files behind one manifest, read through DuckDB, loaded strictly.

Importing this package is cheap; DuckDB comes with the first `Warehouse`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.warehouse.batch import LoadOptions, LoadReport
    from workbench.warehouse.manifest import Watermark, read_watermarks
    from workbench.warehouse.shelf import Warehouse
    from workbench.warehouse.snapshot import WarehouseSnapshot

_HOMES = {
    "LoadOptions": "batch",
    "LoadReport": "batch",
    "Warehouse": "shelf",
    "WarehouseSnapshot": "snapshot",
    "Watermark": "manifest",
    "read_watermarks": "manifest",
}

__all__ = [
    "LoadOptions",
    "LoadReport",
    "Warehouse",
    "WarehouseSnapshot",
    "Watermark",
    "read_watermarks",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

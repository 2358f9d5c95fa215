"""Panels: what an operator clicks on, in a notebook of its own with a kernel of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.panels.launch import control_panel

__all__ = ["control_panel"]


def __getattr__(name: str) -> object:
    """Load the panel, and ipywidgets with it, only when it is asked for."""
    if name == "control_panel":
        from workbench.panels.launch import control_panel

        return control_panel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

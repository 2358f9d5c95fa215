"""Finds the adapter for an engine by its kind, among those that came with any installed package."""

from __future__ import annotations

from importlib.metadata import entry_points

from workbench.clock import Clock
from workbench.engines.interface import ENTRY_POINTS, Binding, Connect, Engine, EngineAddress
from workbench.errors import BadSettings, EngineError


def kinds() -> tuple[str, ...]:
    """Return the kinds of engines that can be connected."""
    return tuple(sorted({found.name for found in entry_points(group=ENTRY_POINTS)}))


def connect(address: EngineAddress, binding: Binding, *, clock: Clock) -> Engine:
    """Return the adapter for an address; raises BadSettings for a kind that nobody ships."""
    found = [one for one in entry_points(group=ENTRY_POINTS) if one.name == address.kind]
    if not found:
        raise BadSettings(
            f"The engine {address.engine_id} is of kind {address.kind!r}; "
            f"there are {', '.join(kinds()) or 'none'}.",
            next_step="mend `kind`, or install the package that brings this adapter",
        )
    try:
        make: Connect = found[0].load()
    except (ImportError, AttributeError) as exc:
        raise EngineError(f"the adapter for {address.kind} cannot be loaded: {exc}") from exc
    return make(address, binding, clock=clock)


def close(engine: object) -> None:
    """Close an adapter; one that was made before there was a `close` in the contract has nothing to give back."""
    end = getattr(engine, "close", None)
    if callable(end):
        end()

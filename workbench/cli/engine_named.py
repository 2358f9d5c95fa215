"""Which engine a name on the command line means, and what is said where nobody named it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from workbench.engines.addresses import read_addresses
from workbench.engines.connecting import kinds
from workbench.engines.interface import EngineAddress
from workbench.errors import EngineError, NotFound
from workbench.settings import Settings

LOCAL_PREFECT = EngineAddress("prefect", "prefect", "http://127.0.0.1:4200/api")
"""Where a Prefect server answers that nobody configured."""


def engine_named(settings: Settings, engine_id: str, *, beside: str = "") -> EngineAddress:
    """Return where an engine is: by the file of engines, else a Prefect server at its usual place.

    Raises NotFound with what to put into the file; `beside` is another way that the command has.
    """
    known = read_addresses(settings.engines_file)
    if engine_id in known:
        return known[engine_id]
    if engine_id == LOCAL_PREFECT.engine_id:
        return LOCAL_PREFECT
    raise NotFound(
        f"There is no engine {engine_id!r} in {settings.engines_file}; "
        f"there are {', '.join(sorted(known)) or 'none'}.",
        next_step=f"put it there, `[engines.{engine_id}]` with `kind` (of {', '.join(kinds())}) and `url`{beside}",
    )


@contextmanager
def told_where(settings: Settings, address: EngineAddress) -> Iterator[None]:
    """Say of an engine that does not answer that nobody named it, so that only its usual place was tried."""
    try:
        yield
    except EngineError as exc:
        if address is not LOCAL_PREFECT:
            raise
        raise EngineError(
            f"{exc.message.rstrip('.')}; {settings.engines_file} names no {address.engine_id}, "
            f"so {address.place} was tried.",
            next_step=f"start it there, or name its place in that file: `[engines.{address.engine_id}]` with "
            "`kind` and `url`",
        ) from exc

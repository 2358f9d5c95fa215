"""What the doctor says of engines: does each answer with the credentials of today, and does it plan starts."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from workbench.cli.present import one_line
from workbench.delivery.fleet import Fleet
from workbench.delivery.stumbling import STUMBLES, stumble
from workbench.engines.addresses import read_addresses
from workbench.engines.interface import EngineAddress
from workbench.errors import BadSettings
from workbench.settings import Settings
from workbench.store.store import Store

Words = tuple[str, bool, str, str]
"""About, is it well, what was found, what to do next."""


def engine_words(settings: Settings, store: Store) -> list[Words]:
    """Return what was found of each engine of the file, asked side by side; none where there is no file."""
    try:
        addresses = read_addresses(settings.engines_file)
    except BadSettings as exc:
        return [("engines", False, exc.message, exc.then)]
    if not addresses:
        return []
    with (
        Fleet(addresses, store, settings.clock()) as fleet,
        ThreadPoolExecutor(len(addresses)) as pool,
    ):
        return list(pool.map(lambda name: _asked(fleet, name), sorted(addresses)))


def named_engines(settings: Settings) -> Mapping[str, EngineAddress]:
    """Return the engines that a pause reaches; none where the file cannot be read, which is said elsewhere."""
    try:
        return read_addresses(settings.engines_file)
    except BadSettings:
        return {}


def _asked(fleet: Fleet, engine_id: str) -> Words:
    about, again = f"engine {engine_id}", f"`workbench engine probe {engine_id}`"
    engine = fleet.engine(engine_id)
    if engine is None:
        why = fleet.faults.get(engine_id, "it cannot be connected")
        return about, False, one_line(why), "mend the file of engines"
    try:
        health = engine.probe()
    except STUMBLES as exc:
        mend = f"until it answers a pause does not reach it; then {again}"
        return about, False, one_line(stumble(exc)), mend
    said = f"{health.engine} {health.version} answers"
    if health.findings:
        return about, False, one_line(f"{said}; {'; '.join(health.findings)}"), again
    return about, True, one_line(said), ""

"""Several hosts on one machine: each has a gate folder, a home and a mirror of its own; the store is shared."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.postgres_server import Server
from tests.store.ground import CLOCK, settings_in
from tests.store.test_postgres import as_member
from workbench.clock import SystemClock
from workbench.settings import Settings
from workbench.store.mirroring import Mirror
from workbench.store.store import store_of


def on_host(place: Path, name: str) -> Settings:
    """Return the settings of another host: the same store, a gate folder and a home of its own."""
    own = place / name
    return replace(settings_in(place), gate=own / "gate", home=own / "home", host=name)


def as_mirror_account(server: Server, place: Path, name: str) -> Settings:
    """Return the settings of another host whose mirror may do no more than a mirror needs to."""
    url = as_member(server, place, "mirror").store_url
    return replace(on_host(place, name), store_url=url)


def a_mirror(settings: Settings, clock: Any = CLOCK) -> Mirror:
    """Return the mirror of a host."""
    return Mirror(store_of(settings, clock))


@contextmanager
def watching(mirror: Mirror, wait: float = 0.05) -> Iterator[list[str]]:
    """Let a mirror watch in a thread; gives what it says."""
    over, said = threading.Event(), []
    thread = threading.Thread(
        target=mirror.watch, args=(over.is_set, said.append), kwargs={"wait": wait}
    )
    thread.start()
    try:
        yield said
    finally:
        over.set()
        thread.join(10)
        assert not thread.is_alive()


@contextmanager
def mirrors_of(*hosts: Settings) -> Iterator[None]:
    """Let the mirrors of several hosts watch at once, by the machine's own clock."""
    if not hosts:
        yield
        return
    with watching(a_mirror(hosts[0], SystemClock())), mirrors_of(*hosts[1:]):
        yield

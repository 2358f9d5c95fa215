"""`workbench mirror`: bring the gate folder of this host to what the store holds, and keep it there."""

from __future__ import annotations

import signal
import threading

import click

from workbench.cli.present import one_line
from workbench.errors import UsageFault
from workbench.settings import Settings
from workbench.store.mirroring import Mirror
from workbench.store.store import store_of


@click.command()
@click.option("--watch", "is_watching", is_flag=True, help="Go on until stopped (a service).")
@click.option("--once", "is_once", is_flag=True, help="Do it once and end (a timer or cron).")
def command(is_watching: bool, is_once: bool) -> int:
    """Mirror the store into WORKBENCH_GATE on a host whose automations ask there.

    It only reads the store, so membership in workbench_reader is enough. While the store is out of
    reach gates keep what they were told, and no heartbeat says that it is still so.
    """
    if is_watching == is_once:
        raise UsageFault("Say --watch or --once.", next_step="`workbench mirror --watch`")
    settings = Settings.from_environment()
    store = store_of(settings, settings.clock())
    mirror = Mirror(store)
    if is_once:
        store.backend.require()
        _say(f"gates in {store.gate_folder} have event {mirror.once()}")
        return 0
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    _say(f"mirroring {store.place} into {store.gate_folder}")
    mirror.watch(over.is_set, _say)
    return 0


def _say(line: str) -> None:
    click.echo(one_line(line))

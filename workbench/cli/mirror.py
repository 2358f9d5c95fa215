"""`workbench mirror`: bring the gate folder of this host to what the store holds, and keep it there."""

from __future__ import annotations

import signal
import threading

import click

from workbench.cli.mirror_unit import unit_text
from workbench.cli.present import one_line
from workbench.cli.supervised import Supervisor
from workbench.errors import UsageFault
from workbench.settings import Settings, notify_socket
from workbench.store.mirroring import Mirror
from workbench.store.store import store_of


@click.command()
@click.option("--watch", "is_watching", is_flag=True, help="Go on until stopped (a service).")
@click.option("--once", "is_once", is_flag=True, help="Do it once and end (a timer or cron).")
@click.option(
    "--unit",
    type=click.Choice(["system", "user"]),
    help="Print the systemd unit of the service, for the host or for your own manager.",
)
def command(is_watching: bool, is_once: bool, unit: str | None) -> int:
    """Mirror the store into WORKBENCH_GATE on a host whose automations ask there.

    It only reads the store, so membership in workbench_reader is enough. While the store is out of
    reach gates keep what they were told, and no heartbeat says that it is still so.
    """
    if is_watching + is_once + bool(unit) != 1:
        raise UsageFault(
            "Say --watch or --once, or --unit.", next_step="`workbench mirror --watch`"
        )
    settings = Settings.from_environment()
    if unit:
        click.echo(unit_text(settings, is_for_user=unit == "user"), nl=False)
        return 0
    store = store_of(settings, settings.clock())
    mirror = Mirror(store)
    if is_once:
        store.backend.require()
        _say(f"gates in {store.gate_folder} have event {mirror.once()}")
        return 0
    _watch(mirror, Supervisor(notify_socket()))
    return 0


def _watch(mirror: Mirror, supervisor: Supervisor) -> None:
    """Mirror until a signal; each look whether it is over is a sign that the loop goes round."""
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())

    def is_over() -> bool:
        supervisor.tell("WATCHDOG=1")
        return over.is_set()

    def say(line: str) -> None:
        _say(line)
        supervisor.tell(f"STATUS={one_line(line)}")

    say(f"mirroring {mirror.store.place} into {mirror.store.gate_folder}")
    supervisor.tell("READY=1")
    mirror.watch(is_over, say)
    supervisor.tell("STOPPING=1")


def _say(line: str) -> None:
    click.echo(one_line(line))

"""`workbench mirror`: bring the gate folder of this host to what the store holds, and keep it there.

Its verb `forget` strikes off a host that is gone.
"""

from __future__ import annotations

import signal
import threading

import click

from workbench.cli.present import YES_ALL_THE_SAME, head_line, one_line, store_line
from workbench.cli.supervised import Supervisor
from workbench.cli.unit_file import MIRROR, unit_text
from workbench.control import Control, open_control
from workbench.control.forgetting import forget_host
from workbench.errors import UsageFault
from workbench.settings import Settings, notify_socket
from workbench.store.mirroring import Mirror
from workbench.store.store import store_of


@click.group(invoke_without_command=True)
@click.option("--watch", "is_watching", is_flag=True, help="Go on until stopped (a service).")
@click.option("--once", "is_once", is_flag=True, help="Do it once and end (a timer or cron).")
@click.option(
    "--unit",
    type=click.Choice(["system", "user"]),
    help="Print the systemd unit of the service, for the host or for your own manager.",
)
@click.pass_context
def command(ctx: click.Context, *, is_watching: bool, is_once: bool, unit: str | None) -> int:
    """Mirror the store into WORKBENCH_GATE on a host whose automations ask there.

    It reads the store and reports under the name WORKBENCH_HOST what gates here have seen: membership in
    workbench_mirror is enough. While the store is out of reach gates keep what they were told, and no
    heartbeat says that it is still so.
    """
    if ctx.invoked_subcommand is not None:
        return 0
    if is_watching + is_once + bool(unit) != 1:
        raise UsageFault(
            "Say --watch or --once, or --unit.", next_step="`workbench mirror --watch`"
        )
    settings = Settings.from_environment()
    if unit:
        click.echo(unit_text(MIRROR, settings, is_for_user=unit == "user"), nl=False)
        return 0
    store = store_of(settings, settings.clock())
    mirror = Mirror(store)
    mirror.look = Control(store, settings.clock()).look
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


@command.command("forget")
@YES_ALL_THE_SAME
@click.argument("host")
@click.option("--reason", "-r", default="", help="Why; always needed.")
@click.option("--as", "role", help="Role you act for.")
def forget(host: str, reason: str, role: str | None) -> None:
    """Strike off HOST, which is gone for good; no pause waits for it any more. Recorded in the log.

    Refused while it is heard of; once it reports again it counts again.
    """
    settings = Settings.from_environment()
    control = open_control(settings, role=role)
    click.echo(store_line(control.head_note(), settings))
    found = forget_host(control, host, reason=reason)
    click.echo(f"Host {one_line(found.key)} is struck off; it had been silent: {found.last_heard}.")
    head_line(control.head_note())


def _say(line: str) -> None:
    click.echo(one_line(line))

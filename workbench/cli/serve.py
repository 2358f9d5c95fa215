"""`workbench serve`: deliver to engines, reconcile, and look for what fires, in one supervised process."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

import click

from workbench.cli.present import one_line, store_line
from workbench.cli.supervised import Supervisor
from workbench.cli.unit_file import SERVE, unit_text
from workbench.control import open_control
from workbench.delivery.fleet import Fleet
from workbench.delivery.serving import serve
from workbench.engines.addresses import read_addresses
from workbench.errors import EngineError, NotFound, UsageFault
from workbench.settings import Settings, notify_socket
from workbench.store.store import open_store

PERIOD_SECONDS = 15.0
TRIGGERS_PERIOD_SECONDS = 60.0
LEAVE_SECONDS = 5.0
"""How long a look that is under way is waited for at the end; then its queries are interrupted."""


@click.command()
@click.option("--once", is_flag=True, help="Go over each engine once and end (a timer or cron).")
@click.option(
    "--period",
    type=click.FloatRange(1, 3600),
    default=PERIOD_SECONDS,
    show_default=True,
    help="Seconds between two looks at an engine where all is as wanted.",
)
@click.option(
    "--triggers-period",
    type=click.FloatRange(0, 86400),
    default=TRIGGERS_PERIOD_SECONDS,
    show_default=True,
    help="Seconds between two looks for what fires; 0 leaves them to `workbench triggers`.",
)
@click.option(
    "--unit",
    type=click.Choice(["system", "user"]),
    help="Print the systemd unit of the service, for the host or for your own manager.",
)
def command(once: bool, period: float, triggers_period: float, unit: str | None) -> int:
    """Bring engines where the holds want them, and back to it when somebody changes that.

    A hold that is recorded meanwhile is delivered at once. One process delivers to an engine at a time,
    whatever host it runs on; the others wait to take over. Beside it, with a period of its own, it looks for what
    fires, as `workbench triggers --watch` does; what goes wrong there stops no delivery. With --once it goes over
    engines alone. Exit code with --once: 0 all is as wanted, 16 not.
    """
    usual = (PERIOD_SECONDS, TRIGGERS_PERIOD_SECONDS)
    if unit and (once or (period, triggers_period) != usual):
        raise UsageFault(
            "Say --unit alone: the unit serves at its usual periods.",
            next_step="`workbench serve --unit system`",
        )
    settings = Settings.from_environment()
    if unit:
        click.echo(unit_text(SERVE, settings, is_for_user=unit == "user"), nl=False)
        return 0
    clock = settings.clock()
    store = open_store(settings, clock)
    addresses = read_addresses(settings.engines_file)
    if not addresses:
        raise NotFound(
            f"{settings.engines_file} names no engine, so there is nothing to deliver to.",
            next_step="write one as README shows under *Engines obey*, or set WORKBENCH_ENGINES",
        )
    fleet = Fleet(addresses, store, clock)
    click.echo(store_line(store.head_note(), settings))
    if once:
        with fleet:
            return _once(fleet)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    tell, look = Supervisor(notify_socket()).tell, open_control(settings, clock).look
    with _looking(settings, over, period_seconds=triggers_period), fleet:
        serve(fleet, over, say=_say, period_seconds=period, tell=tell, look=look)
    return 0


@contextlib.contextmanager
def _looking(settings: Settings, over: threading.Event, *, period_seconds: float) -> Iterator[None]:
    """Look for what fires while the block lasts, beside it; with a period of 0 nothing looks."""
    if not period_seconds:
        yield
        return
    from workbench.cli.watching import leave, watch_beside

    looking = watch_beside(settings, over, period_seconds=period_seconds, say=_say)
    try:
        yield
    finally:
        leave(looking, over, seconds=LEAVE_SECONDS)


def _once(fleet: Fleet) -> int:
    worker = fleet.worker(_say)
    looks = worker.once()
    for engine_id in sorted(fleet.addresses):
        if why := fleet.faults.get(engine_id):
            _say(f"{engine_id}: {why}")
        elif engine_id in worker.others:
            _say(f"{engine_id}: another process delivers to it")
    if fleet.faults or not all(look.is_as_wanted for look in looks.values()):
        waiting = sorted({*fleet.faults, *(k for k, v in looks.items() if not v.is_as_wanted)})
        raise EngineError(
            f"Not all is as the holds want it in {', '.join(waiting)}.",
            next_step="see why above, or run it again; `workbench serve` goes on until it is",
        )
    return 0


def _say(line: str) -> None:
    with contextlib.suppress(OSError):
        click.echo(one_line(line))

"""Looking again and again for what fires, saying only what is new; alone, or beside the delivery to engines."""

from __future__ import annotations

import threading
from collections.abc import Callable

from workbench.cli.present import one_line
from workbench.control import Control, open_control
from workbench.errors import StorageUnavailable, WorkbenchError
from workbench.settings import Settings

Say = Callable[[str], None]


def watch(
    control: Control,
    settings: Settings,
    *,
    over: threading.Event,
    period_seconds: float,
    say: Say,
    complain: Say,
) -> None:
    """Look until `over` is set; a store or warehouse that is away is said once and ends nothing."""
    from workbench.cli.trigger_lines import news
    from workbench.noticing import look_once

    said = ""
    while not over.is_set():
        try:
            noticed = look_once(control, settings)
            said = ""
            for line in news(control.state(), noticed):
                say(line)
        except StorageUnavailable as exc:
            if exc.message != said:
                complain(one_line(f"CANNOT LOOK: {exc.message}"))
            said = exc.message
        over.wait(period_seconds)


def watch_beside(
    settings: Settings, over: threading.Event, *, period_seconds: float, say: Say
) -> threading.Thread:
    """Start looking in a thread of its own; whatever goes wrong there is said, and looked past, until `over`.

    It may be left behind at the end: a service that is slow to take a message holds up no shutdown.
    """
    thread = threading.Thread(
        target=_keep_watching,
        args=(settings, over),
        kwargs={"period_seconds": period_seconds, "say": say},
        name="triggers",
        daemon=True,
    )
    thread.start()
    return thread


def _keep_watching(
    settings: Settings, over: threading.Event, *, period_seconds: float, say: Say
) -> None:
    said = ""
    while not over.is_set():
        try:
            control = open_control(settings)
            watch(
                control,
                settings,
                over=over,
                period_seconds=period_seconds,
                say=say,
                complain=say,
            )
        except Exception as exc:  # noqa: BLE001  # nothing that fails here may end the delivery
            what = exc.message if isinstance(exc, WorkbenchError) else repr(exc)
            if what != said:
                say(one_line(f"CANNOT LOOK for triggers: {what} Delivery goes on."))
            said = what
            over.wait(period_seconds)

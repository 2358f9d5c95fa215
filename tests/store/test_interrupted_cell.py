"""A notebook cell that is interrupted in a command, in a real kernel: all or nothing, and the next cell works."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.store.ground import DATABASE_FILE, a_control, pause, settings_in, wait_until
from tests.store.test_postgres import connection_of
from workbench.control import open_control
from workbench.gate import Gate, GateState
from workbench.store.audit import verify_store

pytestmark = pytest.mark.slow

PREPARE = """
import time
from pathlib import Path
from workbench.control import open_control
from workbench.control.placing import PauseRequest
from workbench.settings import Settings

def wait_inside(*_, **__):
    Path("inside").touch()
    time.sleep(600)

control = open_control(Settings.from_environment())
agents = PauseRequest("kind=agent", "wrong amounts")
"""
IN_THE_TRANSACTION = """
control.signer = wait_inside  # a command is signed between BEGIN and COMMIT
control.pause(agents, wait_seconds=0)
"""
AT_THE_LOCK = """
Path("inside").touch()
control.pause(agents, wait_seconds=0)
"""
AFTER_THE_COMMIT = """
print(control.pause(agents, wait_seconds=600, on_progress=wait_inside).hold.hold_id)
"""
NEXT = """
from workbench.control.signing import unsigned
control.signer = unsigned
control.pause(PauseRequest("automation=order-sync", "the cell after it"), wait_seconds=0)
print(sorted(f"{row.automation.automation_id} {row.state}" for row in control.status().automations))
"""


@contextmanager
def kernel(place: Path) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    """Start a kernel with the settings of a place, over files: a port found free may be taken when it is used."""
    sockets = tempfile.mkdtemp(prefix="wb-k", dir="/tmp")  # a socket's path is short
    manager = KernelManager(kernel_name="python3", transport="ipc", ip=f"{sockets}/k")
    manager.start_kernel(cwd=str(place), env={**os.environ, **settings_in(place).as_environment()})
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=120)
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        shutil.rmtree(sockets, ignore_errors=True)


def outcome(client: BlockingKernelClient, message_id: str) -> tuple[str, str]:
    """Return how a cell ended (ok, or the name of its error) and what it printed."""
    content = own(client.get_shell_msg, message_id, "execute_reply")["content"]
    printed = ""
    while (said := own(client.get_iopub_msg, message_id))["msg_type"] != "status" or (
        said["content"]["execution_state"] != "idle"
    ):
        printed += said["content"]["text"] if said["msg_type"] == "stream" else ""
    return (content["status"] if content["status"] == "ok" else content["ename"]), printed


def own(receive: Callable[..., Any], message_id: str, kind: str = "") -> dict[str, Any]:
    """Return the next message that answers a cell; others are passed over."""
    while True:
        found: dict[str, Any] = receive(timeout=120)
        is_own = found["parent_header"].get("msg_id") == message_id
        if is_own and kind in ("", found["msg_type"]):
            return found


def interrupted(place: Path, cell: str) -> list[tuple[str, str]]:
    """Run a cell, interrupt it once it is inside, run the next one; returns how both ended."""
    with kernel(place) as (manager, client):
        assert outcome(client, client.execute(PREPARE)) == ("ok", "")
        waiting = client.execute(cell)
        wait_until((place / "inside").exists, 60)
        manager.interrupt_kernel()
        first = outcome(client, waiting)
        if cell == IN_THE_TRANSACTION:
            nobody_is_in_the_way(place)
        return [first, outcome(client, client.execute(NEXT))]


def nobody_is_in_the_way(place: Path) -> None:
    """While the kernel lives, another process gives a command at once, and no transaction of the kernel is open."""
    pause(open_control(settings_in(place)), "automation=stock-watch")
    if (place / DATABASE_FILE).exists():
        with connection_of(settings_in(place)) as connection:
            row = connection.execute(
                "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in%'"
            ).fetchone()
        assert row == (0,)


def test_interrupted_between_begin_and_commit_nothing_is_recorded(place: Path) -> None:
    """F11: SIGINT in the open transaction leaves no event, no lock and no open transaction; the next cell pauses."""
    control = a_control(place)
    (ended, _), (after, printed) = interrupted(place, IN_THE_TRANSACTION)
    assert (ended, after) == ("KeyboardInterrupt", "ok")
    scopes = [hold.scope for hold in control.state().standing_holds()]
    assert scopes == ["automation=stock-watch", "automation=order-sync"]
    assert "'order-sync paused'" in printed
    assert "'ticket-reply running'" in printed
    assert Gate(place / "gate").check("ticket-reply").state is GateState.CLEAR
    assert verify_store(control.store).is_ok


def test_interrupted_at_the_lock_nothing_is_recorded(place: Path) -> None:
    """F11: SIGINT while somebody else writes ends the waiting, and nothing of it comes later."""
    control = a_control(place)
    with control.store.backend.writing() as session:
        session.begin()
        with kernel(place) as (manager, client):
            assert outcome(client, client.execute(PREPARE))[0] == "ok"
            waiting = client.execute(AT_THE_LOCK)
            wait_until((place / "inside").exists, 60)
            time.sleep(1)
            manager.interrupt_kernel()
            assert outcome(client, waiting)[0] == "KeyboardInterrupt"
            session.rollback()
            assert outcome(client, client.execute(PREPARE))[0] == "ok"
    assert control.state().standing_holds() == []
    assert pause(control).hold.hold_id == "H-1"
    assert verify_store(control.store).is_ok


def test_interrupted_after_the_commit_the_pause_stands(place: Path) -> None:
    """F11: SIGINT while the cell waits for confirmations ends the waiting with the receipt, and the hold stands."""
    control = a_control(place)
    (ended, said), (after, printed) = interrupted(place, AFTER_THE_COMMIT)
    assert (ended, said, after) == ("ok", "H-1\n", "ok")
    assert [h.scope for h in control.state().standing_holds()] == [
        "kind=agent",
        "automation=order-sync",
    ]
    assert "'ticket-reply paused'" in printed
    assert Gate(place / "gate").check("ticket-reply").state is GateState.PAUSED

"""The contract, and each trap that was met, over a real Prefect server with a worker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.engines.contract import *  # noqa: F403 - the same promises as for the fake
from tests.engines.contract import NOTE, Ground
from tests.engines.live.prefect_live import PATIENCE_SECONDS, Server, running
from tests.engines.prefect_ground import NameBinding
from workbench.clock import SystemClock
from workbench.engines.interface import EngineAddress
from workbench.engines.prefect import connect
from workbench.engines.switching import CallResult, Plan

pytestmark = [pytest.mark.live, pytest.mark.engine_prefect, pytest.mark.slow]


@dataclass
class LiveGround(Ground):
    """The contract's ground over a server that may be busy for a moment."""

    def carry_out(self, plan: Plan) -> list[CallResult]:
        """Send each call, again where that may help, as delivery does."""
        results = []
        for call in sorted(plan.calls, key=lambda c: c.stage):
            for _ in range(20):
                outcome = self.engine.apply(call, NOTE)
                if not outcome.can_retry:
                    break
                time.sleep(1)
            assert outcome.result is CallResult.DONE, f"{call.sentence}: {outcome.answer}"
            results.append(outcome.result)
        return results


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server and worker for all tests of this file."""
    with running(tmp_path_factory.mktemp("prefect")) as found:
        yield found


@pytest.fixture
def ground(server: Server) -> Iterator[Ground]:
    """Two deployments that run, and one that somebody paused before."""
    for flow in ("orders", "invoices"):
        server.deploy(flow)
    paused = server.deployment("attic")["id"]
    server.send("POST", f"/deployments/{paused}/pause_deployment", {})
    options = {"probe": "workbench-probe/staging"}
    address = EngineAddress("prefect", "prefect", server.url, options=options)
    engine = connect(address, NameBinding(), clock=SystemClock())
    yield LiveGround(
        engine,
        ("orders", "invoices"),
        "attic",
        work=server.begin,
        flip=lambda name, is_paused: flip(server, name, is_paused),
        settle=lambda: time.sleep(1),
        patience_seconds=PATIENCE_SECONDS,
    )
    engine.close()


def flip(server: Server, name: str, is_paused: bool) -> None:
    """Switch a deployment as people do: pause it in the page, or deploy it again."""
    if is_paused:
        server.send("POST", f"/deployments/{server.deployment(name)['id']}/pause_deployment", {})
    else:
        server.deploy(name)

"""The adapter over a server in memory, as the contract's ground."""

from __future__ import annotations

from tests.engines.contract import Ground
from tests.engines.prefect_server import PrefectServer
from workbench.engines.interface import EngineAddress
from workbench.engines.prefect import PrefectEngine
from workbench.engines.rows import Bound


class NameBinding:
    """Binds each flow to an automation of its own name."""

    def find(self, names, tags):  # type: ignore[no-untyped-def] - a stand-in for the registry
        return Bound(names[-1], "workflow")


def engine_over(server: PrefectServer, **options: str) -> PrefectEngine:
    """Return the adapter that asks this server."""
    address = EngineAddress("prefect", "prefect", "http://prefect.example/api", options=options)
    engine = PrefectEngine(address, NameBinding(), clock=server.clock)
    engine._sleep = lambda _: server.tick()  # type: ignore[assignment,method-assign] - no real waiting
    client = server.client()
    engine._client = client
    engine._api.client = client
    return engine


def ground_over(server: PrefectServer) -> Ground:
    """Return the ground of the contract's promises."""
    server.deploy("orders")
    server.deploy("invoices")
    server.deploy("attic")
    server.deploy("workbench-probe", "staging", schedule=False, tags=["workbench-probe"])
    server._native_switch(server.deployment("attic")["id"], "pause", body=None)
    return Ground(
        engine_over(server, probe="workbench-probe/staging"),
        ("orders", "invoices"),
        "attic",
        work=server.begin,
        flip=lambda name, is_paused: flip(server, name, is_paused),
        settle=server.tick,
        patience_seconds=5,
    )


def flip(server: PrefectServer, name: str, is_paused: bool) -> None:
    """Switch a deployment as people do: pause it in the page, or deploy it again."""
    key = server.deployment(name)["id"]
    if is_paused:
        server._native_switch(key, "pause", body=None)
    else:
        server.redeploy(key)

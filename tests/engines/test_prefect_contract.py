"""The Prefect adapter keeps the contract over a server in memory; tests/engines/live has the same over a real one."""

from __future__ import annotations

import pytest

from tests.engines.contract import *  # noqa: F403 - the same promises as for the fake and for real servers
from tests.engines.contract import Ground
from tests.engines.prefect_ground import ground_over
from tests.engines.prefect_server import PrefectServer


@pytest.fixture
def server() -> PrefectServer:
    """A server with three deployments and one for made-up work."""
    return PrefectServer()


@pytest.fixture
def ground(server: PrefectServer) -> Ground:
    """Two deployments that run, and one that somebody paused before."""
    return ground_over(server)

"""The Prefect adapter is found by its kind, says who asks, and tells its own audit of switches apart."""

from __future__ import annotations

import tomllib
from base64 import b64encode
from importlib.metadata import EntryPoint

import pytest

from tests.engines.fake_prefect import event
from tests.engines.prefect_ground import NameBinding
from workbench.clock import SystemClock
from workbench.engines import connecting
from workbench.engines.interface import ENTRY_POINTS, EngineAddress, ProbeStarter
from workbench.engines.prefect import PrefectEngine
from workbench.engines.prefect_words import action_of, is_act

URL = "http://prefect.example:4200/api"


@pytest.fixture(autouse=True)
def shipped(monkeypatch: pytest.MonkeyPatch, repository) -> None:  # type: ignore[no-untyped-def] # a path
    """Let the entry points be those of this checkout, whatever is installed."""
    body = tomllib.loads((repository / "pyproject.toml").read_text())
    shipped = body["project"]["entry-points"][ENTRY_POINTS]
    found = [EntryPoint(name, value, ENTRY_POINTS) for name, value in shipped.items()]
    monkeypatch.setattr(connecting, "entry_points", lambda group: found)


def connected(**address: str) -> PrefectEngine:
    """Return the adapter for an address, as delivery gets it."""
    one = EngineAddress("shop-prefect", "prefect", URL, **address)
    engine = connecting.connect(one, NameBinding(), clock=SystemClock())
    assert isinstance(engine, PrefectEngine)
    return engine


def test_the_kind_finds_the_adapter() -> None:
    """The entry point of this package gives both halves and the work of drills, under the registry's name."""
    engine = connected()
    assert engine.engine == "shop-prefect"
    assert isinstance(engine, ProbeStarter)
    engine.close()


@pytest.mark.parametrize(
    ("address", "header"),
    [
        ({}, None),
        ({"token": "t0ken"}, "Bearer t0ken"),
        ({"user": "ops", "password": "s3cret"}, f"Basic {b64encode(b'ops:s3cret').decode()}"),
    ],
)
def test_the_server_is_told_who_asks(address: dict[str, str], header: str | None) -> None:
    """A token, the one shared user and password of a server, or nothing; none of them is ever shown."""
    engine = connected(**address)
    assert engine._client._client.headers.get("Authorization") == header
    assert "s3cret" not in repr(EngineAddress("a", "prefect", URL, **address))
    engine.close()


@pytest.mark.parametrize(
    ("to", "action"), [(True, "deployment.paused"), (False, "deployment.resumed")]
)
def test_a_switch_is_told_apart_from_another_update(to: bool, action: str) -> None:
    """Prefect writes no event for its own pause call, but one for an update, which is what ours is."""
    updates = {"paused": {"from": not to, "to": to}}
    told = event("e1", "prefect.deployment.updated", payload={"updates": updates})
    assert action_of(told) == action
    other = event("e2", "prefect.deployment.updated", payload={"updates": {"tags": {}}})
    assert action_of(other) == "deployment.updated"


def test_what_workers_report_is_no_act() -> None:
    """That a worker took a run or came by is ordinary life, not somebody's doing."""
    for name in ("prefect.worker.submitted-flow-run", "prefect.deployment.ready"):
        assert not is_act(event("e1", name))
    assert is_act(event("e2", "prefect.concurrency-limit.created"))

"""Faults of engines, for what all adapters share and for each adapter that is named here: none becomes a lie.

A question that failed is one clear error; a change that failed is refused, or unknown until it was read back.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.engines.contract import NOTE
from tests.engines.fake_temporal import AT, JSON, FakeTemporal
from tests.engines.faulty_wire import Wire, misbehaving
from workbench.clock import FixedClock, SystemClock
from workbench.engines import http
from workbench.engines.binding import RegistryBinding
from workbench.engines.calls import send_call
from workbench.engines.http import JsonClient
from workbench.engines.interface import Engine
from workbench.engines.switching import (
    CallOutcome,
    CallResult,
    CatchUp,
    EngineScope,
    NativeCall,
    Plan,
    Receipt,
    ScopeKind,
)
from workbench.engines.temporal import Temporal
from workbench.engines.temporal_asking import ACCEPT, Namespace
from workbench.errors import EngineError
from workbench.records import Mode
from workbench.warehouse import Warehouse
from workbench.warehouse.syncing import sync_engine

SECRET = "canary-5f1e"
TARGET = "orders"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server that misbehaves."""
    with misbehaving() as found:
        yield found


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time-outs short enough for a test."""
    monkeypatch.setattr(http, "TIMEOUT", httpx.Timeout(connect=2.0, read=0.4, write=2.0, pool=2.0))
    monkeypatch.setattr(http, "LONGEST_SECONDS", 0.8)


@pytest.fixture
def client(address: str, impatient: None) -> Iterator[JsonClient]:
    """A client that carries a credential and does not wait between two tries."""
    headers = {"Authorization": f"Bearer {SECRET}"}
    found = JsonClient(address, headers=headers, sleep=lambda _: None, max_answer_bytes=1_000_000)
    yield found
    found.close()


def change(client: JsonClient, path: str) -> CallOutcome:
    """Send a call that changes something."""
    call = NativeCall("c-1", "t-1", "POST", path, {"paused": True}, "pauses it")
    return send_call(client, call, clock=SystemClock())


@pytest.mark.parametrize(
    ("path", "said", "result", "can_retry"),
    [
        ("/hangs", "did not answer /hangs in time", CallResult.UNKNOWN, True),
        ("/stalls", "did not answer /stalls in time", CallResult.UNKNOWN, True),
        ("/drips", "did not answer /drips in time", CallResult.UNKNOWN, True),
        ("/cut", "broke off while answering /cut", CallResult.UNKNOWN, True),
        ("/nonsense", "broke off while answering /nonsense", CallResult.UNKNOWN, True),
        ("/wrong-zip", "broke off while answering /wrong-zip", CallResult.UNKNOWN, True),
        ("/endless", "answers /endless with more than 1000000 bytes", CallResult.UNKNOWN, True),
        ("/bomb", "answers /bomb with more than 1000000 bytes", CallResult.UNKNOWN, True),
        ("/html", "text/html instead of JSON; is that a login page", CallResult.UNKNOWN, True),
        ("/invalid", "with broken or cut JSON", CallResult.UNKNOWN, True),
        ("/busy", "answers /busy with status 429", CallResult.UNKNOWN, True),
        ("/broken", "answers /broken with status 502", CallResult.UNKNOWN, True),
        (
            "/login",
            r"sends /login elsewhere \(302\); is that a login page",
            CallResult.REFUSED,
            False,
        ),
        ("/refused", r"refuses to answer /refused \(401\)", CallResult.REFUSED, False),
        ("/forbidden", r"refuses to answer /forbidden \(403\)", CallResult.REFUSED, False),
        ("/gone", "answers /gone with status 404", CallResult.REFUSED, False),
    ],
)
def test_what_fails_on_the_wire_is_said_and_never_taken_for_done(
    client: JsonClient, path: str, said: str, result: CallResult, can_retry: bool
) -> None:
    """Over a real socket: a question becomes one sentence with the place, a change is refused or unknown."""
    with pytest.raises(EngineError, match=said) as caught:
        client.get(path)
    assert caught.value.message.startswith("127.0.0.1:")
    outcome = change(client, path)
    assert (outcome.result, outcome.can_retry) == (result, can_retry)
    assert outcome.answer


def test_an_empty_yes_is_a_yes_to_a_change_and_no_answer_to_a_question(client: JsonClient) -> None:
    """Engines answer a change with an empty body; a question that is answered so is not."""
    assert change(client, "/empty").result is CallResult.DONE
    with pytest.raises(EngineError, match="broken or cut JSON"):
        client.get("/empty")


def test_what_was_never_sent_is_not_unknown(impatient: None) -> None:
    """A closed port, a name that does not resolve and a TLS handshake with a plain server: nothing took effect."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with misbehaving() as plain:
            for url in (closed, "http://no-such-host.invalid", plain.replace("http:", "https:")):
                client = JsonClient(url)
                with pytest.raises(EngineError, match="cannot be reached"):
                    client.get("/x")
                outcome = change(client, "/x")
                assert (outcome.result, outcome.can_retry) == (CallResult.REFUSED, True)
                client.close()


def test_a_credential_that_is_sent_back_is_not_shown(client: JsonClient) -> None:
    """A proxy that repeats the question puts our token into its error page; what is kept of that has none."""
    outcome = change(client, "/echo")
    assert "POST /echo" in outcome.answer
    assert "(hidden)" in outcome.answer.lower()
    assert SECRET not in outcome.answer
    client.renew({"Authorization": "Bearer another-canary"})
    assert "another-canary" not in change(client, "/echo").answer


@dataclass
class Bench:
    """One adapter over a fake engine, with a wire between them that a test can spoil."""

    engine: Engine
    wire: Wire
    server: Any
    is_paused: Callable[[], bool]
    start_by_hand: Callable[[], str]
    flip: Callable[[bool], None]
    stale: Callable[[], Callable[[httpx.Request], httpx.Response]]
    list_path: str

    def plan(self) -> Plan:
        return self.engine.plan_pause([EngineScope(ScopeKind.WORKFLOW, TARGET)], Mode.DRAIN)

    def send(self, plan: Plan) -> set[CallResult]:
        return {self.engine.apply(call, NOTE).result for call in plan.calls}

    def receipt(self, plan: Plan) -> Receipt:
        (before,), (after,) = plan.before, self.engine.verify(plan).readings
        return Receipt(
            plan.engine, before.target_id, before.name, before.settings, after.settings, after.observed_at, "H-1"
        )  # fmt: skip


def a_temporal() -> Bench:
    """Temporal, with one schedule."""
    server = FakeTemporal()
    schedule = server.add_schedule("s-orders", TARGET)
    wire = Wire(server.answer, lambda request: request.method != "GET")
    transport = httpx.MockTransport(wire.answer)
    client = JsonClient(
        "http://engine.example",
        transport=transport,
        sleep=lambda _: None,
        headers={"Accept": ACCEPT},
    )
    engine = Temporal(Namespace(client), RegistryBinding([], "temporal"), clock=FixedClock(AT))

    def stale() -> Callable[[httpx.Request], httpx.Response]:
        other = FakeTemporal()
        other.add_schedule("s-orders", TARGET)
        return other.answer

    return Bench(
        engine,
        wire,
        server,
        is_paused=lambda: schedule.paused,
        start_by_hand=lambda: server.begin(TARGET).run_id,
        flip=lambda paused: server.patch(
            "s-orders", {"pause" if paused else "unpause": "x"}, who="bob"
        ),
        stale=stale,
        list_path="/workflows",
    )


ADAPTERS: dict[str, Callable[[], Bench]] = {"temporal": a_temporal}
"""Adapter -> its bench; a new one is a line here."""


@pytest.fixture(params=sorted(ADAPTERS))
def bench(request: pytest.FixtureRequest) -> Bench:
    """Each adapter in turn."""
    return ADAPTERS[request.param]()


def test_a_lost_reply_is_unknown_and_read_back(bench: Bench) -> None:
    """The pause took effect and its answer was lost: unknown, then read back as paused; sent again, one change."""
    plan = bench.plan()
    bench.wire.lost = 1
    assert bench.send(plan) == {CallResult.UNKNOWN}
    assert not bench.engine.verify(plan).unmet
    settings = bench.engine.verify(plan).readings[0].settings
    assert bench.send(plan) == {CallResult.DONE}
    assert bench.engine.verify(plan).readings[0].settings == settings


def test_an_effect_that_comes_late_is_not_confirmed_before(bench: Bench) -> None:
    """200 now and the effect in a minute: unmet until it can be read, and the plan still wants its call."""
    plan = bench.plan()
    bench.wire.is_slow = True
    assert bench.send(plan) == {CallResult.DONE}
    assert bench.engine.verify(plan).unmet
    assert bench.plan().calls
    bench.wire.deliver()
    assert not bench.engine.verify(plan).unmet


def test_a_yes_without_effect_is_never_confirmed(bench: Bench) -> None:
    """An engine that says 200 and does nothing stays unmet, with a sentence that names engine and target."""
    plan = bench.plan()
    bench.wire.ignored = len(plan.calls)
    assert bench.send(plan) == {CallResult.DONE}
    (why,) = bench.engine.verify(plan).unmet.values()
    assert TARGET in why
    assert bench.engine.probe().engine in why.lower()


def test_a_replica_that_lags_confirms_nothing(bench: Bench) -> None:
    """The change went to one replica and the reading asks another: unmet until that one knows."""
    plan = bench.plan()
    assert bench.send(plan) == {CallResult.DONE}
    bench.wire.replica = bench.stale()
    assert bench.engine.verify(plan).unmet
    bench.wire.replica = None
    assert not bench.engine.verify(plan).unmet


def test_an_engine_that_forgets_is_found_out_by_reading_again(bench: Bench) -> None:
    """After a restart or a redeploy the pause is gone: the same plan is unmet, and a new one sends it again."""
    plan = bench.plan()
    bench.send(plan)
    assert not bench.engine.verify(plan).unmet
    bench.flip(False)
    assert bench.engine.verify(plan).unmet
    bench.send(bench.plan())
    assert bench.is_paused()


def test_a_pause_of_others_is_neither_taken_over_nor_taken_away(bench: Bench) -> None:
    """Paused in the engine's own pages before us: no call; paused there anew since: left alone and said."""
    bench.flip(True)
    assert bench.plan().calls == ()
    bench.flip(False)
    plan = bench.plan()
    bench.send(plan)
    receipt = bench.receipt(plan)
    bench.flip(False)
    bench.flip(True)
    found = bench.engine.plan_resume([receipt], CatchUp.ALL)
    assert found.calls == ()
    assert set(found.cannot) == {receipt.target_id}
    assert bench.is_paused()


def test_what_is_started_by_hand_under_a_pause_is_seen(bench: Bench) -> None:
    """Whether the engine lets it start or not, a run that begins after the pause is in the readings."""
    plan = bench.plan()
    bench.send(plan)
    run_id = bench.start_by_hand()
    seen = [
        one
        for reading in bench.engine.state(plan.scopes)
        for one in (*reading.running_ids, *reading.frozen_ids, *reading.waiting_ids)
    ]
    assert run_id in seen


def test_expired_credentials_at_the_worst_moment_are_named(bench: Bench) -> None:
    """Nothing is planned, sent or confirmed on no answer, and the error says what to check."""
    plan = bench.plan()
    bench.wire.is_expired = True
    for ask in (bench.plan, bench.engine.probe, lambda: bench.engine.verify(plan)):
        with pytest.raises(EngineError, match="refuses to answer") as caught:
            ask()
        assert "credentials" in caught.value.then
    outcome = bench.engine.apply(plan.calls[0], NOTE)
    assert (outcome.result, outcome.can_retry) == (CallResult.REFUSED, False)
    assert not bench.is_paused()


def test_a_long_pause_is_forecast_before_it_is_ended(bench: Bench) -> None:
    """However much fell into it, the plan of a resume says how much of it starts, and changes nothing."""
    plan = bench.plan()
    bench.send(plan)
    receipt = bench.receipt(plan)
    bench.engine._clock = FixedClock(AT + timedelta(hours=20))  # type: ignore[attr-defined]
    found = bench.engine.plan_resume([receipt], CatchUp.ALL)
    assert found.forecast
    assert all(firing.sentence for firing in found.forecast)
    assert bench.is_paused()


@pytest.mark.parametrize("fault", ["status", "html", "cut", "null", "text", "rows"])
def test_a_page_that_fails_midway_loads_nothing(bench: Bench, tmp_path: Path, fault: str) -> None:
    """The second page of a list is refused, HTML, cut or of another shape: nothing of the reading is kept."""
    bench.server.page_size = 2
    for _ in range(5):
        bench.start_by_hand()
    right, bad = bench.server.answer, _bad_page(fault)

    def answer(request: httpx.Request) -> httpx.Response:
        is_second = request.url.path.endswith(bench.list_path) and request.url.params.get(
            "nextPageToken"
        )
        return bad if is_second else right(request)

    bench.wire.server = answer
    warehouse = Warehouse.open(tmp_path, FixedClock(AT))
    with pytest.raises(EngineError):
        sync_engine(warehouse, bench.engine, source_id="e", now=AT)
    assert warehouse.version == 0
    bench.wire.server = right
    sync_engine(warehouse, bench.engine, source_id="e", now=AT)
    with warehouse.snapshot() as snapshot:
        assert len(snapshot.query("sync.open_runs", source_id="e")) == 5


def _bad_page(fault: str) -> httpx.Response:
    if fault == "status":
        return httpx.Response(401, headers=JSON, json={})
    if fault == "html":
        return httpx.Response(200, headers={"content-type": "text/html"}, text="<h1>Log in</h1>")
    content = {
        "cut": b'{"executions": [',
        "null": b"null",
        "text": b'"soon"',
        "rows": b'{"executions": [7]}',
    }
    return httpx.Response(200, headers=JSON, content=content[fault])


def test_pages_without_an_end_are_found_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty pages, each with a new token, do not hold the reading for ever."""
    monkeypatch.setattr("workbench.engines.temporal_asking.MAX_PAGES", 50)
    count = iter(range(10**6))
    right = bench.server.answer

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(bench.list_path):
            return httpx.Response(200, headers=JSON, json={"nextPageToken": str(next(count))})
        return right(request)

    bench.wire.server = answer
    with pytest.raises(EngineError, match="repeats a page"):
        bench.engine.runs(None, datetime(2026, 11, 27, 12, tzinfo=UTC))
    assert next(count) < 100


def test_an_adapter_that_believes_the_answer_is_found_out(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded: reading back from what the calls answered, not from the engine, fails the promise above."""
    from workbench.engines.switching import Verification

    monkeypatch.setattr(bench.engine, "verify", lambda plan: Verification(plan.before))
    with pytest.raises((AssertionError, ValueError)):
        test_a_yes_without_effect_is_never_confirmed(bench)

"""HTTP to engines: whatever comes back, the answer is JSON rows or one clear error."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import httpx
import pytest

from workbench.engines.http import BadStatus, JsonClient
from workbench.errors import EngineError

Respond = Callable[[httpx.Request], httpx.Response]
HTML = {"content-type": "text/html; charset=utf-8"}
JSON = {"content-type": "application/json"}


def client(respond: Respond, **options: int) -> JsonClient:
    """Return a client whose requests end in a function."""
    return JsonClient(
        "http://user:canary@engine.example:4200/api",
        transport=httpx.MockTransport(respond),
        sleep=lambda _: None,
        **options,  # type: ignore[arg-type]
    )


def raises(error: Exception) -> Respond:
    """Return a responder that fails on the wire."""

    def respond(_: httpx.Request) -> httpx.Response:
        raise error

    return respond


@pytest.mark.parametrize(
    ("respond", "said"),
    [
        (
            lambda _: httpx.Response(200, headers=HTML, text="<h1>Log in</h1>"),
            "text/html instead of JSON; is that a login",
        ),
        (
            lambda _: httpx.Response(302, headers={"location": "/login"}),
            r"sends /x elsewhere \(302\); is that a login",
        ),
        (lambda _: httpx.Response(401, json={}), r"refuses to answer /x \(401\)"),
        (lambda _: httpx.Response(403, json={}), r"refuses to answer /x \(403\)"),
        (lambda _: httpx.Response(404, json={}), "answers /x with status 404"),
        (
            lambda _: httpx.Response(500, headers=HTML, text="<pre>canary</pre>"),
            "answers /x with status 500",
        ),
        (lambda _: httpx.Response(503, json={}), "answers /x with status 503"),
        (lambda _: httpx.Response(200, headers=JSON, content=b'[{"id": 1'), "broken or cut JSON"),
        (lambda _: httpx.Response(200, headers=JSON, content=b""), "broken or cut JSON"),
        (lambda _: httpx.Response(200, headers=JSON, content=b"[" * 100_000), "broken or cut JSON"),
        (
            lambda _: httpx.Response(200, content=b"[]"),
            "nothing that says its type instead of JSON",
        ),
        (
            raises(httpx.ConnectError("[Errno 111] Connection refused")),
            "cannot be reached: Connection refused",
        ),
        (raises(httpx.ConnectError("Name or service not known")), "cannot be reached: Name"),
        (raises(httpx.ReadTimeout("slow")), "did not answer /x in time"),
        (raises(httpx.RemoteProtocolError("peer closed")), "broke off while answering /x"),
    ],
)
def test_what_is_no_answer_is_one_clear_error(respond: Respond, said: str) -> None:
    """Each failure names place and path, keeps credentials and bodies out, and exits 16."""
    with pytest.raises(EngineError, match=said) as caught:
        client(respond).get("/x")
    assert caught.value.exit_code == 16
    assert caught.value.message.startswith("engine.example:4200 ")
    assert "canary" not in caught.value.message


def test_a_busy_engine_is_asked_again() -> None:
    """Two refusals for load do not end a reading."""
    answers = iter(
        [httpx.Response(503, json={}), httpx.Response(429, json={}), httpx.Response(200, json=[1])]
    )
    assert client(lambda _: next(answers)).post("/x", {}) == [1]


def test_an_answer_without_end_is_cut_off() -> None:
    """What unpacks to more than the limit is an error, however small it was on the wire."""
    packed = gzip.compress(b" " * 5_000_000)
    headers = {**JSON, "content-encoding": "gzip"}
    with pytest.raises(EngineError, match="with more than 1000000 bytes"):
        client(
            lambda _: httpx.Response(200, headers=headers, content=packed),
            max_answer_bytes=1_000_000,
        ).get("/x")


@pytest.mark.parametrize(
    "url",
    [
        "engine.example",
        "file:///etc/passwd",
        "http://",
        "ftp://engine.example",
        "http://u:hunter2@[::1",
        "http://u:hunter2@engine.example:99999",
        "http://u:hunter2@engine\x00.example",
    ],
)
def test_an_address_must_be_http(url: str) -> None:
    """Only web addresses with a host are asked; one that is none is not shown, for it may hold a password."""
    with pytest.raises(EngineError, match="must begin with http") as caught:
        JsonClient(url)
    assert "hunter2" not in caught.value.message


def test_a_status_is_kept_apart_from_the_sentence() -> None:
    """Who asks can tell 404 from 403, and read what was said, which never goes into the sentence."""
    with pytest.raises(BadStatus) as caught:
        client(lambda _: httpx.Response(404, json={"detail": "no such dag"})).get("/x")
    assert (caught.value.status, "no such dag" in caught.value.text) == (404, True)
    assert "no such dag" not in caught.value.message


def test_a_parameter_can_be_given_several_times() -> None:
    """A list in the query is as many parameters."""

    def echo(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=request.url.params.multi_items())

    assert client(echo).get("/x", state=["a", "b"], limit="1") == [
        ["state", "a"], ["state", "b"], ["limit", "1"],
    ]  # fmt: skip

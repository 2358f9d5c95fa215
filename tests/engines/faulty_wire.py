"""A server on loopback that misbehaves on the wire as its paths say, and a wrapper that does so to any fake engine."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx

JSON = b"content-type: application/json\r\n"
HTML = b"content-type: text/html\r\n"
PAGE = b"<html><h1>Log in</h1></html>"
Answer = Callable[[httpx.Request], httpx.Response]


def _whole(status: str, headers: bytes, body: bytes) -> bytes:
    length = str(len(body)).encode()
    head = b"HTTP/1.1 " + status.encode() + b"\r\n" + headers
    return head + b"content-length: " + length + b"\r\nconnection: close\r\n\r\n" + body


BOMB = gzip.compress(b"[" + b" " * 30_000_000)
WHOLE = {
    "/html": _whole("200 OK", HTML, PAGE),
    "/login": _whole("302 Found", b"location: /sign-in\r\n" + HTML, PAGE),
    "/refused": _whole("401 Unauthorized", JSON, b'{"message": "no"}'),
    "/forbidden": _whole("403 Forbidden", JSON, b'{"message": "no"}'),
    "/gone": _whole("404 Not Found", JSON, b'{"message": "no"}'),
    "/busy": _whole("429 Too Many Requests", b"retry-after: 1\r\n" + JSON, b"{}"),
    "/broken": _whole("502 Bad Gateway", HTML, b"<h1>Bad gateway</h1>"),
    "/invalid": _whole("200 OK", JSON, b'{"a": '),
    "/empty": _whole("200 OK", JSON, b""),
    "/bomb": _whole("200 OK", JSON + b"content-encoding: gzip\r\n", BOMB),
    "/wrong-zip": _whole("200 OK", JSON + b"content-encoding: gzip\r\n", b"no gzip at all"),
    "/cut": b"HTTP/1.1 200 OK\r\n" + JSON + b"content-length: 100\r\n\r\n[1, 2",
    "/nonsense": b"SSH-2.0-OpenSSH_9.2\r\n",
}
"""What the server sends before it closes, by path."""


def _echo(asked: bytes) -> bytes:
    """Return an answer that repeats the whole question, credentials included, as debugging proxies do."""
    return _whole("500 Internal Server Error", b"content-type: text/plain\r\n", asked)


@contextlib.contextmanager
def misbehaving() -> Iterator[str]:
    """Serve on loopback; gives the address. A path says what is done to its question."""
    over, listener = threading.Event(), socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def answer(wire: socket.socket) -> None:
        with wire, contextlib.suppress(OSError):
            asked = wire.recv(65_536)
            path = [*asked.split(b" "), b""][1].decode("latin-1")
            if not path.startswith("/"):
                wire.sendall(_whole("400 Bad Request", HTML, b""))  # no HTTP: a TLS handshake
            elif path in WHOLE:
                wire.sendall(WHOLE[path])
            elif path == "/echo":
                wire.sendall(_echo(asked))
            else:
                _go_on_and_on(wire, path, over)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while not over.is_set():
                wire, _ = listener.accept()
                thread = threading.Thread(target=answer, args=(wire,), daemon=True)
                threads.append(thread)
                thread.start()

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (server, *threads):
            thread.join(5)


def _go_on_and_on(wire: socket.socket, path: str, over: threading.Event) -> None:
    """Answer nothing (`/hangs`), nothing after the head (`/stalls`), a byte at a time or without an end."""
    head = b"HTTP/1.1 200 OK\r\n" + JSON
    if path in ("/stalls", "/drips"):
        wire.sendall(head + b"content-length: 1000000\r\n\r\n")
    if path == "/endless":
        wire.sendall(head + b"transfer-encoding: chunked\r\n\r\n")
    while not over.is_set():
        if path == "/drips":
            wire.sendall(b" ")
            over.wait(0.02)
        elif path == "/endless":
            wire.sendall(b"8000\r\n" + b" " * 0x8000 + b"\r\n")
        else:
            over.wait(0.05)


@dataclass
class Wire:
    """Stands between an adapter and a fake engine's `answer`, and does to its calls what a test asks.

    Attributes:
        lost: the effect of so many changing calls takes place, and their answers are lost.
        ignored: so many changing calls are answered with 200 and nothing else.
        held: changing calls wait here until `deliver`, and are answered with 200.
        expired: every question is answered with 401.
    """

    server: Answer
    is_change: Callable[[httpx.Request], bool]
    lost: int = 0
    ignored: int = 0
    is_slow: bool = False
    is_expired: bool = False
    held: list[httpx.Request] = field(default_factory=list)
    replica: Answer | None = None

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.is_expired:
            return httpx.Response(401, json={"message": "expired"})
        if not self.is_change(request):
            return (self.replica or self.server)(request)
        if self.ignored:
            self.ignored -= 1
            return _yes(request)
        if self.is_slow:
            self.held.append(request)
            return _yes(request)
        answer = self.server(request)
        if self.lost:
            self.lost -= 1
            raise httpx.ReadError("connection reset by peer")
        return answer

    def deliver(self) -> None:
        """Let what waits take effect."""
        for request in self.held:
            self.server(request)
        self.held.clear()


def _yes(request: httpx.Request) -> httpx.Response:
    kind = request.headers["accept"].split(",")[0]
    return httpx.Response(200, headers={"content-type": kind}, json={})

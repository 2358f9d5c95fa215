"""Careful HTTP to engines: bounded in time and size, and what is no JSON answer is an EngineError, not a row."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from workbench.errors import EngineError


@dataclass(frozen=True)
class Answer:
    """What an engine said to a call that changes it.

    Attributes:
        body: the decoded JSON; None where the answer is empty or is no JSON.
        text: what it said, at most 500 characters, for people.
    """

    status: int
    body: Any
    text: str


class BadStatus(EngineError):
    """The engine answered a question with a status that is no success.

    Attributes:
        status: the HTTP status.
        text: what it said, at most 500 characters; it may hold what must not be shown.
    """

    def __init__(self, message: str, *, status: int, text: str, next_step: str | None = None):
        """Keep the status apart from the sentence for people."""
        super().__init__(message, next_step=next_step)
        self.status, self.text = status, text


class Unanswered(EngineError):
    """A call that changes an engine got no whole answer: whether it took effect has to be read back."""


class NotThere(BadStatus):
    """The engine answers, and does not have what was asked for (404)."""


MAX_ANSWER_BYTES = 64 * 1_048_576
"""Unpacked bytes read of one answer; a page of 200 runs is about 0.5 MB."""

TIMEOUT = httpx.Timeout(connect=5.0, read=30.0, write=10.0, pool=5.0)

LONGEST_SECONDS = 120.0
"""How long one whole answer may take: a byte now and then keeps every other time-out from coming."""

HIDDEN = "(hidden)"
"""Stands for a credential that an engine sends back to us in what it says."""

Query = Mapping[str, str | Sequence[str]]

_BUSY = frozenset({429, 502, 503, 504})
_WAITS_SECONDS = (0.5, 2.0)


class JsonClient:
    """Asks one engine; every failure names the place without credentials.

    Attributes:
        place: host and port, for messages.
    """

    def __init__(
        self,
        url: str,
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Use the engine at this address, with credentials in `headers`; nothing is asked yet."""
        self.place, password = _parts_of(url)
        self._sleep, self._max_answer_bytes = sleep, max_answer_bytes
        self._secrets = {secret for secret in (password, *_secrets_of(headers)) if secret}
        self._client = httpx.Client(
            base_url=url.rstrip("/"),
            timeout=TIMEOUT,
            transport=transport,
            follow_redirects=False,
            trust_env=False,
            headers=dict(headers or {}),
        )

    def get(self, path: str, **query: str | Sequence[str]) -> Any:
        """Return the decoded answer of a GET; a sequence in the query is a parameter given several times."""
        return self._ask("GET", path, query=query, body=None)

    def post(self, path: str, body: Any) -> Any:
        """Return the decoded answer of a POST that reads."""
        return self._ask("POST", path, query={}, body=body)

    def send(self, method: str, path: str, *, body: Any = None) -> Answer:
        """Send a call that changes the engine, once, whatever the answer: a repeat is for who reads back.

        Raises Unanswered where nobody can tell whether it took effect, EngineError where it was not sent.
        """
        try:
            status, content_type, content = self._read(method, path, query={}, body=body)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as exc:
            raise EngineError(f"{self.place} cannot be reached: {_why(exc)}") from exc
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            why = type(exc).__name__
            raise Unanswered(f"{self.place} did not answer {method} {path} ({why})") from exc
        except EngineError as exc:  # it answered more than is read: the change itself may be done
            raise Unanswered(exc.message) from exc
        text = self._shown(content)
        if not content:
            return Answer(status, None, text)
        if status < 300 and "json" not in content_type.lower():
            raise Unanswered(
                f"{self.place} answers {method} {path} with {content_type or 'no type'} "
                "instead of JSON; is that a login page?"
            )
        try:
            return Answer(status, json.loads(content), text)
        except (ValueError, RecursionError) as exc:
            if status < 300:
                raise Unanswered(
                    f"{self.place} answers {method} {path} with broken or cut JSON"
                ) from exc
            return Answer(status, None, text)

    def renew(self, headers: Mapping[str, str]) -> None:
        """Use other headers from now on, such as those with a fresh token."""
        self._client.headers.update(headers)
        self._secrets |= _secrets_of(headers)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, method: str, path: str, *, query: Query, body: Any) -> Any:
        """Ask once, and again while the engine says that it is busy; reading twice harms nothing."""
        for wait in (*_WAITS_SECONDS, None):
            try:
                status, content_type, content = self._read(method, path, query=query, body=body)
            except httpx.TimeoutException as exc:
                if wait is None:
                    raise EngineError(f"{self.place} did not answer {path} in time") from exc
            except httpx.ConnectError as exc:
                raise EngineError(f"{self.place} cannot be reached: {_why(exc)}") from exc
            except (httpx.HTTPError, httpx.InvalidURL) as exc:
                raise EngineError(f"{self.place} broke off while answering {path}: {exc}") from exc
            else:
                if wait is None or status not in _BUSY:
                    self._refuse_status(status, path, content)
                    return self._decoded(content, content_type, path=path)
            self._sleep(wait)
        raise AssertionError("unreachable")

    def _read(self, method: str, path: str, *, query: Query, body: Any) -> tuple[int, str, bytes]:
        sent = {} if body is None else {"json": body}
        with self._client.stream(method, path, params=query or None, **sent) as answer:
            content, end = bytearray(), time.monotonic() + LONGEST_SECONDS
            for piece in answer.iter_bytes():
                content += piece
                if time.monotonic() > end:
                    raise httpx.ReadTimeout("the answer comes too slowly")
                if len(content) > self._max_answer_bytes:
                    raise EngineError(
                        f"{self.place} answers {path} with more than {self._max_answer_bytes} bytes"
                    )
            return answer.status_code, answer.headers.get("content-type", ""), bytes(content)

    def _refuse_status(self, status: int, path: str, content: bytes) -> None:
        if status < 300:
            return
        said, then = f"answers {path} with status {status}", None
        if status in (401, 403):
            said = f"refuses to answer {path} ({status})"
            then = "check the credentials for this engine and what they may read"
        elif status < 400:
            said = f"sends {path} elsewhere ({status}); is that a login page?"
        text = self._shown(content)
        kind = NotThere if status == 404 else BadStatus
        raise kind(f"{self.place} {said}", status=status, text=text, next_step=then)

    def _shown(self, content: bytes) -> str:
        """Return the beginning of what an engine said, for people, without any credential of ours in it."""
        text = content[:4000].decode("utf-8", "replace")
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text[:500]

    def _decoded(self, content: bytes, content_type: str, *, path: str) -> Any:
        if "json" not in content_type.lower():
            kind = content_type.split(";")[0] or "nothing that says its type"
            raise EngineError(
                f"{self.place} answers {path} with {kind} instead of JSON; is that a login page?"
            )
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as exc:
            raise EngineError(f"{self.place} answers {path} with broken or cut JSON") from exc


def _parts_of(url: str) -> tuple[str, str | None]:
    """Return host and port of an address, and its password; raises EngineError, which shows nothing of it."""
    form = "the engine's address must begin with http:// or https:// and name a host"
    try:
        parts = urlsplit(url)
        port = parts.port
        httpx.URL(url)  # stricter, about control characters for one
    except (ValueError, httpx.InvalidURL) as exc:
        raise EngineError(f"{form}, perhaps with a port from 0 to 65535") from exc
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise EngineError(form)
    return parts.hostname if port is None else f"{parts.hostname}:{port}", parts.password


def _why(exc: Exception) -> str:
    """Return what the system said of a connection, without the number that it begins with."""
    return re.sub(r"^\[Errno -?\d+\] ", "", str(exc))


def _secrets_of(headers: Mapping[str, str] | None) -> set[str]:
    """Return what of some headers must not be shown: credentials, whole and without their scheme."""
    found: set[str] = set()
    for name, value in (headers or {}).items():
        if name.lower() in ("authorization", "cookie", "x-api-key"):
            found |= {value, value.partition(" ")[2] or value}
    return found

"""Speaks to Airflow's public REST interface: logs in, renews its token, turns pages to their true end."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from workbench.engines.http import Answer, BadStatus, JsonClient, Query
from workbench.engines.interface import EngineAddress
from workbench.errors import EngineError

API = "/api/v2"
PAGE = 100
"""Airflow's largest page by default. A server may give less than was asked for and say nothing, so a short page
is never taken for the last one."""

MAX_PAGES = 10_000
"""A million rows; more means that the paging goes round in circles."""

LOGIN = "/auth/token"
NOTHING: Query = {}


class AirflowClient(JsonClient):
    """Asks one Airflow as one user.

    Attributes:
        user: name under which Airflow's audit log keeps what we do; empty where the token does not tell.
    """

    def __init__(self, address: EngineAddress, **options: Any) -> None:
        """Take the address with or without `/api/v2`; nothing is asked yet."""
        super().__init__(address.url.rstrip("/").removesuffix(API), **options)
        self._user, self._password = address.user, address.password
        self.user = address.user or _name_in(address.token)
        self._has_token = bool(address.token)
        if address.token:
            self.renew({"Authorization": f"Bearer {address.token}"})

    def get(self, path: str, **query: str | Sequence[str]) -> Any:
        """Return the decoded answer of a GET, with a fresh token where the present one is over."""
        return self._as_user(lambda: JsonClient.get(self, path, **query))

    def post(self, path: str, body: Any) -> Any:
        """Return the decoded answer of a POST that reads, with a fresh token where the present one is over."""
        return self._as_user(lambda: JsonClient.post(self, path, body))

    def send(self, method: str, path: str, *, body: Any = None) -> Answer:
        """Send a call once; again only where the token was refused, for then nothing was done."""
        self._log_in_at_first()
        answer = super().send(method, path, body=body)
        if _is_token_over(answer.status, answer.text) and self._log_in():
            answer = super().send(method, path, body=body)
        return answer

    def pages(self, path: str, *, key: str, query: Query = NOTHING) -> Iterator[dict[str, Any]]:
        """Give every row of a list that has cursors, in the order of its ids."""
        cursor, used = "", {""}
        for _ in range(MAX_PAGES):
            answer = self.get(path, limit=str(PAGE), order_by="id", cursor=cursor, **query)
            yield from self._rows(answer, key)
            following = answer.get("next_cursor")
            if following is None:
                return
            cursor = str(following)
            if cursor in used:
                break
            used.add(cursor)
        raise EngineError(f"{self.place} repeats a page of {path}; nothing was loaded")

    def listed(
        self, path: str, *, key: str, query: Query = NOTHING, at_most: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the rows of a list that has offsets alone, all or the first `at_most`."""
        found: list[dict[str, Any]] = []
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            answer = self.get(path, limit=str(PAGE), offset=str(len(found)), **query)
            rows = self._rows(answer, key)
            found += rows
            is_enough = at_most is not None and len(found) >= at_most
            if not rows or is_enough or len(found) >= int(answer.get("total_entries") or 0):
                return found[:at_most]
            first = _identity_of(rows[0])
            if first in seen:
                break
            seen.add(first)
        raise EngineError(f"{self.place} repeats a page of {path}; nothing was loaded")

    def _rows(self, answer: Any, key: str) -> list[dict[str, Any]]:
        rows = answer.get(key) if isinstance(answer, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise EngineError(f"{self.place} does not answer like Airflow 3")
        return rows

    def _as_user(self, ask: Callable[[], Any]) -> Any:
        self._log_in_at_first()
        try:
            return ask()
        except BadStatus as exc:
            if not _is_token_over(exc.status, exc.text) or not self._log_in():
                raise
        return ask()

    def _log_in_at_first(self) -> None:
        if not self._has_token:
            self._log_in()

    def _log_in(self) -> bool:
        """Get a token for user and password; False where there are none to get one with."""
        if not self._user:
            return False
        body = {"username": self._user, "password": self._password}
        answer = super().send("POST", LOGIN, body=body)
        token = answer.body.get("access_token") if isinstance(answer.body, dict) else None
        if answer.status >= 300 or not isinstance(token, str):
            raise EngineError(
                f"{self.place} does not let {self._user} in ({answer.status})",
                next_step="check user and password of this engine, and that Airflow gives tokens at /auth/token",
            )
        self.renew({"Authorization": f"Bearer {token}"})
        self._has_token = True
        return True


def _identity_of(row: Mapping[str, Any]) -> str:
    """Return what tells a row of any list from the others; its other fields may change while pages are turned."""
    inner = row.get("task_instance")
    own = inner if isinstance(inner, dict) else row
    return str([own.get(name) for name in ("event_log_id", "id", "dag_run_id", "dag_id", "name")])


def _is_token_over(status: int, text: str) -> bool:
    """Tell a token that is over from something that the user may not do.

    Airflow 3.3 answers 401 where there is none, and 403 with `Invalid JWT token` where it is broken or too old.
    """
    return status == 401 or (status == 403 and "token" in text.lower())


def _name_in(token: str) -> str:
    """Return the user whom a token was given to, unchecked: it only tells our own entries in the audit log."""
    try:
        body = token.split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["sub"])
    except (IndexError, KeyError, TypeError, ValueError):
        return ""

"""Asks one namespace of a Temporal server over its JSON interface: paths, pages, features and single runs.

The interface names its type only when asked for a variant of JSON (a plain `application/json` is answered with
the type `*`), and it cannot be asked about a workflow id with a slash in it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from workbench.engines.http import BadStatus, JsonClient
from workbench.engines.interface import EngineAddress
from workbench.engines.temporal_words import parts_of
from workbench.errors import EngineError

ACCEPT = "application/json+no-payload-shorthand"
PAGE = 200
MAX_PAGES = 5_000
"""A million rows; more means that the paging goes round in circles."""

DEFAULT_NAMESPACE = "default"
NOT_THERE = 404


def headers_of(address: EngineAddress) -> dict[str, str]:
    """Return what opens a server: a bearer token, or a user with a password, or nothing."""
    found = {"Accept": ACCEPT}
    if address.token:
        found["Authorization"] = f"Bearer {address.token}"
    elif address.user:
        pair = f"{address.user}:{address.password}".encode()
        found["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    return found


class Namespace:
    """One namespace of one server.

    Attributes:
        name: the namespace.
        place: host and port, for messages.
    """

    def __init__(self, client: JsonClient, name: str = DEFAULT_NAMESPACE) -> None:
        """Ask through this client; nothing is asked yet."""
        self.client, self.name, self.place = client, name, client.place

    def path(self, *parts: str) -> str:
        """Return a path in the namespace; each part may hold anything."""
        written = [quote(part, safe="") for part in (self.name, *parts)]
        return "/api/v1/namespaces/" + "/".join(written)

    def get(self, *parts: str, **query: str) -> dict[str, Any]:
        """Return one answer; raises BadStatus of 404 where the server does not have it."""
        return self._mapping(self.client.get(self.path(*parts), **query))

    def version(self) -> str:
        """Return the server's version."""
        version = self._mapping(self.client.get("/api/v1/system-info")).get("serverVersion")
        if not isinstance(version, str):
            raise EngineError(f"{self.place} does not answer like a Temporal server")
        return version

    def can_pause_runs(self) -> bool:
        """Ask whether the pausing of runs, an experiment of Temporal, is on in this namespace."""
        info = self.get().get("namespaceInfo") or {}
        return bool((info.get("capabilities") or {}).get("workflowPause"))

    def executions(self, query: str, limit: int = PAGE * MAX_PAGES) -> Iterator[dict[str, Any]]:
        """Give each run that the list finds once; the list lags behind by moments."""
        seen: set[str] = set()
        for row in self.pages("executions", "workflows", query=query, pageSize=str(PAGE)):
            run_id = str((row.get("execution") or {}).get("runId"))
            if run_id not in seen:
                seen.add(run_id)
                yield row
                if len(seen) >= limit:
                    return

    def schedules(self) -> list[dict[str, Any]]:
        """Return every schedule as the list has it, by id; the list lags behind by moments."""
        found = self.pages("schedules", "schedules", maximumPageSize=str(PAGE))
        return sorted(found, key=lambda one: str(one.get("scheduleId")))

    def schedule(self, schedule_id: str) -> dict[str, Any] | None:
        """Return one schedule as it is now, or None where it is gone."""
        return self._known("schedules", schedule_id)

    def run(self, run_id: str) -> dict[str, Any] | None:
        """Return one run as it is now, or None where it is gone or cannot be asked about."""
        workflow_id, execution = parts_of(run_id)
        return self._known("workflows", workflow_id, **{"execution.runId": execution})

    def events(self, run_id: str, *, backwards: bool = False) -> Iterator[dict[str, Any]]:
        """Give the events of a run, in their order or the newest first; none where the run is gone."""
        workflow_id, execution = parts_of(run_id)
        asked = {"execution.runId": execution, "maximumPageSize": str(PAGE)}
        last = "history-reverse" if backwards else "history"
        try:
            yield from self.pages("events", "workflows", workflow_id, last, **asked)
        except BadStatus as exc:
            if exc.status != NOT_THERE:
                raise

    def pages(self, name: str, *parts: str, **query: str) -> Iterator[dict[str, Any]]:
        """Give the rows of every page; a server that serves one page for ever is found out."""
        asked, tokens = dict(query), set[str]()
        while True:
            answer = self.get(*parts, **asked)
            yield from self._rows(answer.get("history") if name == "events" else answer, name)
            token = answer.get("nextPageToken")
            if not token:
                return
            if token in tokens or len(tokens) >= MAX_PAGES:
                raise EngineError(
                    f"{self.place} repeats a page of {'/'.join(parts)}; nothing was loaded"
                )
            tokens.add(str(token))
            asked["nextPageToken"] = str(token)

    def _known(self, *parts: str, **query: str) -> dict[str, Any] | None:
        """Return one answer, or None where the server does not have it."""
        try:
            return self.get(*parts, **query)
        except BadStatus as exc:
            if exc.status != NOT_THERE:
                raise
            return None

    def _rows(self, answer: Any, name: str) -> list[dict[str, Any]]:
        rows = (answer or {}).get(name, []) if isinstance(answer, Mapping | None) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise EngineError(f"{self.place} does not answer like a Temporal server")
        return rows

    def _mapping(self, answer: Any) -> dict[str, Any]:
        if not isinstance(answer, dict):
            raise EngineError(f"{self.place} does not answer like a Temporal server")
        return answer

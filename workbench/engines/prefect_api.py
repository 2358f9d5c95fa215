"""Asks Prefect's REST interface page by page, and takes nothing for an answer that has not its shape."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from workbench.engines.at_once import side_by_side
from workbench.engines.http import JsonClient
from workbench.engines.prefect_words import instant_of
from workbench.errors import EngineError

Row = dict[str, Any]

PAGE = 200
"""Prefect's largest page."""

MAX_PAGES = 5_000
"""A million rows; more means that the paging goes round in circles."""

LIMITS = "/v2/concurrency_limits/"


class PrefectApi:
    """Questions to one server.

    Attributes:
        place: host and port, for messages.
    """

    def __init__(self, client: JsonClient) -> None:
        """Ask through this client; nothing is asked yet."""
        self.client, self.place = client, client.place
        self._limits: dict[str, Row] = {}
        self._was_read_again = False
        self._reading = threading.Lock()

    def version(self) -> str:
        """Return the server's version; raises EngineError where the answer is none."""
        found = self.client.get("/admin/version")
        if not isinstance(found, str) or not found:
            raise EngineError(f"{self.place} does not answer like a Prefect server")
        return found

    def pages(self, path: str, body: Mapping[str, Any]) -> Iterator[Row]:
        """Give every row of a filter once; a server that serves one page for ever is found out."""
        seen: set[str] = set()
        for number in range(MAX_PAGES):
            asked = {**body, "limit": PAGE, "offset": number * PAGE}
            page = self.listed(self.client.post(path, asked))
            fresh = [row for row in page if str(row.get("id")) not in seen]
            if page and not fresh:
                raise EngineError(f"{self.place} repeats a page of {path}; nothing was loaded")
            seen.update(str(row.get("id")) for row in fresh)
            yield from fresh
            if len(page) < PAGE:
                return
        raise EngineError(
            f"{self.place} gives more than {MAX_PAGES} pages of {path}; nothing was loaded"
        )

    def rows_of(
        self, path: str, table: str, *, column: str, values: Sequence[str]
    ) -> Iterator[Row]:
        """Give the rows whose column is one of these values, in as many questions as it takes."""
        for at in range(0, len(values), PAGE):
            yield from self.pages(path, {table: {column: {"any_": list(values[at : at + PAGE])}}})

    def answers(self, path: str, bodies: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
        """Give the rows of several questions, asked side by side."""
        for answer in side_by_side(lambda body: self.client.post(path, dict(body)), bodies):
            yield from self.listed(answer)

    def read_limits(self) -> dict[str, Row]:
        """Read the limits by name, and remember them for the calls that follow."""
        found = {str(one["name"]): one for one in self.pages(f"{LIMITS}filter", {})}
        self._limits, self._was_read_again = found, False
        return found

    def limit_named(self, name: str, *, is_remembered: bool = False) -> Row | None:
        """Return a limit as it was last read; one that was not there then is looked for once more, for all in line.

        What is remembered may be gone by now: the server then refuses its id, and the call is planned anew.
        """
        with self._reading:
            if not (is_remembered or name in self._limits or self._was_read_again):
                self.read_limits()
                self._was_read_again = True
            return self._limits.get(name)

    def count(self, path: str, body: Mapping[str, Any]) -> int:
        """Return how many rows a filter has."""
        found = self.client.post(path, dict(body))
        if not isinstance(found, int) or isinstance(found, bool):
            raise EngineError(f"{self.place} does not answer {path} with a number")
        return found

    def row(self, path: str) -> Row:
        """Return one row by its path; raises EngineError where there is none."""
        found = self.client.get(path)
        if not isinstance(found, dict):
            raise EngineError(f"{self.place} does not answer like a Prefect server")
        return found

    def listed(self, answer: Any) -> list[Row]:
        """Return an answer that has to be a list of rows."""
        if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
            raise EngineError(f"{self.place} does not answer like a Prefect server")
        return answer

    def required_instant(self, row: Mapping[str, Any], name: str) -> datetime:
        """Return an instant that a row has to have."""
        found = instant_of(row.get(name))
        if found is None:
            raise EngineError(f"{self.place} gives a row without {name}; nothing was loaded")
        return found

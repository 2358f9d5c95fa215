"""Answers the part of Temporal's query language that the adapter speaks, as the server was seen to."""

from __future__ import annotations

import re
from typing import Any

from workbench.engines.temporal_words import attribute

_TOKEN = re.compile(r"\s*('(?:[^'\\]|\\.)*'|[A-Za-z]\w*|>=|=|\(|\)|,)")
_FIELDS = {
    "StartTime": lambda row: row.get("startTime"),
    "CloseTime": lambda row: row.get("closeTime"),
    "WorkflowType": lambda row: row["type"]["name"],
    "WorkflowId": lambda row: row["execution"]["workflowId"],
    "RunId": lambda row: row["execution"]["runId"],
    "TaskQueue": lambda row: row.get("taskQueue"),
    "TemporalScheduledById": lambda row: attribute(row, "TemporalScheduledById"),
    "TemporalNamespaceDivision": lambda row: attribute(row, "TemporalNamespaceDivision"),
}


def matches(query: str, row: dict[str, Any]) -> bool:
    """Tell whether a run is among what a query finds; the system's own runs only where they are asked for."""
    is_system = attribute(row, "TemporalNamespaceDivision") is not None
    if is_system and "TemporalNamespaceDivision" not in query:
        return False
    return not query or _Parser(query, row).whole()


class _Parser:
    def __init__(self, query: str, row: dict[str, Any]) -> None:
        self._tokens, self._row, self._at = [], row, 0
        at = 0
        while at < len(query):
            found = _TOKEN.match(query, at)
            assert found, f"invalid query: {query[at:]}"
            self._tokens.append(found.group(1))
            at = found.end()

    def whole(self) -> bool:
        found = self._either()
        assert self._at == len(self._tokens), f"invalid query at {self._tokens[self._at :]}"
        return found

    def _next(self, *wanted: str) -> str:
        token = self._tokens[self._at]
        assert not wanted or token.upper() in wanted, f"invalid query: {token} instead of {wanted}"
        self._at += 1
        return token

    def _peek(self) -> str:
        return self._tokens[self._at].upper() if self._at < len(self._tokens) else ""

    def _either(self) -> bool:
        found = self._both()
        while self._peek() == "OR":
            self._next()
            found = self._both() or found
        return found

    def _both(self) -> bool:
        found = self._one()
        while self._peek() == "AND":
            self._next()
            found = self._one() and found
        return found

    def _one(self) -> bool:
        if self._peek() == "(":
            self._next()
            found = self._either()
            self._next(")")
            return found
        value = _FIELDS[self._next()](self._row)
        operator = self._next("IS", "=", ">=", "IN").upper()
        if operator == "IS":
            self._next("NULL")
            return value is None
        if operator != "IN":
            wanted = self._text()
            return value is not None and (value == wanted if operator == "=" else value >= wanted)
        self._next("(")
        found = value == self._text()
        while self._next(",", ")") == ",":
            found = value == self._text() or found
        return found

    def _text(self) -> str:
        return re.sub(r"\\(.)", r"\1", self._next()[1:-1])

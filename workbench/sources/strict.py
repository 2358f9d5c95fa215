"""Strict JSON: what the fast parsers let through (NaN, twin keys, lone surrogates) is refused with a reason."""

from __future__ import annotations

import json
import math
from typing import Any

MAX_DEPTH = 64
"""Levels of nesting taken; deeper text is an attack or a mistake, and parsers disagree about it."""


class NotStrict(ValueError):
    """The line is not strict JSON; the message says why."""


def _refuse_constant(word: str) -> Any:
    raise NotStrict(f"{word} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise NotStrict(f"the number {text[:40]} is out of range")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise NotStrict(f"the key {twin[:60]!r} stands twice")
    return found


_DECODER = json.JSONDecoder(
    object_pairs_hook=_distinct,
    parse_constant=_refuse_constant,
    parse_float=_finite,
)


def parse_object(line: str) -> dict[str, Any]:
    """Read one line as a JSON object; raises NotStrict with the reason."""
    if line.startswith("\ufeff"):
        raise NotStrict("starts with a byte order mark")
    if _is_too_deep(line):
        raise NotStrict(f"is nested deeper than {MAX_DEPTH} levels")
    try:
        found = _DECODER.decode(line)
    except json.JSONDecodeError as exc:
        raise NotStrict(f"is not JSON: {exc.msg} at character {exc.pos + 1}") from exc
    except (RecursionError, ValueError) as exc:
        raise exc if isinstance(exc, NotStrict) else NotStrict(f"is not JSON: {exc}") from exc
    if not isinstance(found, dict):
        raise NotStrict(f"is {_said(found)}, not an object")
    if ("\\u" in line or not line.isascii()) and _has_lone_surrogate(found):
        raise NotStrict("has half of a surrogate pair")
    return found


def refusal_of(line: str) -> str | None:
    """Say why the line is not a strict JSON object, or None when it is one."""
    try:
        parse_object(line)
    except NotStrict as exc:
        return str(exc)
    return None


def _is_too_deep(line: str) -> bool:
    """Bound the depth before a parser recurses; brackets inside strings only make it stricter to look again."""
    if line.count("{") + line.count("[") <= MAX_DEPTH:
        return False
    depth = deepest = 0
    is_text = is_escaped = False
    for sign in line:
        if is_text:
            is_text = is_escaped or sign != '"'
            is_escaped = sign == "\\" and not is_escaped
        elif sign == '"':
            is_text = True
        elif sign in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in "}]":
            depth -= 1
    return deepest > MAX_DEPTH


def _has_lone_surrogate(found: dict[str, Any]) -> bool:
    try:
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _said(value: object) -> str:
    names = {list: "an array", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")

"""Webhook bodies: one holds several alerts, says an instant in its own way, and may stand alone in a file."""

from __future__ import annotations

import json
import re
from typing import Any

from workbench.sources.files import MAX_LINE_BYTES, SourceFile
from workbench.sources.strict import NotStrict, parse_object

_FINER = re.compile(r"(\.\d{6})\d+(?=Z|[+-]\d\d:?\d\d$)")


def parts_of(body: dict[str, Any], each: str) -> list[dict[str, Any]]:
    """Return one record for each member of the list `each`, the member as `part` beside the body's other fields.

    Raises NotStrict when the list is not there, is empty, or has a member that is no object.
    """
    members = body.get(each)
    if not isinstance(members, list) or not members:
        raise NotStrict(f"has no list `{each}` with anything in it")
    odd = [place for place, one in enumerate(members, 1) if not isinstance(one, dict)]
    if odd and len(odd) == len(members):
        raise NotStrict(f"has nothing in `{each}` that is an object")
    rest = {name: value for name, value in body.items() if name != each}
    return [{**rest, "part": one} for one in members]


def instant_of(value: Any) -> Any:
    """Return an instant cut to microseconds, or None for the year 1, which says "not yet" (Go's zero time)."""
    if not isinstance(value, str):
        return value
    return None if value.startswith("0001-01-01T") else _FINER.sub(r"\1", value)


def lone_body(file: SourceFile) -> str | None:
    """Return the file as one line when it is one indented body, else None."""
    if file.is_packed or file.format != "jsonl" or file.byte_count > MAX_LINE_BYTES:
        return None
    try:
        text = file.path.read_text(encoding="utf-8")
        if "\n" not in text.strip():
            return None
        return json.dumps(parse_object(text), ensure_ascii=False)
    except (OSError, UnicodeDecodeError, NotStrict):
        return None

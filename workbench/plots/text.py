"""Plain words out of anything: text from run history passes through here before it is drawn or shown."""

from __future__ import annotations

import re
import unicodedata

_ANSI = re.compile(
    r"\x9b[0-?]*[ -/]*[@-~]|\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])"
)


def plain_text(value: object) -> str:
    """Return text without terminal codes, with every invisible or direction-changing mark made visible."""
    text = _ANSI.sub("", str(value))
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character == "\n":
        return character
    if character == "\t":
        return " "
    category = unicodedata.category(character)
    if category in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return f"\u27e8U+{ord(character):04X}\u27e9"
    return character


def label(value: object, limit: int = 48) -> str:
    """Return one line of plain text, cut in the middle so that its two telling ends stay."""
    text = " ".join(plain_text(value).split())
    if len(text) <= limit:
        return text
    keep = (limit - 1) // 2
    return f"{text[: limit - 1 - keep]}\u2026{text[-keep:]}"

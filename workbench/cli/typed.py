"""The words of a command as they came from the shell: only text in UTF-8 can be recorded or looked for."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.errors import UsageFault

_ALWAYS_TAKEN = ("pause",)
"""Commands that no letter may stop: what cannot be read of it is written as a mark."""


def readable(words: Sequence[str]) -> list[str]:
    """Return the words of a command; raises UsageFault for one that is not text in UTF-8.

    A shell or a file system of another encoding hands over bytes that are no text. A pause is not stopped by them.
    What stands behind `--` belongs to another program and stays as it is.
    """
    end = words.index("--") if "--" in words else len(words)
    if words and words[0] in _ALWAYS_TAKEN:
        return [_marked(word) for word in words]
    for word in words[:end]:
        if _marked(word) != word:
            raise UsageFault(
                f"{_marked(word)!r:.200} is not text in UTF-8, and nothing else can be recorded; nothing was done.",
                next_step="type it in a terminal that is set to UTF-8; a file, rename it first",
            )
    return list(words)


def _marked(word: str) -> str:
    return word.encode("utf-8", "replace").decode()

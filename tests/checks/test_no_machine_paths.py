"""Nothing in the repository says on which machine, or from which index, it was made."""

from __future__ import annotations

import gzip
import re

import pytest

from tests.checks.tree import REPOSITORY, repository_files

# Written in two halves, so that this file does not find itself.
TRACES = {
    "a machine's path": r"(?<![\w.~-])/(?:wo"
    r"rk|ro"
    r"ot|fa"
    r"rm|ho"
    r"me/[a-z]\w*|Us"
    r"ers/\w+)/",
    "a package index": r"py" r"pi\.org|python" r"hosted|npm" r"js\.(?:org|com)|/sim" r"ple/[a-z]",
    "an index option": r"--(?:extra-)?index" r"-url[ =]\S*:/",
    "a private address": r"\b(?:10(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2})\b",
}
SKIPPED = {"LICENSE"}


def traces_in(text: str) -> list[str]:
    """Return what in a text belongs to one machine."""
    return [
        f"{kind}: {match.group()!r}"
        for kind, pattern in TRACES.items()
        for match in [re.search(pattern, text)]
        if match
    ]


def text_of(name: str) -> str:
    """Return a file as text, unpacked where it is compressed; other binary files are empty."""
    raw = (REPOSITORY / name).read_bytes()
    raw = gzip.decompress(raw) if name.endswith(".gz") else raw
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return ""


def test_no_file_names_a_machine_or_an_index() -> None:
    """No tracked file, recordings unpacked, holds a machine's path, a private address or an index."""
    found = {
        name: traces
        for name in repository_files()
        if name not in SKIPPED and (traces := traces_in(text_of(name)))
    }
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "open('/wo" + "rk/main/x')",
        "see /ho" + "me/ada/notes",
        "/ro" + "ot/.cache",
        "from https://py" + "pi.org",
        "--index" + "-url https://x",
        "http://10.1" + ".2.3:80",
    ],
)
def test_the_trace_check_catches(text: str) -> None:
    """Each kind of trace is seen."""
    assert traces_in(text)


@pytest.mark.parametrize(
    "text", ["tests/ho" + "me/x", "127.0.0.1", "~/ho" + "me/", "notebooks/wo" + "rk/x", "1.10.0"]
)
def test_the_trace_check_lets_pass(text: str) -> None:
    """Relative paths, the machine itself and versions are no traces."""
    assert traces_in(text) == []

"""TOML as people write it: what is none is one kind of error, and no file is read without end."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.engines.addresses import read_addresses
from workbench.errors import BadSettings
from workbench.notify import read_book
from workbench.policy import read_policy
from workbench.registry import read_registry
from workbench.sources.mapping import load_mapping
from workbench.toml_file import LARGEST_BYTES, NotToml, parse_toml, read_text

READERS = [
    read_registry,
    lambda path: read_policy(path, "staging"),
    read_addresses,
    read_book,
    lambda path: load_mapping(str(path)),
]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a = ", "Invalid value"),
        ("[a]\n[a]\n", "Cannot declare"),
        ("a = 1\na = 2\n", "Cannot overwrite a value"),
        ("a = " + "[" * 50_000, "nested too deeply"),
        ("a = " + "9" * 10_000, "too many digits"),
        ("[b]\na = [1, 9007199254740992]", "number of 'a' is beyond 9007199254740991"),
    ],
)
@pytest.mark.parametrize(
    "read", READERS, ids=["registry", "policy", "engines", "notify", "mapping"]
)
def test_what_is_no_toml_is_refused_by_every_reader(
    tmp_path: Path, read: object, text: str, why: str
) -> None:
    """Twin keys, endless brackets and endless numbers are a fault of the file, never one of ours."""
    path = tmp_path / "written.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(NotToml, match=why):
        parse_toml(text)
    assert callable(read)
    with pytest.raises(BadSettings, match="written"):
        read(path)


def test_the_mark_of_an_editor_is_not_part_of_the_text(tmp_path: Path) -> None:
    """A file that Windows' own editor saved is read as it looks: its mark and its line ends are no content."""
    path = tmp_path / "written.toml"
    path.write_bytes(b"\xef\xbb\xbfa = 1\r\nb = 2\r\n")
    assert parse_toml(read_text(path)) == {"a": 1, "b": 2}


@pytest.mark.parametrize("read", READERS[:4])
def test_a_device_without_end_is_cut_off(read: object) -> None:
    """What never ends is refused as too large, before it fills the memory."""
    assert callable(read)
    with pytest.raises(BadSettings, match="larger than"):
        read(Path("/dev/zero"))


def test_the_largest_file_is_read(tmp_path: Path) -> None:
    """The bound is the bound: a file of exactly that size is read, one byte more is not."""
    path = tmp_path / "written.toml"
    path.write_bytes(b"#" * LARGEST_BYTES)
    assert len(read_text(path)) == LARGEST_BYTES
    path.write_bytes(b"#" * (LARGEST_BYTES + 1))
    with pytest.raises(OSError, match="larger than 16 MiB"):
        read_text(path)

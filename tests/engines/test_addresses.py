"""The file of engines is read with care, and its secrets are shown to nobody."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from tests.engines.fake_engine import FakeEngine
from workbench.clock import FixedClock
from workbench.engines import connecting
from workbench.engines.addresses import read_addresses
from workbench.engines.interface import EngineAddress
from workbench.errors import BadSettings, EngineError


def test_no_file_is_no_engine(tmp_path: Path) -> None:
    """Where nobody wrote a file, no engine is switched."""
    assert read_addresses(tmp_path / "engines.toml") == {}


def test_an_engine_is_read_with_its_secret(tmp_path: Path) -> None:
    """Token and options are taken, and what is printed of an address has no secret."""
    (tmp_path / "token").write_text("s3cret\n")
    file = tmp_path / "engines.toml"
    file.write_text(
        '[engines.main]\nkind = "prefect"\nurl = "http://h:1/api"\n'
        f'token_file = "{tmp_path / "token"}"\noptions = {{ namespace = "n" }}\n'
    )
    found = read_addresses(file)["main"]
    assert (found.token, found.options, found.kind) == ("s3cret", {"namespace": "n"}, "prefect")
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("engines = 3", "table of tables"),
        ("[other]\n", "unknown table"),
        ("[engines.A]\nkind='p'\nurl='u'", "no valid id"),
        ("[engines.a]\nurl='u'", "needs kind"),
        ("[engines.a]\nkind='p'", "needs url"),
        ("[engines.a]\nkind='p'\nurl='u'\ntoken='x'", "token is unknown"),
        ("[engines.a]\nkind='p'\nurl=3", "url is unknown or no text"),
        ("[engines.a]\nkind='p'\nurl='u'\noptions=1", "options must be"),
        ("[engines.a]\nkind='p'\nurl='u'\ntoken_file='/nowhere'", "cannot be read"),
        ("[engines", "cannot be read"),
        ("engines.a = 1", "must be a table"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    """Each mistake is one sentence with the file and the table."""
    file = tmp_path / "engines.toml"
    file.write_text(text)
    with pytest.raises(BadSettings, match=words) as caught:
        read_addresses(file)
    assert str(file) in caught.value.message


def make_fake(address: EngineAddress, binding: object, *, clock: FixedClock) -> FakeEngine:
    """What an entry point of the fake would be."""
    return FakeEngine(clock)


def test_an_adapter_of_any_package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entry points name the kinds; an unknown kind and a broken package are said."""
    points = [
        EntryPoint("fake", "tests.engines.test_addresses:make_fake", connecting.ENTRY_POINTS),
        EntryPoint("gone", "no_such_package:connect", connecting.ENTRY_POINTS),
    ]
    monkeypatch.setattr(connecting, "entry_points", lambda group: points)
    clock = FixedClock(datetime(2026, 11, 27, tzinfo=UTC))
    assert connecting.kinds() == ("fake", "gone")

    def connected(kind: str):  # type: ignore[no-untyped-def]
        return connecting.connect(EngineAddress("e", kind, "http://h"), None, clock=clock)  # type: ignore[arg-type]

    assert connected("fake").engine == "fake"
    with pytest.raises(EngineError, match="cannot be loaded"):
        connected("gone")
    with pytest.raises(BadSettings, match="there are fake, gone"):
        connected("n8n")

"""Secrets that are planted where they belong: no command says one, and no file but the private ones has one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.ground import REGISTRY, a_store, run
from tests.cli.test_telling import FAILS
from tests.cli.test_triggers import calm, load
from workbench.settings import Settings

CANARY = "canary-9b1f4e"
PRIVATE = ("engine-token", "notify.toml")
AWAY = "http://127.0.0.1:9/api"
COMMANDS = [
    ("doctor",),
    ("doctor", "--json"),
    ("engine", "list"),
    ("engine", "list", "--json"),
    ("engine", "probe", "main"),
    ("sync", "main"),
    ("triggers", "--once"),
    ("pause", "kind=agent", "-r", "x", "-y", "--no-wait"),
    ("status", "--json"),
    ("card", "*"),
    ("affected", "list", "H-1"),
    ("audit", "show"),
    ("audit", "export", "{root}/export"),
]


def plant(root: Path) -> Settings:
    """Make a store whose engine and whose roles are reached by secrets, where nobody listens."""
    a_store(
        registry=REGISTRY.replace(
            'category = "commerce"', 'category = "commerce"\nengine = "main"', 1
        )
    )
    settings = Settings.from_environment()
    load(calm(invoice_triage=FAILS))
    token = root / "engine-token"
    token.write_text(f"{CANARY}\n", encoding="utf-8")
    token.chmod(0o600)
    text = f'[engines.main]\nkind = "prefect"\nurl = "{AWAY}"\ntoken_file = "{token}"\n'
    settings.engines_file.write_text(text, encoding="utf-8")
    book = f'[roles]\nagent-owner = "json://watcher:{CANARY}@127.0.0.1:9/x"\n'
    settings.notify_file.write_text(book, encoding="utf-8")
    settings.notify_file.chmod(0o600)
    return settings


def leaking_files(root: Path) -> list[str]:
    """Return the files that have the secret in them, but those that hold it by right."""
    files = [p for p in root.rglob("*") if p.is_file() and p.name not in PRIVATE]
    assert len(files) > 5, "the tree that is looked through is there"
    return [str(p) for p in files if CANARY.encode() in p.read_bytes()]


def check_nothing_leaks(root: Path) -> None:
    """Give every command beside an engine and a service that are away, and look at all that was said and written."""
    plant(root)
    said = [run(*(word.format(root=root) for word in words)).said for words in COMMANDS]
    assert [words for words, text in zip(COMMANDS, said, strict=True) if CANARY in text] == []
    assert any("NOT TOLD" in text for text in said), "the address was used"
    assert leaking_files(root) == []


def test_no_planted_secret_is_in_any_output(own_folders: Path) -> None:
    """Neither in print-outs and errors nor in store, gate, warehouse, checkpoints or an export of the log."""
    check_nothing_leaks(own_folders)


def test_a_reason_that_quotes_the_address_is_caught(
    own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeded bug: why a sending failed says to where."""
    from workbench import notify

    monkeypatch.setattr(
        notify, "_fault_of", lambda _: notify.Sent(False, why=f"http://watcher:{CANARY}@x refused")
    )
    with pytest.raises(AssertionError):
        check_nothing_leaks(own_folders)

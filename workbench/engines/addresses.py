"""Reads which engines there are and what opens them, from one TOML file beside private things.

    [engines.prefect]
    kind = "prefect"
    url = "http://127.0.0.1:4200/api"
    token_file = "~/.config/prefect-token"

The name of a table is what an automation's `engine` says in the registry. Secrets lie in files of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.drills import GATE
from workbench.engines.interface import EngineAddress
from workbench.errors import BadSettings, why_unreadable
from workbench.scope import SLUG
from workbench.toml_file import NotToml, parse_toml, read_text

_FILE = "let WORKBENCH_ENGINES name the file of engines, TOML in UTF-8 that you may read"
_TEXTS = ("kind", "url", "user", "password_file", "token_file")


def read_addresses(path: Path) -> Mapping[str, EngineAddress]:
    """Return the engines of a file by id, none where there is no file; raises BadSettings naming what to mend."""
    try:
        body = parse_toml(read_text(path))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as exc:
        raise BadSettings(
            f"{path} cannot be read: {why_unreadable(exc)}.", next_step=_FILE
        ) from exc
    except NotToml as exc:
        raise BadSettings(f"{path} cannot be read: not valid TOML: {exc}.") from exc
    if unknown := sorted(set(body) - {"engines"}):
        raise BadSettings(f"{path}: unknown table [{unknown[0]}]; there is [engines.NAME].")
    tables = body.get("engines", {})
    if not isinstance(tables, dict):
        raise BadSettings(f"{path}: [engines] must be a table of tables, [engines.NAME].")
    return {name: _address(path, name, table) for name, table in tables.items()}


def _address(path: Path, name: str, table: Any) -> EngineAddress:
    where = f"{path}: [engines.{name}]"
    if not SLUG.fullmatch(name):
        raise BadSettings(f"{where}: {name!r} is no valid id (letters a-z, digits, . _ -).")
    if name == GATE:
        raise BadSettings(f"{where}: {name!r} is the gate itself; give the engine another name.")
    if not isinstance(table, dict):
        raise BadSettings(f"{where} must be a table.")
    options = table.get("options", {})
    texts = {key: value for key, value in table.items() if key != "options"}
    for key, value in {**texts, **(options if isinstance(options, dict) else {})}.items():
        if not isinstance(value, str) or (key in texts and key not in _TEXTS):
            raise BadSettings(
                f"{where}: {key} is unknown or no text; there are {', '.join(_TEXTS)}."
            )
    if not isinstance(options, dict):
        raise BadSettings(f"{where}: options must be a table of texts.")
    for key in ("kind", "url"):
        if not texts.get(key):
            raise BadSettings(f"{where} needs {key}.")
    return EngineAddress(
        engine_id=name,
        kind=texts["kind"],
        url=texts["url"],
        user=texts.get("user", ""),
        password=_secret(where, texts.get("password_file")),
        token=_secret(where, texts.get("token_file")),
        options=options,
    )


def _secret(where: str, name: str | None) -> str:
    if not name:
        return ""
    try:
        return Path(name).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise BadSettings(
            f"{where}: the secret in {name} cannot be read: {why_unreadable(exc)}.",
            next_step="name a file that holds the secret alone and that you may read",
        ) from exc

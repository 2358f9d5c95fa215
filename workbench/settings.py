"""The settings of one run of the workbench; the only reader of the environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from workbench.clock import Clock, FixedClock, SystemClock, from_text
from workbench.errors import BadSettings
from workbench.slug import SLUG

KEY_FILE = "key.json"
"""Name of the private signing key in `WORKBENCH_HOME`."""


_SHOWN_PARAMETERS = ("host", "hostaddr", "port", "dbname", "user", "service", "sslmode")
_SECRET_PARAMETERS = ("password", "sslpassword", "passfile", "sslkey")


@dataclass(frozen=True, repr=False)
class StoreUrl:
    """Address of a store on a PostgreSQL server; what is shown of it never has the password.

    Attributes:
        text: the whole address, for the driver and for child processes alone.
    """

    text: str

    @property
    def place(self) -> str:
        """The address as screens show it."""
        parts = urlsplit(self.text)
        account, at, hosts = parts.netloc.rpartition("@")
        user = account.partition(":")[0]
        shown = [f"{k}={v}" for k, v in parse_qsl(parts.query) if k in _SHOWN_PARAMETERS]
        more = f"?{'&'.join(shown)}" if shown else ""
        return f"postgresql://{user}{at}{hosts}{parts.path}{more}"

    def without_secrets(self, text: str) -> str:
        """Return somebody else's message with the address and every secret of it taken out."""
        parts = urlsplit(self.text)
        password = parts.netloc.rpartition("@")[0].partition(":")[2]
        fields = (field.partition("=") for field in parts.query.split("&"))
        secrets = [v for k, _, v in fields if k in _SECRET_PARAMETERS]
        found = text.replace(self.text, self.place)
        for secret in _longest_first([password, *secrets]):
            found = found.replace(secret, "***")
        return found

    def __repr__(self) -> str:
        return f"StoreUrl({self.place})"

    __str__ = __repr__


def _longest_first(secrets: list[str]) -> list[str]:
    """Return secrets as they are written in an address and as they are meant."""
    return sorted({*secrets, *map(unquote, secrets)} - {""}, key=len, reverse=True)


def own_host_name() -> str:
    """Return the name of this machine in the form of an id."""
    name = "".join(c if SLUG.fullmatch(f"a{c}") else "-" for c in os.uname().nodename.lower())
    return name.lstrip("._-")[:63] or "host"


@dataclass(frozen=True)
class Settings:
    """Where things are: the shared store, the published gate folder, and private things.

    Attributes:
        store: folder of the one shared store (`WORKBENCH_STORE`); of no use where `store_url` is given.
        store_url: address of the store where `WORKBENCH_STORE` is a PostgreSQL URL, else None.
        gate: folder that gates read (`WORKBENCH_GATE`, default beside the store, or in home for a URL).
        home: private folder: warehouse, reports (`WORKBENCH_HOME`).
        anchors: folders that checkpoints of the log are copied to (`WORKBENCH_ANCHORS`, apart by `:`;
            default `anchors` in home). One on another disk or host is what makes them evidence.
        demo_clock_at: recorded instant at which everything stands (`WORKBENCH_CLOCK`), or None.
        spool: second folder for pauses that the store cannot take (`WORKBENCH_SPOOL`), best on another disk;
            None where only the gate folder has a spool. Gates must have the same setting.
        engines: file that names the engines to switch (`WORKBENCH_ENGINES`, default `engines.toml` in home).
        host: name under which the mirror here reports (`WORKBENCH_HOST`, default the machine's own name).
        is_unattended: no person is at the screen (`WORKBENCH_UNATTENDED=1`); panels render as text.
    """

    store: Path
    gate: Path
    home: Path
    demo_clock_at: datetime | None = None
    is_unattended: bool = False
    anchors: tuple[Path, ...] = ()
    store_url: StoreUrl | None = None
    spool: Path | None = None
    engines: Path | None = None
    host: str = field(default_factory=own_host_name)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings; raises BadSettings for a clock, host name, URL or path that is none."""
        env = os.environ if environ is None else environ
        named = env.get("WORKBENCH_STORE") or ""
        url = store_url(named)
        home = _folder(env, "WORKBENCH_HOME") or _beside_home(env)
        if url:
            store, beside = home / "store", home
        else:
            store = _folder(env, "WORKBENCH_STORE") or _beside_home(env) / "store"
            beside = store.parent
        gate = _folder(env, "WORKBENCH_GATE") or beside / "gate"
        return cls(
            store=store,
            gate=gate,
            home=home,
            demo_clock_at=_instant(env.get("WORKBENCH_CLOCK")),
            is_unattended=env.get("WORKBENCH_UNATTENDED", "") == "1",
            anchors=_folders(env, "WORKBENCH_ANCHORS"),
            store_url=url,
            spool=next(iter(_folders(env, "WORKBENCH_SPOOL")), None),
            engines=next(iter(_folders(env, "WORKBENCH_ENGINES")), None),
            host=_host(env.get("WORKBENCH_HOST")),
        )

    @classmethod
    def at(cls, place: str, environ: Mapping[str, str] | None = None) -> Settings:
        """Return the settings that would hold with WORKBENCH_STORE at another place: a folder or an address.

        A gate folder that is named stays; one that lies where the store is by default lies elsewhere then.
        """
        env = os.environ if environ is None else environ
        named = place if store_url(place) else str(folder_named(place, "--to"))
        return cls.from_environment({**env, "WORKBENCH_STORE": named})

    @property
    def engines_file(self) -> Path:
        """The file that names the engines to switch, whether or not it is there."""
        return self.engines or self.home / "engines.toml"

    @property
    def notify_file(self) -> Path:
        """The private file that says how roles are told, whether or not it is there."""
        return self.home / "notify.toml"

    @property
    def spool_folders(self) -> tuple[Path, ...]:
        """Folders besides the gate folder that have a spool."""
        return (self.spool,) if self.spool else ()

    @property
    def place(self) -> str:
        """Where the store is, as screens show it; never with a password."""
        return self.store_url.place if self.store_url else str(self.store)

    @property
    def anchor_folders(self) -> tuple[Path, ...]:
        """Folders that checkpoints are copied to."""
        return self.anchors or (self.home / "anchors",)

    def clock(self) -> Clock:
        """Return the recorded clock where one is set, else the machine's."""
        return FixedClock(self.demo_clock_at) if self.demo_clock_at else SystemClock()

    def as_environment(self) -> dict[str, str]:
        """Return the variables that make a child process see the same settings."""
        found = {
            "WORKBENCH_STORE": self.store_url.text if self.store_url else str(self.store),
            "WORKBENCH_GATE": str(self.gate),
            "WORKBENCH_HOME": str(self.home),
            "WORKBENCH_HOST": self.host,
        }
        if self.demo_clock_at:
            found["WORKBENCH_CLOCK"] = self.demo_clock_at.isoformat()
        if self.is_unattended:
            found["WORKBENCH_UNATTENDED"] = "1"
        if self.spool:
            found["WORKBENCH_SPOOL"] = str(self.spool)
        if self.engines:
            found["WORKBENCH_ENGINES"] = str(self.engines)
        if self.anchors:
            found["WORKBENCH_ANCHORS"] = os.pathsep.join(str(path) for path in self.anchors)
        return found


def store_url(text: str) -> StoreUrl | None:
    """Return the address where a text is one, None for a path; raises BadSettings for another kind of URL."""
    scheme, is_url, _ = text.partition("://")
    if not is_url:
        return None
    if scheme not in ("postgresql", "postgres"):
        raise BadSettings(
            f"An address that begins with {scheme!r} names no store; a store is a folder or a PostgreSQL database.",
            next_step="write it like postgresql://host/database, the password in ~/.pgpass",
        )
    try:
        urlsplit(text)
    except ValueError as exc:  # nothing of it is shown: it may hold a password
        raise BadSettings(
            "The address of the store cannot be read: its host is not written as one.",
            next_step="write it like postgresql://host/database, the password in ~/.pgpass",
        ) from exc
    return StoreUrl(text)


def folder_named(text: str, name: str) -> Path:
    """Return the whole path that a setting or an option gives; raises BadSettings where there is none."""
    if not text.strip():
        raise BadSettings(f"{name} is empty, and no folder is meant by that.", next_step="name one")
    try:
        text.encode()
        return Path(text).expanduser().absolute()
    except UnicodeError as exc:
        why, then = "it is not text in UTF-8", "rename the folder, or name another"
        raise BadSettings(f"{name} cannot be used: {why}.", next_step=then) from exc
    except (RuntimeError, OSError) as exc:
        is_home = isinstance(exc, RuntimeError)
        why = (
            "nobody's home folder is called so" if is_home else "the folder that you are in is gone"
        )
        raise BadSettings(
            f"{name} is {text!r:.200}; {why}.", next_step="write the whole path, from / on"
        ) from exc


def _folder(env: Mapping[str, str], name: str) -> Path | None:
    return folder_named(env[name], name) if env.get(name) else None


def _folders(env: Mapping[str, str], name: str) -> tuple[Path, ...]:
    parts = [part for part in (env.get(name) or "").split(os.pathsep) if part]
    return tuple(folder_named(part, name) for part in parts)


def _beside_home(env: Mapping[str, str]) -> Path:
    """Return the folder in the user's data directory; raises BadSettings for an account that has no home."""
    named = env.get("XDG_DATA_HOME")
    if named:
        return folder_named(named, "XDG_DATA_HOME") / "workbench"
    try:
        home = Path(env.get("HOME") or "~").expanduser()
    except RuntimeError as exc:
        raise BadSettings(
            "This account has no home folder, and HOME is not set.",
            next_step="set HOME, or WORKBENCH_STORE, WORKBENCH_GATE and WORKBENCH_HOME",
        ) from exc
    return (home / ".local/share/workbench").absolute()


def _host(text: str | None) -> str:
    if not text:
        return own_host_name()
    if not SLUG.fullmatch(text):
        raise BadSettings(
            f"WORKBENCH_HOST is {text!r}; a host's name has small letters, digits, dots and dashes.",
            next_step="write it like worker-1, or leave it out for the machine's own name",
        )
    return text


def _instant(text: str | None) -> datetime | None:
    if not text:
        return None
    then = "set it to a recorded instant, or `unset WORKBENCH_CLOCK` for the machine's clock"
    try:
        instant = from_text(text)
    except ValueError as exc:
        raise BadSettings(f"WORKBENCH_CLOCK is not an instant: {exc}.", next_step=then) from exc
    if (
        not 1970 <= instant.year < 2200
    ):  # so that terms and windows before and after it are instants
        said = f"WORKBENCH_CLOCK is {text!r:.80}, and nothing was recorded then: the years are 1970 to 2199."
        raise BadSettings(said, next_step=then)
    return instant


def own_environment(**extra: str) -> dict[str, str]:
    """Return this process's environment as it is, with extras put in, for a child process that is not ours."""
    return {**os.environ, **extra}


def child_environment(settings: Settings, **extra: str) -> dict[str, str]:
    """Return this process's environment with the settings (and extras) put in, for a child process."""
    return {**os.environ, **settings.as_environment(), **extra}


def hub_access(environ: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Return address and token of the JupyterHub that started this process; both are empty where none did.

    `JUPYTERHUB_API_URL` and `JUPYTERHUB_API_TOKEN`, which the Hub sets itself. The token is never shown. Asked at
    each command, so that nothing else of the settings is read for it.
    """
    env = os.environ if environ is None else environ
    return env.get("JUPYTERHUB_API_URL", ""), env.get("JUPYTERHUB_API_TOKEN", "")


def notify_socket(environ: Mapping[str, str] | None = None) -> str:
    """Return where a supervisor listens for signs of life (`NOTIFY_SOCKET`); empty where none does."""
    env = os.environ if environ is None else environ
    return env.get("NOTIFY_SOCKET", "")


def prefect_environment(environ: Mapping[str, str] | None = None) -> str:
    """Return the folder of Prefect's own environment (`WORKBENCH_PREFECT_ENVIRONMENT`); empty where none is named."""
    env = os.environ if environ is None else environ
    return env.get("WORKBENCH_PREFECT_ENVIRONMENT", "")


def is_place_named(environ: Mapping[str, str] | None = None) -> bool:
    """Tell whether the environment says where the store or private things are."""
    env = os.environ if environ is None else environ
    return any(env.get(name) for name in ("WORKBENCH_STORE", "WORKBENCH_GATE", "WORKBENCH_HOME"))


def has_desktop(environ: Mapping[str, str] | None = None) -> bool:
    """Tell whether a browser that is opened from here would be seen by somebody."""
    env = os.environ if environ is None else environ
    is_mac = sys.platform == "darwin"
    return is_mac or any(env.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))

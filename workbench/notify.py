"""Tells roles by what their addresses name: mail, chat, a pager, or whatever else Apprise knows.

    [roles]
    ops-lead = "mailto://..."
    agent-owner = ["slack://...", "json://..."]

The file lies beside private things and is readable by its owner alone: an address has its token in it. What is
said or raised here names a role and never an address, nor words of a service that could quote one.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.errors import BadSettings
from workbench.private import read_private
from workbench.slug import SLUG
from workbench.toml_file import NotToml, parse_toml

_LOGGER = "apprise"
_EAR_LOCK = threading.Lock()
"""Held while Apprise is loaded or listened to."""
_ANSWERED = re.compile(r"\berror=(\d{3})\b")
_FAILED_BELOW = "Socket Exception: "
"""How Apprise begins the one line below warnings that is listened to; others there hold our own message."""
_NEVER_CONNECTED = re.compile(
    r"refused|NewConnectionError|NameResolutionError|getaddrinfo|Name or service|unreachable|CERTIFICATE",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class AddressBook:
    """The addresses of roles; none of them is shown.

    Attributes:
        addresses: role -> its addresses.
        is_there: whether there is a file at all.
    """

    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    is_there: bool = False


@dataclass(frozen=True)
class Sent:
    """How a sending to a role went.

    Attributes:
        is_taken: a service took it for at least one address.
        is_open: whether it came is not known, so that sending it again could tell somebody twice.
        why: what failed, in one clause without any address; empty where nothing did.
    """

    is_taken: bool
    is_open: bool = False
    why: str = ""


def read_book(path: Path) -> AddressBook:
    """Return the addresses of a file, none where there is no file.

    Raises BadSettings when others could read or replace it, and naming what to mend, never an address.
    """
    content = read_private(
        path, name=str(path), instead="nobody is told by it", renew="renew the tokens in it"
    )
    if content is None:
        return AddressBook()
    try:
        body = parse_toml(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, NotToml) as exc:
        line = re.search(r"at line \d+", str(exc))  # the rest could quote an address
        where = f" {line.group()}" if line else ""
        raise BadSettings(f"{path} is no TOML{where}; see README, *Somebody notices*.") from None
    return AddressBook(_roles_of(path, body), is_there=True)


def _roles_of(path: Path, body: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    roles = body.get("roles", {})
    if set(body) - {"roles"} or not isinstance(roles, dict):
        raise BadSettings(f"{path}: there is one table, [roles], and nothing beside it.")
    found = {}
    for number, (role, value) in enumerate(roles.items(), start=1):
        if not SLUG.fullmatch(role):
            raise BadSettings(f"{path}: entry {number} of [roles] is named by no role's id.")
        some = [value] if isinstance(value, str) else value
        if not isinstance(some, list) or not all(isinstance(a, str) and a for a in some):
            raise BadSettings(f"{path}: {role} needs an address, or a list of addresses.")
        found[role] = tuple(some)
    return {role: some for role, some in found.items() if some}


def unknown_addresses(book: AddressBook) -> list[str]:
    """Return where addresses are that Apprise cannot use, as role and place in its list, never the address."""
    if not book.addresses:
        return []
    with _listening():
        return [
            f"{role}, address {number}"
            for role, some in book.addresses.items()
            for number, address in enumerate(some, start=1)
            if _service(address) is None
        ]


def send(addresses: Sequence[str], *, title: str, body: str) -> Sent:
    """Send one message to each address of a role; raises nothing, and says what failed without an address."""
    found = [_send_one(address, title, body) for address in addresses]
    faults = [one.why for one in found if one.why]
    return Sent(
        any(one.is_taken for one in found),
        any(one.is_open for one in found),
        "; ".join(dict.fromkeys(faults)),
    )


def _send_one(address: str, title: str, body: str) -> Sent:
    with _listening() as said:
        try:
            service = _service(address)
            if service is None:
                return Sent(False, why="an address is none that Apprise can use")
            is_taken = bool(service.notify(title=title, body=body, body_format="text"))
        except Exception as exc:  # noqa: BLE001  # a service that fails in any way fails nothing of ours
            return Sent(
                False, is_open=True, why=f"the service's part failed ({type(exc).__name__})"
            )
    return Sent(True) if is_taken else _fault_of(said)


def _service(address: str) -> Any:
    """Return what sends to an address, or None."""
    apprise = _apprise()
    asset = apprise.AppriseAsset(
        app_id="workbench", app_desc="restart review workbench", async_mode=False
    )
    service = apprise.Apprise(asset=asset)
    return service if service.add(address) else None


@functools.cache
def _apprise() -> Any:
    """Load Apprise, once and only where somebody is to be told; the libraries of its services warn of their own.

    The filters of warnings are the whole program's, so they are touched for this one time and never in a sending.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import apprise

        apprise.Apprise().add("json://localhost")  # only this loads its services
    return apprise


def _fault_of(said: Sequence[str]) -> Sent:
    """Return why a service did not take it, in our words: its own could quote the address.

    After 408 and 5xx it may have come all the same: what stands between may give up on a service that took it.
    """
    answers = [found for line in said for found in _ANSWERED.findall(line)]
    if answers:
        is_open = any(code == "408" or code.startswith("5") for code in answers)
        return Sent(False, is_open=is_open, why=f"the service answered {answers[-1]}")
    # The words before `Caused by` can quote the whole request.
    below = [line.rpartition("Caused by")[2] for line in said if line.startswith(_FAILED_BELOW)]
    if any(map(_NEVER_CONNECTED.search, below)):
        return Sent(False, why="the service could not be reached")
    return Sent(False, is_open=True, why="the service gave no answer that says it came")


@contextlib.contextmanager
def _listening() -> Iterator[list[str]]:
    """Hear what Apprise logs meanwhile and let none of it out: it may hold an address.

    One at a time: the logger is the whole program's, and two that swap its handlers would leave it deaf.
    """
    with _EAR_LOCK:
        yield from _heard()


def _heard() -> Iterator[list[str]]:
    said: list[str] = []
    logger, ear = logging.getLogger(_LOGGER), _Ear(said)
    before, handlers, is_passed_on = logger.level, logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [ear], False
    logger.setLevel(logging.DEBUG)
    try:
        yield said
    finally:
        logger.handlers, logger.propagate = handlers, is_passed_on
        logger.setLevel(before)


class _Ear(logging.Handler):
    """Keeps what is logged in a list."""

    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.WARNING or text.startswith(_FAILED_BELOW):
            self._said.append(text)

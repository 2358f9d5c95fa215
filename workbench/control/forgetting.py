"""Striking off a host that is gone for good, so that it keeps no pause from being confirmed any more."""

from __future__ import annotations

from datetime import datetime

from workbench.clock import to_text
from workbench.control.commands import Control
from workbench.control.placing import storable
from workbench.control.signing import Who
from workbench.errors import NotFound, Refused, UsageFault
from workbench.store.hosts import Host, named_hosts
from workbench.store.log import Draft
from workbench.store.store import Change, Command


def forget_host(control: Control, name: str, *, reason: str) -> Host:
    """Strike off a host that is silent, by its name or `name/number`; it counts again once it reports again.

    Raises NotFound where no such host reports, UsageFault without a reason or for a name that two have, and
    Refused for a host that is heard of.
    """
    host = the_host(control, name)
    why = storable(reason)
    if not why:
        raise UsageFault("To strike a host off needs a reason; add `--reason TEXT`.")
    if not host.is_silent:
        raise Refused(
            f"Host {name} reported {host.age_seconds:.0f} s ago: its gates still ask, so it is not struck off.",
            next_step="end what runs there and its mirror, wait a moment, then strike it off",
        )
    now, beaten_at = control.clock.now(), to_text(host.beaten_at)
    content = {"name": "host forget", "host": host.key, "beaten_at": beaten_at, "reason": why}
    control.transact(
        Command(control.new_id(None), content),
        lambda _, who: Change([_draft(host, who, why, now=now)]),
    )
    return host


def the_host(control: Control, name: str) -> Host:
    """Return the one host that a name means; raises NotFound or UsageFault naming those that there are."""
    hosts = control.store.hosts(control.state())
    found = named_hosts(hosts.known, name)
    if len(found) == 1:
        return found[0]
    if found:
        keys = ", ".join(host.key for host in found)
        raise UsageFault(f"Several hosts are named {name}: {keys}.", next_step="name one of these")
    known = ", ".join(hosts.label(host) for host in hosts.known) or "none"
    raise NotFound(
        f"No host {name} reports to this store; there are: {known}.",
        next_step="see them with `workbench status`",
    )


def _draft(host: Host, who: Who, reason: str, *, now: datetime) -> Draft:
    payload = {
        "beaten_at": to_text(host.beaten_at),
        "folder_id": host.folder_id,
        "gate_folder": storable(host.gate_folder),
        "published_seq": host.seq,
    }
    return Draft(now, who.text, "host.forget", host.key, reason=reason, payload=payload)

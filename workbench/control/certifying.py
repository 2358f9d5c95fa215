"""Bringing the certificates of drills from the store where they were held: a person vouches for them here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from workbench.control.commands import Control
from workbench.control.entitling import check_role
from workbench.control.signing import Who, key_of
from workbench.drills import GATE
from workbench.errors import AuditBroken, NotFound, Refused
from workbench.policy import PRODUCTION
from workbench.records import Event
from workbench.store.audit import verify_store
from workbench.store.log import Draft
from workbench.store.rehearsed import vouches
from workbench.store.signoffs import policy_of
from workbench.store.state import State
from workbench.store.store import Change, Command, Store


def accept_drills(
    control: Control,
    origin: Store,
    *,
    drilled_id: str,
    engine_id: str,
    command_id: str | None = None,
) -> list[dict[str, Any]]:
    """Record here the newest passed drills of an engine in another store, as those of an engine of this one.

    Raises NotFound where none passed there, AuditBroken where that log does not verify, and Refused in
    a case that policy does not allow.
    """
    checked = verify_store(origin)
    if not checked.is_ok:
        raise AuditBroken(f"{origin.place}: {checked.finding}")
    head = origin.head_note()
    if head.environment == PRODUCTION or head.store_id == control.head_note().store_id:
        raise Refused(
            f"{origin.place} is {'a production store' if head.environment == PRODUCTION else 'this store'}; "
            "drills are brought from the staging store where they were held.",
            next_step=f"`workbench engine certify {engine_id} --from STAGING-STORE`",
        )
    found = [_brought(event, engine_id, head.store_id) for event in _passed(origin, drilled_id)]
    if not found:
        raise NotFound(
            f"No drill of {drilled_id} passed in {origin.place}.",
            next_step=f"in that store, for each kind of automation: {_drills(control.state(), engine_id, drilled_id)}",
        )
    content = {"name": "engine certify", "engine": engine_id, "drills": found}
    control.transact(
        Command(control.new_id(command_id), content),
        lambda state, who: _decide(state, who, found, now=control.clock.now()),
    )
    return found


def _drills(state: State, engine_id: str, drilled_id: str) -> str:
    """Return the commands that drill an engine for each kind that it runs here."""
    known = [a for a in state.automations.values() if not a.is_retired]
    kinds = sorted({a.kind for a in known if (a.engine or GATE) == engine_id})
    return ", ".join(f"`workbench drill {drilled_id} --kind {k}`" for k in kinds or ["KIND"])


def _passed(origin: Store, drilled_id: str) -> list[Event]:
    """Return the newest drill of each kind and mode where it passed."""
    newest: dict[tuple[str, str], Event] = {}
    for event in origin.events():
        if event.action == "drill.record" and event.target == drilled_id:
            newest[event.payload["kind"], event.payload["mode"]] = event
    return [event for event in newest.values() if vouches(event.payload)]


def _brought(event: Event, engine_id: str, store_id: str) -> dict[str, Any]:
    body = {name: value for name, value in event.payload.items() if name != "command"}
    origin = {"from_store": store_id, "from_seq": event.seq, "from_hash": event.hash}
    return {
        **body,
        **origin,
        "from_engine": body["engine"],
        "engine": engine_id,
        "drilled_by": event.actor,
    }


def _decide(state: State, who: Who, found: list[dict[str, Any]], *, now: datetime) -> Change:
    policy = policy_of(state)
    if policy.signoffs_required:
        key = key_of(who, "A drill that is brought from another store")
        check_role(state, key, roles=policy.may_sign, doing="vouch for a drill")
    return Change(
        [
            Draft(
                now,
                who.text,
                "drill.accept",
                body["engine"],
                reason=f"drilled as {body['from_engine']} in store {body['from_store']}",
                payload=body,
            )
            for body in found
        ]
    )

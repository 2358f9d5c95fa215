"""Enrolling and revoking keys: a store's first key on its own word, each later one on an enrolled key's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from workbench.control.commands import Control
from workbench.control.placing import storable
from workbench.control.signing import Who, key_of
from workbench.errors import NotFound, Refused, UsageFault
from workbench.records import EnrolledKey
from workbench.scope import SLUG
from workbench.store.log import Draft
from workbench.store.state import State
from workbench.store.store import Change, Command


@dataclass(frozen=True)
class Enrolment:
    """A public key that is to count as a person's, in a role."""

    public_hex: str
    person: str
    role: str

    def content(self) -> dict[str, str]:
        """Return the enrolment as plain values."""
        return {
            "public_hex": self.public_hex.strip().lower(),
            "person": storable(self.person),
            "role": self.role,
        }


def enrol_key(
    control: Control, enrolment: Enrolment, *, command_id: str | None = None
) -> EnrolledKey:
    """Record a key as a person's; raises Refused when nobody enrolled says so."""
    content = enrolment.content()
    key_id = _key_id(content["public_hex"])
    command = Command(control.new_id(command_id), {"name": "key enrol", **content})
    done = control.transact(
        command,
        lambda state, who: _decide_enrol(state, who, content, now=control.clock.now()),
    )
    return done.state.keys[key_id]


def _key_id(public_hex: str) -> str:
    from workbench.store.keys import key_id_of

    try:
        return key_id_of(public_hex)
    except ValueError as exc:
        raise UsageFault(
            f"{public_hex[:70]!r} is not a public key ({exc}).",
            next_step="copy the line that `workbench key new` printed",
        ) from exc


def _decide_enrol(state: State, who: Who, content: dict[str, str], *, now: datetime) -> Change:
    person, role = content["person"], content["role"]
    key_id = _key_id(content["public_hex"])
    if not SLUG.fullmatch(person):
        raise UsageFault(
            f"{person!r} is not a name that counts; write it like anna (a-z, digits, . _ -), "
            "as the role's members are written."
        )
    if state.owners and role not in state.owners:
        raise Refused(
            f"{role!r} is not a registered role; there are: {', '.join(sorted(state.owners))}.",
            next_step="name one of them with `--role`",
        )
    if key_id in state.keys:
        raise Refused(
            f"Key {key_id} was enrolled at event {state.keys[key_id].enrolled_seq} already; "
            "a key is enrolled once, and a revoked one stays revoked.",
            next_step="see `workbench key list`",
        )
    if state.keys:
        key_of(who, "An enrolment after the first")
    reason = f"{person} as {role}" + ("" if state.keys else "; the first key, on nobody's word")
    return Change([Draft(now, who.text, "key.enrol", key_id, reason=reason, payload=content)])


def revoke_key(
    control: Control, key_id: str, *, reason: str, command_id: str | None = None
) -> EnrolledKey:
    """Record that a key does not count any more; raises Refused when it does not now."""
    content = {"name": "key revoke", "key_id": key_id, "reason": storable(reason)}
    if not content["reason"]:
        raise UsageFault("A revocation needs a reason.", next_step="add `--reason TEXT`")
    done = control.transact(
        Command(control.new_id(command_id), content),
        lambda state, who: _decide_revoke(state, who, content, now=control.clock.now()),
    )
    return done.state.keys[key_id]


def _decide_revoke(state: State, who: Who, content: dict[str, str], *, now: datetime) -> Change:
    key = state.keys.get(content["key_id"])
    if key is None:
        raise NotFound(
            f"No key {content['key_id']} is enrolled here.", next_step="see `workbench key list`"
        )
    if key.revoked_seq is not None:
        raise Refused(
            f"Key {key.key_id} was revoked at event {key.revoked_seq} by {key.revoked_by}.",
            next_step="see `workbench key list`",
        )
    key_of(who, "A revocation")
    return Change(
        [Draft(now, who.text, "key.revoke", key.key_id, reason=content["reason"], payload={})]
    )

"""Enrolling and revoking keys: a store's first key on its own word, each later one on an enrolled key's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from shlex import quote
from typing import TYPE_CHECKING

from workbench.clock import from_text, to_text
from workbench.control.countersigning import Wish, decide_request, refuse_alone
from workbench.control.placing import storable
from workbench.control.signing import Who, key_of
from workbench.errors import NotFound, Refused, UsageFault
from workbench.records import EnrolledKey, TwoPersonRequest
from workbench.scope import SLUG
from workbench.store.countersigning import KEY, is_for_another
from workbench.store.log import Draft
from workbench.store.state import State
from workbench.store.store import Change, Command

if TYPE_CHECKING:
    from workbench.control.commands import Control


@dataclass(frozen=True)
class Enrolment:
    """A public key that is to count as a person's, in a role, until an instant where one is given."""

    public_hex: str
    person: str
    role: str
    until: datetime | None = None

    def content(self) -> dict[str, str]:
        """Return the enrolment as plain values."""
        until = {"until": to_text(self.until)} if self.until else {}
        return {
            **until,
            "public_hex": self.public_hex.strip().lower(),
            "person": storable(self.person),
            "role": self.role,
        }

    @classmethod
    def from_content(cls, content: Mapping[str, str]) -> Enrolment:
        """Return the enrolment that plain values say, as a request in the log holds them."""
        until = from_text(content["until"]) if content.get("until") else None
        return cls(content["public_hex"], content["person"], content["role"], until)


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
    _check_until(state, content, now=now)
    reason = f"{person} as {role}"
    if not state.keys:
        reason += "; the first key, on nobody's word"
    else:
        signer = key_of(who, "An enrolment after the first")
        wish = _wish(content)
        if is_for_another(state, signer, person=person, role=role):
            refuse_alone(state, wish, doer=signer, now=now)
            asker = state.keys[state.requests[wish.request_id].requester_key]
            reason += f", enrolled by {asker.person} and {signer.person}"
        elif signer.person != person:
            reason += f", enrolled by {signer.person} alone"
    return Change([Draft(now, who.text, "key.enrol", key_id, reason=reason, payload=content)])


def _check_until(state: State, content: dict[str, str], *, now: datetime) -> None:
    """Refuse an end that has come, and one of a store's first key: after it nobody could enrol another."""
    until = content.get("until", "")
    if until and from_text(until) <= max(now, state.newest_at or now):
        raise UsageFault("`--until` lies in the past; name a later time.")
    if until and not any(k.is_live(now) and k.expires_at is None for k in state.keys.values()):
        raise Refused(
            "No other key lasts, and once all have expired nobody could enrol one.",
            next_step="leave `--until` out for this key, or enrol one without it first",
        )


def wish_of(enrolment: Enrolment) -> Wish:
    """Return what two persons are asked for, with the commands that they type."""
    return _wish(enrolment.content())


def _wish(content: dict[str, str]) -> Wish:
    words = f"{content['public_hex']} --person {content['person']} --role {content['role']}"
    words += f" --until {content['until']}" if "until" in content else ""
    return Wish(
        KEY,
        content,
        about=f"a key of {content['person']} as {content['role']}",
        ask=f"`workbench key request {words}`",
        do=f"`workbench key enrol {words}`",
    )


def request_enrolment(
    control: Control, enrolment: Enrolment, *, command_id: str | None = None
) -> TwoPersonRequest:
    """Ask another person to enrol a key in somebody's name; raises Refused where one person may."""
    content = enrolment.content()
    _key_id(content["public_hex"])
    command = Command(control.new_id(command_id), {"name": "key request", **content})
    now = control.clock.now()
    done = control.transact(command, lambda s, who: _decide_request(s, who, content, now=now))
    return done.state.requests[done.events[-1].target]


def _decide_request(state: State, who: Who, content: dict[str, str], *, now: datetime) -> Change:
    signer = key_of(who, "A request for an enrolment")
    if not is_for_another(state, signer, person=content["person"], role=content["role"]):
        raise Refused(
            "This enrolment needs no second person.",
            next_step=_wish(content).do,
        )
    return decide_request(state, _wish(content), who=who, now=now)


def revoke_key(
    control: Control, key_id: str, *, reason: str, command_id: str | None = None
) -> EnrolledKey:
    """Record that a key does not count any more; raises Refused when it does not now."""
    content = {"name": "key revoke", "key_id": key_id, "reason": storable(reason)}
    if not content["reason"]:
        raise UsageFault(
            "A revocation needs a reason.",
            next_step=f"`workbench key revoke {quote(key_id)} --reason TEXT`",
        )
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
    _check_rest(state, key, now=now)
    return Change(
        [Draft(now, who.text, "key.revoke", key.key_id, reason=content["reason"], payload={})]
    )


def _check_rest(state: State, key: EnrolledKey, *, now: datetime) -> None:
    """Refuse to take the last key that lasts: after it nobody could enrol another, nor sign anything off."""
    rest = [k for k in state.keys.values() if k.key_id != key.key_id and k.is_live(now)]
    if key.expires_at is None and all(k.expires_at is not None for k in rest):
        raise Refused(
            f"Key {key.key_id} of {key.person} is the last one that lasts; without it nobody could enrol another.",
            next_step=f"enrol one without `--until` first (`workbench key new`), then "
            f"`workbench key revoke {key.key_id} --reason TEXT`",
        )

"""The fold of verified records: which changes somebody looked at, what they found there, and whose word counts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from workbench.clock import to_text
from workbench.evidence import LoadedChange
from workbench.records import Event
from workbench.store.signatures import signer_of
from workbench.store.signoffs import holds_role, policy_of
from workbench.store.state import State
from workbench.store.trusting import refuse


def change_key(change: LoadedChange) -> str:
    """Return the name of one change: of one length however long its ids are, and no id can pose as another's.

    The SHA-256 of the five names as JSON, for a database indexes no key of any length.
    """
    names = (change.source_id, change.run_id, change.record_type, change.record_id)
    said = json.dumps([*names, change.change_seq], ensure_ascii=True)
    return hashlib.sha256(said.encode("ascii")).hexdigest()


def asks_for_keys(state: State) -> bool:
    """Tell whether policy lets no unsigned word open a restart: it asks for sign-offs, or names who opens."""
    policy = policy_of(state)
    named = policy.may_sign or policy.may_decide or policy.may_resume or policy.may_release
    # Two persons are told apart by their keys alone.
    by_two = policy.signoffs_required or policy.is_override_signed or policy.verifiers_required > 1
    return bool(by_two or named)


def counted_words(state: State) -> list[dict[str, Any]]:
    """Return the verifications that count now, each with its `person`, in the order of the log.

    Asked at every use, for policy and roles change: a word counts whose key is a member's, and an unsigned one
    only while policy asks for none.
    """
    found = [word for key in state.verified for word in _counted(state, key)]
    return sorted(found, key=lambda word: int(word["seq"]))


def _counted(state: State, key: str) -> list[dict[str, Any]]:
    return [
        {**word, "person": state.keys[key_id].person if key_id else word["verified_by"]}
        for key_id, word in state.verified.get(key, {}).items()
        if is_counted(state, key_id)
    ]


def is_counted(state: State, key_id: str) -> bool:
    """Tell whether a word counts now that a key signed, or that nobody did where it is empty."""
    if not key_id:
        return not asks_for_keys(state)
    return holds_role(state, state.keys[key_id], roles=())


def is_verified(state: State, change: LoadedChange) -> bool:
    """Tell whether somebody whose word counts verified a change as it stands now: a row rewritten since is not."""
    return bool(verifiers_of(state, change))


def verifiers_of(state: State, change: LoadedChange) -> set[str]:
    """Return the persons whose word counts for a change as it stands now; who has two keys is one person."""
    words = _counted(state, change_key(change))
    return {
        str(word["person"]) for word in words if word["content_sha256"] == change.content_sha256
    }


def is_verified_enough(state: State, change: LoadedChange) -> bool:
    """Tell whether so many persons verified a change as policy asks for what cannot be undone."""
    return len(verifiers_of(state, change)) >= policy_of(state).verifiers_required


def on_record_verify(state: State, event: Event) -> None:
    """Take in that somebody verified changes of a record; where policy asks for keys an unsigned word counts not.

    The newest word of each key stands. It holds for the content that was looked at, and for no other.
    """
    signer = signer_of(state, event)
    is_member = signer is not None and holds_role(state, signer, roles=())
    if asks_for_keys(state) and not is_member:
        refuse(state, event, why="it is not signed by an enrolled key of a member of its role")
        return
    for one in event.payload["changes"]:
        change = _change_of(event.payload, one)
        word = {
            **vars(change),
            "verified_at": to_text(event.occurred_at),
            "verified_by": event.actor,
            "reason": event.reason,
            "seq": event.seq,
        }
        # Made anew: a copy of the state shares what is inside, and must not change with this one.
        known = state.verified.get(change_key(change), {})
        state.verified[change_key(change)] = {**known, (signer.key_id if signer else ""): word}
        state.touched.add(("verified_change", change_key(change)))


def on_record_withdraw(state: State, event: Event) -> None:
    """Take back every word on changes of a record: it closes, so anybody may, with a key or without one.

    What was reviewed, decided or signed for a hold on its automations before rests on less now, and is asked for again.
    """
    ids = {str(c["automation_id"]) for c in event.payload["changes"]}
    for hold_id in renew_holds(state, event, automation_ids=ids):
        state.withdrawn_seq[hold_id] = event.seq
    for one in event.payload["changes"]:
        change = _change_of(event.payload, {**one, "content_sha256": ""})
        key = change_key(change)
        if state.verified.get(key):
            state.verified[key] = {}
            state.touched.add(("verified_change", key))
        state.withdrawn[key] = {
            **{name: value for name, value in vars(change).items() if name != "content_sha256"},
            "withdrawn_at": to_text(event.occurred_at),
            "withdrawn_by": event.actor,
            "reason": event.reason,
            "seq": event.seq,
        }
        state.touched.add(("withdrawn_change", key))


def renew_holds(state: State, event: Event, *, automation_ids: Collection[str]) -> list[str]:
    """Note that standing holds changed, as a narrow restart does: reports and sign-offs from before lapse.

    Returns their ids.
    """
    holds = [hold.hold_id for hold in state.standing_holds()]
    found = [hold_id for hold_id in holds if state.covered[hold_id].intersection(automation_ids)]
    for hold_id in found:
        state.hold_changed_seq[hold_id] = event.seq
    return found


def _change_of(body: Mapping[str, Any], one: Mapping[str, Any]) -> LoadedChange:
    return LoadedChange(
        source_id=str(one["source_id"]),
        run_id=str(one["run_id"]),
        record_type=str(body["record_type"]),
        record_id=str(body["record_id"]),
        change_seq=int(one["change_seq"]),
        automation_id=str(one["automation_id"]),
        content_sha256=str(one["content_sha256"]),
    )


ON_RECORDS: Mapping[str, Callable[[State, Event], None]] = {
    "record.verify": on_record_verify,
    "record.withdraw": on_record_withdraw,
}

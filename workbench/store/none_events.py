"""The fold of words that nothing was written: who says so, of which time, and what of it was loaded then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workbench.clock import from_text, to_text
from workbench.records import Event
from workbench.store.record_events import asks_for_keys, is_counted, renew_holds
from workbench.store.signatures import signer_of
from workbench.store.signoffs import holds_role, policy_of
from workbench.store.state import State
from workbench.store.trusting import refuse


def none_key(hold_id: str, automation_id: str) -> str:
    """Return the name of what is said of one automation under one hold."""
    return f"{hold_id}/{automation_id}"


def counted_none_words(state: State) -> list[dict[str, Any]]:
    """Return the words that count now, each with its `person`, in the order of the log; judged at every use."""
    found = [
        {**word, "person": state.keys[key_id].person if key_id else word["said_by"]}
        for words in state.none_said.values()
        for key_id, word in words.items()
        if is_counted(state, key_id)
    ]
    return sorted(found, key=lambda word: (int(word["seq"]), str(word["automation_id"])))


def lacking_persons(state: State, hold_id: str) -> int:
    """Return how many persons must still say that nothing was written, where anybody said it; 0 where none.

    By policy as many as verify what cannot be undone, for of what nobody loaded nobody can tell that it can. Whether
    each word stands by what is loaded now is the review's to judge.
    """
    persons: dict[str, set[str]] = {}
    for word in counted_none_words(state):
        if word["hold_id"] == hold_id:
            persons.setdefault(word["automation_id"], set()).add(word["person"])
    fewest = min((len(found) for found in persons.values()), default=0)
    return max(0, policy_of(state).verifiers_required - fewest) if persons else 0


def on_none_said(state: State, event: Event) -> None:
    """Take in that somebody says that nothing was written; where policy asks for keys an unsigned word counts not.

    The newest word of each key about an automation stands. It holds for its hold, its time and what was loaded.
    """
    body, signer = event.payload, signer_of(state, event)
    is_member = signer is not None and holds_role(state, signer, roles=())
    if asks_for_keys(state) and not is_member:
        refuse(state, event, why="it is not signed by an enrolled key of a member of its role")
        return
    hold = state.holds[event.target]
    since, until = from_text(body["since_at"]), from_text(body["until_at"])
    if not since <= until <= event.occurred_at:
        refuse(state, event, why="its time runs backwards, or ends after it was said")
        return
    for one in body["automations"]:
        automation_id = str(one["automation_id"])
        key = none_key(hold.hold_id, automation_id)
        word = {
            "hold_id": hold.hold_id,
            "automation_id": automation_id,
            "since_at": to_text(since),
            "until_at": to_text(until),
            "run_count": int(one["run_count"]),
            "runs_sha256": str(one["runs_sha256"]),
            "manifest_version": int(body["manifest_version"]),
            "said_at": to_text(event.occurred_at),
            "said_by": event.actor,
            "reason": event.reason,
            "seq": event.seq,
        }
        known = state.none_said.get(key, {})
        state.none_said[key] = {**known, (signer.key_id if signer else ""): word}
        state.touched.add(("none_said", key))


def on_none_withdraw(state: State, event: Event) -> None:
    """Take back every word that nothing was written under a hold: it closes, so anybody may."""
    renew_holds(state, event, automation_ids=event.payload["automation_ids"])
    # A word is about its own hold: what was decided of others on the same automations never rested on it.
    state.withdrawn_seq[event.target] = event.seq
    for automation_id in event.payload["automation_ids"]:
        key = none_key(event.target, str(automation_id))
        if state.none_said.get(key):
            state.none_said[key] = {}
            state.touched.add(("none_said", key))


ON_NONE: Mapping[str, Callable[[State, Event], None]] = {
    "record.say_none": on_none_said,
    "record.withdraw_none": on_none_withdraw,
}

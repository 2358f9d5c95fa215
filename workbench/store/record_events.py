"""The fold of verified records: which changes somebody looked at, what they found there, and whose word counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from workbench.clock import to_text
from workbench.evidence import LoadedChange
from workbench.records import Event
from workbench.store.signatures import signer_of
from workbench.store.signoffs import holds_role, policy_of
from workbench.store.state import State
from workbench.store.trusting import refuse


def change_key(change: LoadedChange) -> str:
    """Return the name of one change: no id that others chose can pose as another change's."""
    names = (change.source_id, change.run_id, change.record_type, change.record_id)
    return "/".join([*(quote(name, safe="") for name in names), str(change.change_seq)])


def is_verified(state: State, change: LoadedChange) -> bool:
    """Tell whether somebody verified a change as it stands now: a row that was rewritten since is not."""
    found = state.verified.get(change_key(change))
    return found is not None and found["content_sha256"] == change.content_sha256


def on_record_verify(state: State, event: Event) -> None:
    """Take in that somebody verified changes of a record; where policy asks for sign-offs an unsigned word counts not.

    The newest word about a change stands. It holds for the content that was looked at, and for no other.
    """
    signer = signer_of(state, event)
    is_member = signer is not None and holds_role(state, signer, roles=())
    if policy_of(state).signoffs_required and not is_member:
        refuse(state, event, why="it is not signed by an enrolled key of a member of its role")
        return
    for one in event.payload["changes"]:
        change = _change_of(event.payload, one)
        state.verified[change_key(change)] = {
            **vars(change),
            "verified_at": to_text(event.occurred_at),
            "verified_by": event.actor,
            "is_signed": signer is not None,
            "reason": event.reason,
            "seq": event.seq,
        }
        state.touched.add(("verified_change", change_key(change)))


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

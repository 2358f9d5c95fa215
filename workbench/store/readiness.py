"""First run: what an automation still lacks before it may run in production, and who may let it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from workbench.records import (
    CHECKLIST,
    Automation,
    Decision,
    EnrolledKey,
    Hold,
    RunReview,
    VerdictKind,
)
from workbench.store.rehearsed import drill_fault
from workbench.store.signoffs import holds_role, policy_of
from workbench.store.state import State

DRILL = "a drill certificate"
"""How what is lacking begins where no drill vouches for the pause."""


def lacks(
    state: State, automation: Automation | None, *, now: datetime | None = None
) -> tuple[str, ...]:
    """Return what the policy asks for before a first run and an automation has not; none means ready.

    Drills age: up to `now`, or the newest event where that is later.
    """
    if automation is None or automation.is_retired:
        return ("its registration",)
    policy, found = policy_of(state), []
    missing = [name for name in CHECKLIST if not automation.checklist.get(name, "").strip()]
    if missing:
        found.append(f"of its checklist {', '.join(name.replace('_', ' ') for name in missing)}")
    have = len(counted_reviews(state, automation.automation_id))
    if have < policy.reviewed_runs:
        found.append(f"reviewed runs ({have} of {policy.reviewed_runs})")
    reached = max(filter(None, (now, state.newest_at)), default=None)
    if policy.is_drill_required and (why := drill_fault(state, automation, reached=reached)):
        found.append(f"{DRILL} ({why})")
    return tuple(found)


def hold_lacks(state: State, hold: Hold, *, now: datetime | None = None) -> tuple[str, ...]:
    """Return what the automations of a first-run hold lack, each thing once; none for any other hold."""
    if not hold.is_first_run or hold.released_seq is not None:
        return ()
    ids = sorted(state.covered[hold.hold_id])
    return tuple(
        dict.fromkeys(lack for i in ids for lack in lacks(state, state.automations.get(i), now=now))
    )


def keeps_what_is_ready(state: State, decision: Decision) -> bool:
    """Tell whether a decision just taken keeps a first-run hold, so that its being ready is no answer to it.

    Only *keep paused* is answered by readiness, and only where the hold lacked something when it was decided:
    who escalated, or decided on a part alone, said more than that it was not ready.
    """
    hold = state.holds.get(decision.hold_id)
    if hold is None or not hold.is_first_run or decision.decision is VerdictKind.RESTART_FULL:
        return False
    if decision.decision is not VerdictKind.KEEP_PAUSED:
        return True
    return not hold_lacks(state, hold, now=decision.decided_at)


def frees_what_is_kept(state: State, decision: Decision) -> bool:
    """Tell whether a decision just taken answers an older one that keeps a first-run hold although it is ready.

    A full restart does, where nobody else is asked for it: against a report, or without a key where policy asks for
    sign-offs, it frees nothing by itself; a release that names it goes with another person's sign-off.
    """
    policy = policy_of(state)
    if decision.decision is not VerdictKind.RESTART_FULL:
        return False
    is_contested = decision.is_override and policy.is_override_signed
    is_unsigned = policy.signoffs_required > 0 and decision.decision_id not in state.decision_keys
    return not (is_contested or is_unsigned)


def keep_or_free(state: State, decision: Decision) -> None:
    """Note what a decision just taken means for a first-run hold that is, or gets, ready."""
    if keeps_what_is_ready(state, decision):
        state.kept_ready[decision.hold_id] = decision.decision_id
    elif frees_what_is_kept(state, decision):
        state.kept_ready.pop(decision.hold_id, None)


def counted_reviews(state: State, automation_id: str) -> list[RunReview]:
    """Return the reviews of an automation's runs that somebody gave whose word counts here."""
    mine = [r for r in state.run_reviews.values() if r.automation_id == automation_id]
    return [review for review in mine if reviewers_of(state, review)]


def reviewers_of(state: State, review: RunReview) -> set[str]:
    """Return whose review counts: where policy asks for sign-offs persons with a key, elsewhere everybody."""
    policy = policy_of(state)
    keys = [state.keys[key_id] for key_id in review.key_ids]
    signed = {k.person for k in keys if holds_role(state, k, roles=policy.may_sign)}
    return signed if policy.signoffs_required else signed | set(review.unsigned)


def unready(state: State, hold: Hold, *, effects: str, now: datetime) -> str:
    """Return why a first-run hold stands against what would open it; reads alone may come before it is ready."""
    lacking = hold_lacks(state, hold, now=now)
    if not lacking or effects == "read":
        return ""
    return f"{hold.hold_id} holds what is not ready: it lacks {'; '.join(lacking)}"


def kept_fault(state: State, hold: Hold, *, body: Mapping[str, Any]) -> str:
    """Return why the newest decision about a first-run hold stands against what would open it, or an empty text.

    Only a decision that keeps it although it is ready does. A narrow restart goes on it where it decided one.
    """
    kept = state.kept_ready.get(hold.hold_id, "")
    if not kept:
        return ""
    decision = state.decisions[kept]
    is_narrow = "covered" not in body and decision.decision is VerdictKind.RESTART_NARROW
    if is_narrow and body["decision_id"] == kept:
        return ""
    newest = [d for d in state.decisions.values() if d.hold_id == hold.hold_id][-1]
    is_answered = (
        newest.decision is VerdictKind.RESTART_FULL and newest.decided_seq > decision.decided_seq
    )
    if is_answered and body["decision_id"] == newest.decision_id:
        return ""  # on that decision, with the sign-off that it needs
    return f"{kept} decided {decision.decision} about {hold.hold_id}; that it is ready is no answer to it"


def release_fault(state: State, hold: Hold, *, releaser: EnrolledKey | None) -> str:
    """Return why somebody does not release a first-run hold that is ready, or an empty text.

    The reviews of its runs are the sign-offs: so many persons as policy asks for, other than who releases.
    """
    policy = policy_of(state)
    wanted = min(policy.signoffs_required, policy.reviewed_runs)
    if not (policy.signoffs_required or policy.may_release):
        return ""
    if releaser is None:
        return "policy says who may release; it is not signed by an enrolled key"
    if not holds_role(state, releaser, roles=policy.may_release):
        return f"{releaser.person} as {releaser.role} may not release a hold under the policy"
    for automation_id in sorted(state.covered[hold.hold_id]):
        found = (reviewers_of(state, r) for r in counted_reviews(state, automation_id))
        others = set().union(*found) - {releaser.person}
        if len(others) < wanted:
            return (
                f"the runs of {automation_id} were reviewed by {len(others)} of {wanted} persons "
                f"other than {releaser.person}, who releases"
            )
    return ""

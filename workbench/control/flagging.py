"""What screens flag: everything that somebody should look at, said once and in words."""

from __future__ import annotations

from datetime import datetime

from workbench.control.countersigning import waiting
from workbench.control.shut_out import shut_out
from workbench.control.views import HoldView
from workbench.records import EnrolledKey, HoldState
from workbench.store.readiness import lacks
from workbench.store.signoffs import policy_of
from workbench.store.state import State


def flags(state: State, holds: tuple[HoldView, ...], *, now: datetime) -> tuple[str, ...]:
    """Return what somebody should look at: first what waits for persons, then the rest."""
    unkeyed = why_unsigned(state, now=now)
    return (
        *pressing_flags(state, holds),
        *_not_obeyed(state),
        *_not_to_be_had(state),
        *shut_out(state, now=now),
        *_taken_over(state),
        *_enrolled_alone(state),
        *_asked(state, now),
        *([unkeyed] if unkeyed else []),
    )


def pressing_flags(state: State, holds: tuple[HoldView, ...]) -> tuple[str, ...]:
    """Return what no screen folds away: overdue holds, break-glass resumes and overrides."""
    found = [
        f"{view.hold.hold_id} is overdue, still paused"
        for view in holds
        if view.state is HoldState.LAPSED
    ]
    found += [
        f"{p.probation_id} restarted {p.scope} by break-glass: {p.break_glass_reason}{_to_review(p.probation_id)}"
        for p in state.probations.values()
        if p.break_glass_reason and not state.is_reviewed(p.probation_id)
    ]
    found += [
        f"{h.hold_id} was released by break-glass: {state.break_glass_releases[h.hold_id]}{_to_review(h.hold_id)}"
        for h in state.holds.values()
        if h.hold_id in state.break_glass_releases and not state.is_reviewed(h.hold_id)
    ]
    found += [
        f"{d.decision_id} overrides {d.report_id}: it said {d.verdict}, {d.decided_by} decided {d.decision}"
        for d in state.decisions.values()
        if d.is_override
    ]
    return tuple(found)


def _to_review(target: str) -> str:
    return f"; flagged until two others type `workbench reviewed {target} --reason TEXT`"


def _not_obeyed(state: State) -> list[str]:
    """Return what stands in the log and is not believed, or not obeyed."""
    doubted = [
        f"event {seq} of the log: {why}; gates answer UNKNOWN, see `workbench audit verify`"
        for seq, why in state.doubts.items()
    ]
    return doubted + [f"NOT OBEYED, event {seq}: {why}" for seq, why in state.refused.items()]


def why_unsigned(state: State, *, now: datetime) -> str:
    """Say that nobody can sign where policy asks for sign-offs, or return an empty text."""
    reached = max(now, state.newest_at or now)
    if not policy_of(state).signoffs_required or any(
        key.is_live(reached) for key in state.keys.values()
    ):
        return ""
    none = "no enrolled key signs any more" if state.keys else "no key is enrolled"
    return f"{state.environment} asks for sign-offs and {none}: what is paused resumes by break-glass only"


def why_alone(state: State, *, now: datetime) -> str:
    """Say that more persons than have a key are needed where policy asks for sign-offs, or return an empty text."""
    reached, wanted = max(now, state.newest_at or now), policy_of(state).signoffs_required
    persons = sorted({key.person for key in state.keys.values() if key.is_live(reached)})
    if not wanted or not persons or len(persons) > wanted:
        return ""
    whose = " and ".join(persons) if len(persons) < 3 else f"{len(persons)} persons"
    more = "another person" if wanted == 1 else f"{wanted} others"
    return (
        f"{state.environment} asks for a sign-off of {more} before a resume, and only {whose} can sign: "
        "what is paused resumes by break-glass only"
    )


ENROL_ANOTHER = (
    "the other person types `workbench key new`, then you `workbench key enrol PUBLIC-KEY "
    "--person NAME --role ROLE`"
)
"""What ends that: the second key is enrolled by who has the first."""


def _not_to_be_had(state: State) -> list[str]:
    """Return what engines cannot pause as the standing holds ask."""
    standing = {hold.hold_id for hold in state.standing_holds()}
    return [
        f"{hold_id}: {automation_id} CANNOT be paused in its engine: {known['engine_cannot']}"
        for (hold_id, automation_id), known in state.observed.items()
        if hold_id in standing and known.get("engine_cannot")
    ]


def _asked(state: State, now: datetime) -> list[str]:
    """Return what one person asked for and another must do."""
    return [
        f"{request.about}; another person may do it until {request.expires_at:%Y-%m-%d %H:%M:%S} UTC"
        for request in waiting(state, now=now)
    ]


def _enrolled_alone(state: State) -> list[str]:
    """Return the keys that rest on one person's word after the others' were revoked: one word stands for two.

    One that was revoked since is told of as long as a key or a sign-off that came by it counts.
    """
    return [
        f"{by} alone enrolled the key {key_id} of {state.keys[key_id].person}, after the keys of {whose} were "
        f"revoked: what {state.keys[key_id].person} signs off rests on the word of {by}"
        for key_id, (by, whose) in _on_one_word(state).items()
        if state.keys[key_id].revoked_seq is None or _has_left_something(state, key_id)
    ]


def _on_one_word(state: State) -> dict[str, tuple[str, str]]:
    """Return key -> whose word alone it rests on, through keys that rest on it, and whose keys were revoked."""
    found: dict[str, tuple[str, str]] = {}
    for key in sorted(state.keys.values(), key=lambda k: k.enrolled_seq):
        parties = _parties(state, key)
        rests_on = {found[p][0] if p in found else state.keys[p].person for p in parties}
        if len(rests_on) > 1 or key.person in rests_on:
            continue
        (by,) = rests_on
        through = [found[p][1] for p in parties if p in found]
        if whose := next(iter(through), "") or _revoked_before(state, key, by=by):
            found[key.key_id] = by, whose
    return found


def _parties(state: State, key: EnrolledKey) -> list[str]:
    """Return the keys that an enrolment came by: which did it, and which asked for it where two did."""
    done = [r.requester_key for r in state.requests.values() if r.used_seq == key.enrolled_seq]
    return [key.enrolled_by, *done]


def _revoked_before(state: State, key: EnrolledKey, *, by: str) -> str:
    """Return whose keys were revoked before a key was enrolled, where nobody's but the enroller's were left; or ''."""
    before = [k for k in state.keys.values() if k.enrolled_seq < key.enrolled_seq]
    others = [k for k in before if k.person != by]
    is_alone = all((k.revoked_seq or key.enrolled_seq) < key.enrolled_seq for k in others)
    return " and ".join(sorted({k.person for k in others})) if is_alone else ""


def _has_left_something(state: State, key_id: str) -> bool:
    """Tell whether a sign-off was given with a key, or a key that counts came by it."""
    signed = any(key_id in signoff.signer_keys for signoff in state.signoffs.values())
    return signed or any(
        key_id in _parties(state, key)
        for key in state.keys.values()
        if key.revoked_seq is None and key.key_id != key_id
    )


def _taken_over(state: State) -> list[str]:
    """Return what was taken over as already running and would not be let into production today."""
    unready: dict[str, list[str]] = {}
    for automation_id, why in sorted(state.waived.items()):
        automation = state.automations.get(automation_id)
        if automation is not None and not automation.is_retired and lacks(state, automation):
            unready.setdefault(why, []).append(automation_id)
    return [
        f"taken over as already running, not ready for a first run: {', '.join(ids)} ({why})"
        for why, ids in unready.items()
    ]

"""What persons reviewed: a break-glass resume afterwards, and runs before a first run in production."""

from __future__ import annotations

from datetime import datetime
from shlex import quote

from workbench.control.commands import Control
from workbench.control.entitling import check_role
from workbench.control.placing import storable
from workbench.control.signing import Who, key_of
from workbench.errors import NotFound, Refused, UsageFault
from workbench.evidence import LoadedRun
from workbench.records import REHEARSAL_MODES
from workbench.store.log import Draft
from workbench.store.readiness import lacks
from workbench.store.signoffs import holds_role, policy_of
from workbench.store.state import REVIEWERS_NEEDED, State
from workbench.store.store import Change, Command


def review_break_glass(
    control: Control, target: str, *, reason: str, command_id: str | None = None
) -> int:
    """Record that this person reviewed a break-glass resume; returns how many people still must."""
    now = control.clock.now()
    content = {"name": "reviewed", "target": target, "reason": storable(reason)}
    done = control.transact(
        Command(control.new_id(command_id), content),
        lambda s, who: _decide_review(s, who, content, now=now),
    )
    return max(0, REVIEWERS_NEEDED - len(done.state.reviewers.get(target, ())))


def _decide_review(state: State, who: Who, content: dict[str, str], *, now: datetime) -> Change:
    target, reason = content["target"], content["reason"]
    probation = state.probations.get(target)
    if not (probation and probation.break_glass_reason) and (
        target not in state.break_glass_releases
    ):
        raise NotFound(
            f"{target} is no break-glass resume.", next_step="see the flags of `workbench status`"
        )
    if not reason:
        raise UsageFault(
            "Say what you found.", next_step=f"`workbench reviewed {target} --reason TEXT`"
        )
    key = key_of(who, "A review of a break-glass resume")
    doer = probation.started_by if probation else state.holds[target].released_by
    why = ""
    if who.text == doer or key.person == state.broken_by.get(target):
        why = f"{key.person} did {target} and does not review it"
    elif not holds_role(state, key, roles=()):
        why = f"{key.person} is not a member of {key.role} in the registry"
    elif key.person in state.reviewers.get(target, ()):
        why = f"{key.person} reviewed {target} before"
    if why:
        raise Refused(
            f"{why}.", next_step=f"another person types `workbench reviewed {target} -r TEXT`"
        )
    return Change([Draft(now, who.text, "break_glass.review", target, reason=reason)])


def review_run(
    control: Control, run: LoadedRun, *, reason: str, command_id: str | None = None
) -> tuple[str, ...]:
    """Record that this person reviewed a run before a first run; returns what its automation still lacks."""
    now = control.clock.now()
    content = {"name": "reviewed run", **vars(run), "reason": storable(reason)}
    done = control.transact(
        Command(control.new_id(command_id), content),
        lambda state, who: _decide_run_review(state, who, run, reason=content["reason"], now=now),
    )
    return lacks(done.state, done.state.automations.get(run.automation_id), now=now)


def _decide_run_review(
    state: State, who: Who, run: LoadedRun, *, reason: str, now: datetime
) -> Change:
    if not reason:
        raise UsageFault(
            "Say what you found in it.",
            next_step=f"`workbench reviewed {quote(run.run_id)} --reason TEXT`",
        )
    _refuse_uncounted(state, run)
    key = f"{run.source_id}/{run.run_id}"
    known = state.run_reviews.get(key)
    if policy_of(state).signoffs_required:
        signer = key_of(who, "A review that counts as a sign-off")
        persons = {state.keys[k].person for k in known.key_ids} if known else set()
        check_role(state, signer, roles=policy_of(state).may_sign, doing="sign off")
    else:
        persons = set(known.unsigned) if known else set()
    if (who.key.person if who.key else who.text) in persons:
        raise Refused(
            f"You reviewed {run.run_id} before; one person's word counts once.",
            next_step=f"another run of {run.automation_id}, or another person",
        )
    payload = {
        "source_id": run.source_id,
        "run_id": run.run_id,
        "automation_id": run.automation_id,
        "run_mode": run.run_mode,
    }
    return Change([Draft(now, who.text, "run.review", key, reason=reason, payload=payload)])


def _refuse_uncounted(state: State, run: LoadedRun) -> None:
    """Refuse a run that says nothing before a first run: of nobody known, live, or without success."""
    known = state.automations.get(run.automation_id)
    why = ""
    if known is None or known.is_retired:
        why = f"it is of {run.automation_id}, which is not in the registry"
    elif run.run_mode not in REHEARSAL_MODES:
        how = f"it ran {run.run_mode}" if run.run_mode else "it does not say how it ran (run_mode)"
        why = f"{how}; what counts is {', '.join(REHEARSAL_MODES)}"
    elif run.status != "succeeded":
        why = f"it is {run.status}; what counts is a run that succeeded"
    if why:
        raise Refused(
            f"The run {run.run_id} does not count before a first run: {why}.",
            next_step='see its runs with `workbench sql "select * from run"`',
        )

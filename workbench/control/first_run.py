"""First run: the guard holds that a registry places on what is new in production and not ready."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from workbench.control.entitling import check_role
from workbench.control.placing import storable
from workbench.control.signing import Who, key_of
from workbench.drills import GATE
from workbench.errors import Refused
from workbench.policy import PRODUCTION
from workbench.records import Automation, Hold, Mode, Purpose
from workbench.registry import Difference, Registry, compare
from workbench.store.log import Draft
from workbench.store.readiness import DRILL, hold_lacks, lacks, release_fault, unready
from workbench.store.signoffs import policy_of
from workbench.store.state import State

if TYPE_CHECKING:
    from workbench.control.commands import Control


@dataclass(frozen=True)
class Guard:
    """A hold that a registry would place on an automation, and what that lacks."""

    automation_id: str
    lacks: tuple[str, ...]

    @property
    def reason(self) -> str:
        """Say why, as the hold's reason does."""
        return f"not ready: lacks {'; '.join(self.lacks)}"


def guards_among(state: State, found: Sequence[Difference], *, now: datetime) -> list[Guard]:
    """Return the guard holds that differences bring: on what comes to production for the first time, not ready.

    What is in production already, in the log, is never guarded: a change of policy or file pauses nothing that runs.
    """
    if not policy_of(state).is_first_run_guarded:
        return []
    new = [d.record for d in found if isinstance(d.record, Automation)]
    coming = [record for record in new if _comes_to_production(state, record)]
    guards = [Guard(record.automation_id, lacks(state, record, now=now)) for record in coming]
    return [guard for guard in guards if guard.lacks]


def _comes_to_production(state: State, record: Automation) -> bool:
    before = state.automations.get(record.automation_id)
    was_there = before is not None and not before.is_retired and before.environment == PRODUCTION
    return record.environment == PRODUCTION and not was_there


def guards_of(control: Control, registry: Registry) -> list[Guard]:
    """Return the guard holds that applying a registry would place now."""
    from workbench.control.enrolling import known_registry

    state = control.state()
    return guards_among(state, compare(registry, known_registry(state)), now=control.clock.now())


def guard_drafts(
    state: State, guards: Sequence[Guard], *, who: Who, now: datetime, already_running: str
) -> list[Draft]:
    """Return the events of guard holds, or of their waiver for automations that run in production already."""
    reason = storable(already_running)
    if guards and reason:
        if state.keys:
            key_of(who, "A waiver of first-run holds")
        ids = [guard.automation_id for guard in guards]
        payload = {"automation_ids": ids}
        return [Draft(now, who.text, "first_run.waive", ids[0], reason=reason, payload=payload)]
    return [
        _draft(f"H-{number}", guard, who, now)
        for number, guard in enumerate(guards, len(state.holds) + 1)
    ]


def _draft(hold_id: str, guard: Guard, who: Who, now: datetime) -> Draft:
    return Draft(
        now,
        who.text,
        "hold.place",
        hold_id,
        reason=guard.reason,
        correlation_id=hold_id,
        payload={
            "scope": f"automation={guard.automation_id}",
            "purpose": str(Purpose.GUARD),
            "mode": str(Mode.FREEZE),
            "incident_id": "",
            "review_by": None,
            "covered": [guard.automation_id],
            "is_first_run": True,
        },
    )


def refuse_unready(state: State, hold: Hold, *, effects: str, now: datetime) -> None:
    """Refuse what would open a first-run hold before it is ready; reads alone may run before."""
    if why := unready(state, hold, effects=effects, now=now):
        raise Refused(
            f"{why}.",
            next_step=f"{way_to_ready(state, hold, now=now)}; or "
            f'`workbench resume {hold.hold_id} --full --break-glass "REASON"`, which is flagged',
        )


def refuse_kept(state: State, hold: Hold) -> None:
    """Refuse a release on readiness alone where the newest decision was for something else than that it lacked.

    To keep it paused while it lacked something is answered by its having got that.
    """
    if kept := state.kept_ready.get(hold.hold_id):
        decision = state.decisions[kept]
        raise Refused(
            f"{kept} decided {decision.decision} about {hold.hold_id}: {decision.reason}; "
            "that it is ready is no answer to it.",
            next_step=f"`workbench review {hold.hold_id}`, then `workbench decide R-N --override restart_full "
            f'--reason "TEXT"`, then `workbench resume {hold.hold_id} --full --decision D-N`',
        )


def way_to_ready(state: State, hold: Hold, *, now: datetime) -> str:
    """Return the commands that bring what a first-run hold still lacks, the slowest first."""
    (automation_id, *_) = sorted(state.covered[hold.hold_id])
    lacking = hold_lacks(state, hold, now=now)
    known = state.automations.get(automation_id)
    engine = (known.engine or (GATE if known.asks_gate else "")) if known else ""
    steps = []
    if any(lack.startswith(DRILL) for lack in lacking) and engine:
        kind = state.automations[automation_id].kind
        steps.append(
            f"`workbench drill {engine} --kind {kind}` in the staging store, then here "
            f"`workbench engine certify {engine} --from STAGING-STORE`"
        )
    elif any(lack.startswith(DRILL) for lack in lacking):
        steps.append(
            f"say `asks_gate = true` or an `engine` of {automation_id} in the registry and type "
            "`workbench registry apply FILE`"
        )
    if any(lack.startswith("of its checklist") for lack in lacking):
        steps.append("fill in its checklist and type `workbench registry apply FILE`")
    if any(lack.startswith("reviewed runs") for lack in lacking) or not steps:
        steps.append(
            f"load a read-only or staging run of {automation_id} and type `workbench reviewed RUN_ID --reason TEXT`"
        )
    return "; ".join(steps)


def refuse_lonely(state: State, hold: Hold, *, who: Who) -> None:
    """Refuse who may not release a first-run hold that is ready: the reviewers are other persons."""
    policy = policy_of(state)
    if policy.signoffs_required or policy.may_release:
        key = key_of(who, "The release of a first-run hold")
        check_role(state, key, roles=policy.may_release, doing="release a hold")
    if why := release_fault(state, hold, releaser=who.key):
        raise Refused(
            f"{hold.hold_id} is not released: {why}.",
            next_step="another person types `workbench reviewed RUN_ID --reason TEXT`, or the release itself: "
            f"`workbench hold release {hold.hold_id}`",
        )

"""What waits for another person's word, as the terminal and the panel show it: sign-offs, policies, keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workbench.control.signoff import signoff_state
from workbench.policy import MEANING, Policy, policy_from, weaker_fields
from workbench.records import Decision, Hold, SignOff, TwoPersonRequest, VerdictKind
from workbench.scope import EVERYTHING
from workbench.store.countersigning import POLICY
from workbench.store.signoffs import LACKING, barred_persons, holds_role, needed_count, policy_of
from workbench.store.state import State


def decision_in_words(decision: Decision) -> str:
    """Say what was decided, AGAINST which report where it overrides one, by whom and why."""
    against = f", AGAINST {decision.report_id}" if decision.is_override else ""
    about = f"{decision.decision_id}, {decision.decision}{against}"
    return f"{about}, by {decision.decided_by}{f': {decision.reason}' if decision.reason else ''}"


def report_said(decision: Decision) -> str:
    """Say which verdict the report came to that a decision is about."""
    return f"{decision.report_id} said {decision.verdict}"


@dataclass(frozen=True)
class PendingSignoff:
    """A sign-off that was asked for and can still be given or used.

    Attributes:
        lacking: how many that count it still needs, in words; empty when the resume may go.
        may_sign: persons with a key whose sign-off would count, with their role.
    """

    signoff: SignOff
    hold: Hold
    decision: Decision
    lacking: str
    may_sign: tuple[str, ...] = ()

    @property
    def signoff_id(self) -> str:
        """The short id."""
        return self.signoff.signoff_id

    @property
    def name(self) -> str:
        """What it is called in a list."""
        return self.signoff_id

    @property
    def deed(self) -> str:
        """Say in a few words what giving it does."""
        return f"sign off {self.signoff_id}"

    @property
    def is_wanting(self) -> bool:
        """Tell whether it still needs somebody's word."""
        return bool(self.lacking)

    @property
    def ground_in_words(self) -> str:
        """Say what it rests on, and what the report said that it may go against."""
        return f"{decision_in_words(self.decision)}; {report_said(self.decision)}"

    @property
    def plan_in_words(self) -> str:
        """Say exactly what it opens."""
        return plan_in_words(self.signoff)

    @property
    def asked_by(self) -> str:
        """Who asked, as the log names them."""
        return self.signoff.requested_by

    @property
    def expires_at(self) -> datetime:
        """Until when it can be used."""
        return self.signoff.expires_at


@dataclass(frozen=True)
class PendingRequest:
    """A weaker policy or a key that one person asked for, and another may let count.

    Attributes:
        content: exactly what was asked for; `changes` says it in words, one line each.
        asked_by: the person; `may_sign` are those who may do it, with their role.
    """

    request: TwoPersonRequest
    content: Mapping[str, Any]
    changes: tuple[str, ...]
    asked_by: str
    may_sign: tuple[str, ...]

    @property
    def name(self) -> str:
        """What it is called in a list."""
        return self.request.request_id

    @property
    def is_policy(self) -> bool:
        """Tell whether it is a policy; else it is a key."""
        return self.request.action == POLICY

    @property
    def deed(self) -> str:
        """Say in a few words what doing it does."""
        if self.is_policy:
            return "apply the weaker policy"
        return f"enrol a key of {self.content['person']}"

    @property
    def is_wanting(self) -> bool:
        """Tell whether it still needs somebody's word; done, it waits no longer."""
        return True

    @property
    def ground_in_words(self) -> str:
        """It rests on nothing else."""
        return ""

    @property
    def plan_in_words(self) -> str:
        """Say exactly what it changes."""
        return "; ".join(self.changes)

    @property
    def expires_at(self) -> datetime:
        """Until when it can be done."""
        return self.request.expires_at


Pending = PendingSignoff | PendingRequest


def plan_in_words(signoff: SignOff) -> str:
    """Say exactly what a sign-off opens, on which decision, and until when."""
    plan = signoff.plan
    on = f"{signoff.hold_id} on {signoff.decision_id}"
    engines = _of_engines(plan)
    if "max_runs" not in plan:
        return f"release {on} ({', '.join(plan['covered'])}){engines}"
    end = f", until {plan['until']}" if plan["until"] else ""
    reading = "reading " if plan.get("effects") == "read" else ""
    scope = plan["scope"]
    shown = f"{EVERYTHING} (safe mode: everything)" if scope == EVERYTHING else scope
    shares = ", ".join(f"{share['host']} ({share['runs']})" for share in plan.get("shares", ()))
    where = f" by {shares}" if shares else ""
    return f"{plan['max_runs']} {reading}runs of {shown} through {on}{where}{end}{engines}"


def _of_engines(plan: Mapping[str, Any]) -> str:
    """Say what is asked of engines beside it: missed starts, and how fast work is let go."""
    missed = {
        "skip": "missed starts skipped",
        "latest": "the latest missed start",
        "all": "all missed starts",
    }
    rate = plan.get("rate_per_minute")
    said = [
        missed.get(plan.get("catch_up", ""), ""),
        f"at most {rate} runs a minute" if rate else "",
    ]
    return "".join(f", {words}" for words in said if words)


def rule_in_words(policy: Policy) -> str:
    """Say whose word a resume needs under a policy."""
    whose = f" in the role {' or '.join(policy.may_sign)}" if policy.may_sign else ""
    minutes = round(policy.signoff_valid_seconds / 60)
    count = policy.signoffs_required
    if not count:
        asks = "asks for no sign-off of a resume"
        return f"{asks}, but of one against its report" if policy.is_override_signed else asks
    persons = "another person" if count == 1 else f"{count} other persons"
    return f"asks for a sign-off of {persons}{whose} before a resume, used within {minutes} min"


def pending_signoffs(state: State, *, now: datetime) -> tuple[PendingSignoff, ...]:
    """Return the sign-offs that can still be given or used, newest first."""
    found = []
    for signoff in reversed(state.signoffs.values()):
        why = signoff_state(state, signoff, now=now)
        hold = state.holds[signoff.hold_id]
        if hold.released_seq is None and (not why or LACKING in why):
            asker = state.keys[signoff.requester_key]
            barred = barred_persons(state, signoff, resumer=asker)
            others = _persons(state, policy_of(state).may_sign, barred=barred, now=now)
            decision = state.decisions[signoff.decision_id]
            found.append(PendingSignoff(signoff, hold, decision, why, others))
    return tuple(found)


def pending_request(
    state: State, request: TwoPersonRequest, *, content: Mapping[str, Any], now: datetime
) -> PendingRequest:
    """Return a request with what it changes and who may do it."""
    asker = state.keys[request.requester_key].person
    present = policy_of(state)
    roles = present.may_change_policy if request.action == POLICY else ()
    if request.action == POLICY:
        wanted = policy_from(content["policy"])
        weaker = weaker_fields(present, wanted)
        names = [n for n in MEANING if getattr(present, n) != getattr(wanted, n)]
        changes = tuple(_change(present, wanted, n, is_weaker=n in weaker) for n in names)
    else:
        until = f", until {content['until']}" if content.get("until") else ""
        changes = (f"{content['person']} as {content['role']}{until}: {content['public_hex']}",)
    others = _persons(state, roles, barred={asker}, now=now)
    return PendingRequest(request, content, changes, asker, others)


def _change(present: Policy, wanted: Policy, name: str, *, is_weaker: bool) -> str:
    was, will = setting_in_words(getattr(present, name)), setting_in_words(getattr(wanted, name))
    return f"{name} {was} -> {will}{' (weaker)' if is_weaker else ''}: {MEANING[name]}"


def setting_in_words(value: object) -> str:
    """Write the value of a setting as screens do."""
    if isinstance(value, tuple):
        return ", ".join(value) or "not limited"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def decisions_unasked(state: State, *, now: datetime) -> tuple[Decision, ...]:
    """Return the decisions that would let something run and for which nobody has asked the sign-off they need.

    Of each standing hold the newest decision alone, and none that let something run already.
    """
    newest = {d.hold_id: d for d in state.decisions.values()}
    asked = {p.decision.decision_id for p in pending_signoffs(state, now=now)}
    used = {p.decision_id for p in state.probations.values()}
    opens = (VerdictKind.RESTART_NARROW, VerdictKind.RESTART_FULL)
    return tuple(
        d
        for d in newest.values()
        if d.decision in opens
        and needed_count(state, d)
        and state.holds[d.hold_id].released_seq is None
        and d.decision_id not in asked | used
    )


def _persons(
    state: State, roles: tuple[str, ...], *, barred: set[str], now: datetime
) -> tuple[str, ...]:
    """Return the persons with a key that signs now, in one of some roles, other than who is barred."""
    reached = max(now, state.newest_at or now)
    found = {
        f"{key.person} ({key.role})"
        for key in state.keys.values()
        if key.is_live(reached) and holds_role(state, key, roles=roles) and key.person not in barred
    }
    return tuple(sorted(found))

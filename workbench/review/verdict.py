"""The verdict: a pure function of the checks, with one documented precedence.

1. `escalate` when any escalation trigger is true: the pause was slow or leaked beyond policy, the restart
   owner is unclear, or production records may have changed while paused.
2. `keep_paused` on any FAIL, or when a critical check lacks evidence: pause held, audit chain, pending
   approvals, provider status, affected records.
3. `restart_narrow` when anything else lacks evidence. Under a hold nothing runs, so run history and failed
   steps always do: this is the normal way out. In production also when no narrow restart has brought the
   required clean runs yet.
4. `restart_full` otherwise.

Where a named person's word stands for what lacks, that lack keeps nothing paused; the reason names the person, and
the check stays NO EVIDENCE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from shlex import quote

from workbench.records import Check, CheckStatus, Verdict, VerdictKind
from workbench.review.check_freshness import RESTS_ON
from workbench.review.ground import counted, listed, percent
from workbench.review.power import POWER
from workbench.review.statistics import upper_bound

CRITICAL = ("pause_held", "audit_chain", "pending_approvals", "provider_status", "affected_records")
"""Checks whose lack of evidence keeps everything paused."""

ENGINE_TABLES = ("run", "run_state", "step")
"""What an engine's reader loads."""

PERMISSIVENESS = (
    VerdictKind.ESCALATE,
    VerdictKind.KEEP_PAUSED,
    VerdictKind.RESTART_NARROW,
    VerdictKind.RESTART_FULL,
)
"""Verdicts from the strictest to the most permissive."""


@dataclass(frozen=True)
class Proposal:
    """What may start again and how: the part of a verdict that is not a judgement.

    Attributes:
        narrow_scope: what a narrow restart would let through; empty where nothing may.
        narrow_ids: its automations.
        run_count: runs of the narrow restart.
        is_production: a full restart then needs clean runs from a narrow one first.
        failure_count: failed runs among those that narrow restarts of this hold let through.
        clean_run_count: clean runs that narrow restarts of this hold have brought.
        needed_run_count: clean runs still needed, by the automation that lacks most.
        candidates: automations that a person may narrow to where nothing is proposed.
        missing_tables: tables that were not loaded, or not far enough, for these automations.
        aborting_count: failures in all at which the guardrail aborts by the end of the narrow restart; 0 if unknown.
        caught_rate: failure rate that the guardrail aborts among the runs in four cases of five; None if there is none.
        escalate_to: roles that own the restart, with their deputies, as the registry names them.
        aborted_scope: scope of an open narrow restart whose guardrail says abort; empty where there is none.
        onset: instant that a person gave as the begin of the trouble, which the next command gives, too.
        sources: table -> the one source that loaded it before, which loads it further.
        engine: the one engine that runs all of them, which `sync` reads; empty where there is none.
    """

    hold_id: str
    scope: str
    narrow_scope: str = ""
    narrow_ids: tuple[str, ...] = ()
    run_count: int = 20
    failure_count: int = 0
    is_production: bool = True
    clean_run_count: int = 0
    needed_run_count: int = 59
    candidates: tuple[str, ...] = ()
    missing_tables: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    engine: str = ""
    aborting_count: int = 0
    caught_rate: float | None = None
    aborted_scope: str = ""
    escalate_to: tuple[str, ...] = ()
    onset: str = ""

    @property
    def detectable_rate(self) -> float:
        """Upper bound of the failure rate, if no run of the narrow restart fails."""
        done = self.failure_count + self.clean_run_count
        return upper_bound(self.failure_count, done + self.run_count)


def decide_kind(
    checks: Sequence[Check], escalations: Sequence[str], *, is_proven: bool
) -> VerdictKind:
    """Return the verdict's kind by the precedence above; `is_proven` means a full restart needs no more runs."""
    if escalations:
        return VerdictKind.ESCALATE
    statuses = {check.status for check in checks}
    lacking = {check.name for check in checks if check.is_lacking}
    present = {check.name for check in checks}
    if CheckStatus.FAIL in statuses or lacking & set(CRITICAL) or not set(CRITICAL) <= present:
        return VerdictKind.KEEP_PAUSED
    if lacking or not is_proven:
        return VerdictKind.RESTART_NARROW
    return VerdictKind.RESTART_FULL


def conclude(checks: Sequence[Check], escalations: Sequence[str], *, proposal: Proposal) -> Verdict:
    """Return the verdict with its reason, first blocker and the next command."""
    is_proven = not proposal.is_production or (
        proposal.clean_run_count > 0 and proposal.needed_run_count == 0
    )
    kind = decide_kind(checks, escalations, is_proven=is_proven)
    blocker = first_blocker(checks)
    is_narrow = kind is VerdictKind.RESTART_NARROW and bool(proposal.narrow_ids)
    return Verdict(
        kind=kind,
        reason=_reason(kind, checks, escalations, proposal),
        first_blocker=blocker.sentence if blocker and kind is not VerdictKind.RESTART_FULL else "",
        next_command=_next_command(kind, proposal, blocker),
        narrow_scope=proposal.narrow_scope,
        narrow_run_count=proposal.run_count if is_narrow else None,
        detectable_failure_rate=proposal.detectable_rate if is_narrow else None,
        escalation_reasons=tuple(escalations),
    )


def first_blocker(checks: Sequence[Check]) -> Check | None:
    """Return the check that stands in the way first: a FAIL, else a critical gap, else any gap."""
    failed = [check for check in checks if check.status is CheckStatus.FAIL]
    lacking = [check for check in checks if check.is_lacking]
    critical = [check for check in lacking if check.name in CRITICAL]
    return next(iter([*failed, *critical, *lacking]), None)


def _reason(
    kind: VerdictKind, checks: Sequence[Check], escalations: Sequence[str], proposal: Proposal
) -> str:
    failed = [check for check in checks if check.status is CheckStatus.FAIL]
    lacking = [check for check in checks if check.is_lacking]
    blocker = first_blocker(checks)
    if kind is VerdictKind.ESCALATE:
        more = f"; {counted(len(failed), 'check')} failed" if failed else ""
        said = "; ".join(escalations)
        to = f" Tell {listed(proposal.escalate_to)}." if proposal.escalate_to else ""
        return f"{said[0].upper()}{said[1:]}{more}.{to}"
    if kind is VerdictKind.KEEP_PAUSED and blocker is not None:
        critical = [check for check in lacking if check.name in CRITICAL]
        others = [c.name.replace("_", " ") for c in (*failed, *critical) if c.name != blocker.name]
        stands = counted(len(others), "more check stands", plural="more checks stand")
        more = f" And {stands} in the way: {listed(others, limit=12)}." if others else ""
        return f"{blocker.sentence}{more}"
    if kind is VerdictKind.RESTART_NARROW:
        return f"{_narrow_reason(lacking, proposal)}{_on_words(checks)}"
    if kind is VerdictKind.RESTART_FULL:
        clean = counted(proposal.clean_run_count, "clean run")
        words = _on_words(checks)
        passed = "No check stands in the way" if words else "Every check passed"
        return f"{passed}, after {clean} since the pause.{words}"
    return "Nothing could be judged."


def _on_words(checks: Sequence[Check]) -> str:
    """Return which checks rest on a person's word and not on evidence, and on whose; '' where none does."""
    answered = [check for check in checks if check.answered_by]
    if not answered:
        return ""
    names = listed([check.name.replace("_", " ") for check in answered])
    said = "; ".join(dict.fromkeys(check.answered_by for check in answered))
    return f" Not on evidence but on a person's word: {names}; {said}."


def _narrow_reason(lacking: Sequence[Check], proposal: Proposal) -> str:
    more = f"{proposal.needed_run_count}{' more' if proposal.clean_run_count else ''}"
    gaps = listed([check.name.replace("_", " ") for check in lacking])
    short = (
        f"No check failed, but evidence is lacking on {gaps}"
        if lacking
        else "No check failed, but too few runs show it"
    )
    if not proposal.narrow_ids:
        return f"{short}; no automation was picked to start with, so a person must narrow the scope first."
    return (
        f"{short}: let {listed(proposal.narrow_ids)} through for {proposal.run_count} runs, which speak "
        f"against a failure rate above {percent(proposal.detectable_rate)} if none fails; "
        f"{_guardrail(proposal)}a full restart needs {more} clean runs."
    )


def _guardrail(proposal: Proposal) -> str:
    """Return when to stop a narrow restart before its end, where that may come at all."""
    more = proposal.aborting_count - proposal.failure_count
    if not proposal.aborting_count:
        return ""
    if more > proposal.run_count or proposal.caught_rate is None:
        return "so few runs cannot make the guardrail abort, whatever the failure rate; "
    return (
        f"stop at {counted(more, 'failure')} among them, or fewer if the guardrail says so, which catches a failure "
        f"rate of {percent(proposal.caught_rate)} with a chance of {percent(POWER)}; "
    )


def _next_command(kind: VerdictKind, proposal: Proposal, blocker: Check | None) -> str:
    if proposal.aborted_scope:
        # What still lets runs through is stopped first: a new hold, which no narrow restart opens.
        reason = "the guardrail of the narrow restart says abort"
        return f"workbench pause {quote(proposal.aborted_scope)} --reason {quote(reason)}"
    if kind is VerdictKind.ESCALATE:
        return f"workbench card {quote(proposal.scope)}"
    if kind is VerdictKind.KEEP_PAUSED and blocker is not None:
        return _unblock(proposal, blocker)
    narrow = quote(proposal.narrow_scope)
    if kind is VerdictKind.RESTART_NARROW and proposal.narrow_ids:
        return f"workbench resume {proposal.hold_id} --only {narrow} --runs {proposal.run_count}"
    if kind is VerdictKind.RESTART_FULL:
        return f"workbench resume {proposal.hold_id} --full"
    if kind is VerdictKind.RESTART_NARROW and proposal.candidates:
        first = f"automation={proposal.candidates[0]}"
        return f"workbench review {proposal.hold_id} --only {first}{_onset(proposal)}"
    return _again(proposal)


def _again(proposal: Proposal) -> str:
    only = f" --only {quote(proposal.narrow_scope)}" if proposal.narrow_scope else ""
    return f"workbench review {proposal.hold_id}{only}{_onset(proposal)}"


def _onset(proposal: Proposal) -> str:
    return f" --onset {quote(proposal.onset)}" if proposal.onset else ""


def _unblock(proposal: Proposal, blocker: Check) -> str:
    """Return what may change the verdict: loading what lacks, else the page of who can mend what failed.

    Where a part may start, its own review comes first; where only time can tell, the same review later.
    """
    if proposal.narrow_scope:
        return _again(proposal)
    if blocker.name == "affected_records" and blocker.status is CheckStatus.FAIL:
        return f"workbench affected list {proposal.hold_id}{_onset(proposal)}"
    if blocker.status is CheckStatus.FAIL:
        return f"workbench card {quote(proposal.scope)}"
    # Of what lacks, what this very blocker rests on: loading another's would leave it as it is.
    own = RESTS_ON.get(blocker.name, proposal.missing_tables)
    table = next((name for name in own if name in proposal.missing_tables), "")
    if not table and blocker.name == "pause_held":
        return _again(proposal)  # only time can tell whether the next start comes
    # Loaded far enough and yet it shows nothing: what the check rests on must bring more.
    table = table or next(iter(own), "")
    if not table:
        return _again(proposal)
    if proposal.engine and table in ENGINE_TABLES:
        return f"workbench sync {quote(proposal.engine)}"
    source = quote(proposal.sources.get(table, "NAME"))
    return f"workbench load --table {table} --source {source} FILE --complete-until INSTANT"

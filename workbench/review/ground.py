"""The ground of a review: the question and its tables, each with the columns and types that checks rely on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from workbench.records import Automation, Check, CheckStatus
from workbench.review.covering import known_automations
from workbench.review.request import ReviewRequest, hold_chain
from workbench.review.verified import with_verifications, without_withdrawn

RECORDS = "review.affected_records"
CHAIN = "store.chain"
PROBATION = "store.probation"
TICKETS = "store.tickets"
VERIFICATIONS = "store.verifications"
WITHDRAWN = "store.withdrawn"
NONE_SAID = "store.none_said"
OBJECTIVES = "store.objectives"
READINESS = "store.readiness"
FIRST_RUNS = "store.first_runs"

COLUMNS: Mapping[str, str] = {
    "review.registered_automations": "automation_id kind category environment owner restart_owner deputy engine"
    " provider tools expected_interval_seconds approval_requirement kill_switch last_drill_at",
    "review.holds": "hold_id scope purpose mode reason incident_id placed_at placed_by placed_seq review_by"
    " released_at released_by",
    "review.hold_targets": "hold_id automation_id recorded_at delivered_at confirmed_at quiet_at last_write_at",
    "review.decisions": "decision_id hold_id report_id verdict decision decided_at decided_by reason",
    "review.runs": "source_id run_id automation_id trigger status raw_status run_mode environment first_seen_at"
    " scheduled_at queued_at started_at finished_at vanished_at attempt_count triggered_by version provider tool"
    " cost_amount cost_currency token_count context_as_of error_signature error_message",
    "review.failed_steps": "source_id run_id step_id attempt automation_id failed_at error_signature error_message"
    " run_status",
    "review.audit_events": "source_id event_id occurred_at actor action target_kind target_id outcome reason"
    " correlation_id automation_id approval_id",
    "review.operator_events": "source_id event_id occurred_at actor action target_kind target_id outcome reason",
    "review.approvals": "source_id approval_id run_id automation_id action risk requested_at requested_by expires_at"
    " decided_at decided_by decision reason",
    "review.provider_status": "source_id provider component since_at until_at status impact incident_ref title",
    "review.affected_records": "source_id run_id record_type record_id change_seq automation_id changed_at change"
    " before after reversibility customer_facing verified_at verified_by",
    "review.alerts": "source_id alert_id fired_at automation_id rule severity resolved_at acknowledged_at"
    " acknowledged_by summary",
    "review.changes": "source_id change_id changed_at kind target actor summary",
    "review.incidents": "source_id incident_id title severity started_at detected_at acknowledged_at paused_at"
    " mitigated_at resolved_at scope",
    "review.watermarks": "source_id table_name loaded_until_at checked_at age_seconds is_from_file",
    "review.serving_sources": "table_name source_id provider",
    "review.pause_in_flight": "hold_id source_id run_id automation_id receipt_at started_at finished_at status step_at"
    " has_open_step is_vanished",
    "review.pause_reach": "hold_id automation_id recorded_at receipt_at watched_until_at start_count last_start_at"
    " write_count last_write_at",
    "review.outcomes": "source_id run_id automation_id started_at finished_at is_failed error_message",
    "month.held_runs": "source_id run_id automation_id status started_at finished_at error_message",
    "month.failures": "source_id run_id automation_id status started_at finished_at attempt_count",
    "month.outcomes": "automation_id status started_at finished_at error_message run_count",
    CHAIN: "is_ok event_count finding",
    PROBATION: "probation_id hold_id automation_id max_runs started_at ended_at",
    TICKETS: "probation_id run_id automation_id taken_at",
    VERIFICATIONS: "source_id run_id record_type record_id change_seq automation_id content_sha256 verified_at"
    " verified_by person reason",
    WITHDRAWN: "source_id run_id record_type record_id change_seq automation_id withdrawn_at withdrawn_by reason",
    NONE_SAID: "hold_id automation_id since_at until_at run_count runs_sha256 said_at said_by person reason",
    OBJECTIVES: "scope automation_id member_count objective_percent",
    READINESS: "automation_id is_stoppable answer_count last_drill_at",
    FIRST_RUNS: "hold_id",
}
"""Columns of each table, instants by their suffix; a table that is not given counts as empty."""

_NUMBERS = (
    "attempt",
    "attempt_count",
    "age_seconds",
    "cost_amount",
    "token_count",
    "max_runs",
    "placed_seq",
    "change_seq",
    "run_count",
    "event_count",
    "start_count",
    "write_count",
    "member_count",
    "answer_count",
    "expected_interval_seconds",
)
_INSTANT: Final = "datetime64[us, UTC]"


@dataclass(frozen=True)
class Section:
    """One part of a report: what it is called, what it says, rows by caption, figures by name."""

    title: str
    sentence: str
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, pd.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """What one check found: its row of the check table, its section, and what must be escalated."""

    check: Check
    section: Section
    escalations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Headline:
    """The contrast in plain words: what the alert says, what the evidence says.

    `restart_says`: what the guardrail says of the narrow restart; empty where it let nothing through.
    """

    alert_says: str
    evidence_says: str
    sentence: str
    restart_says: str = ""


def shaped(name: str, rows: pd.DataFrame | None) -> pd.DataFrame:
    """Return a table with the columns its query promises, instants as UTC, also when it is empty or absent."""
    columns = COLUMNS[name].split()
    found = pd.DataFrame(columns=columns) if rows is None else rows.reindex(columns=columns)
    found = found.reset_index(drop=True)
    for column in columns:
        if column.endswith("_at") or column == "context_as_of":
            found[column] = pd.to_datetime(found[column], utc=True).astype(_INSTANT)
        elif column in _NUMBERS:
            found[column] = pd.to_numeric(found[column]).astype("float64")
        else:
            known = found[column].astype(object)
            found[column] = known.where(known.notna(), None)
    return found


@dataclass(frozen=True)
class Ground:
    """What every check looks at; tables are read by name and never changed."""

    request: ReviewRequest
    tables: Mapping[str, pd.DataFrame]

    def table(self, name: str) -> pd.DataFrame:
        """Return a query's rows about the automations under review, by the name without its folder."""
        return self._known(name if "." in name else f"review.{name}").copy()

    @cached_property
    def _shaped(self) -> dict[str, pd.DataFrame]:
        return {}

    def _known(self, name: str) -> pd.DataFrame:
        """Return a table that is not to be changed; shaped when it is first asked for, for few ask for all."""
        if name not in self._shaped:
            self._shaped[name] = self._made(name)
        return self._shaped[name]

    def _made(self, name: str) -> pd.DataFrame:
        found = self._shaped_rows(name)
        if name != RECORDS:
            return found
        known = without_withdrawn(found, self._known(WITHDRAWN), as_of=self.as_of)
        words, needed = self._known(VERIFICATIONS), self.verifier_count
        return with_verifications(known, words, as_of=self.as_of, needed=needed)

    def _shaped_rows(self, name: str) -> pd.DataFrame:
        """Shape only what is about the automations: a ground may be one of many over the same tables."""
        rows = self.tables.get(name)
        if "automation_id" not in COLUMNS[name].split() or name == "review.audit_events":
            return shaped(name, rows)
        if rows is None or "automation_id" not in rows.columns:
            return shaped(name, None)
        is_mine = rows["automation_id"].isin(self.request.automation_ids).to_numpy()
        found = shaped(name, rows[is_mine])
        return found.set_axis(np.flatnonzero(is_mine))

    @cached_property
    def automations(self) -> dict[str, Automation]:
        """Registry records of the automations under review."""
        return known_automations(self.table("registered_automations"))

    @cached_property
    def hold(self) -> pd.Series[Any]:
        """Row of the hold under review."""
        holds = self._known("review.holds")
        return holds[holds["hold_id"] == self.request.hold_id].iloc[0]

    @cached_property
    def chain(self) -> pd.DataFrame:
        """The hold and the earlier holds of the same trouble, in order."""
        return hold_chain(self.hold, self._known("review.holds"), limits=self.request.thresholds)

    @property
    def first_paused_at(self) -> pd.Timestamp:
        """Instant of the first hold of the chain."""
        return pd.Timestamp(self.chain["placed_at"].iloc[0])

    @property
    def as_of(self) -> pd.Timestamp:
        """End of the window, exclusive."""
        return pd.Timestamp(self.request.as_of)

    @property
    def onset_at(self) -> pd.Timestamp:
        """Begin of the trouble."""
        return pd.Timestamp(self.request.onset_at)

    @property
    def paused_at(self) -> pd.Timestamp:
        """Instant of the hold under review."""
        return pd.Timestamp(self.request.paused_at)

    @cached_property
    def limits(self) -> Any:
        """Thresholds of this review."""
        return self.request.thresholds

    @property
    def verifier_count(self) -> int:
        """Persons who must verify a record that cannot be undone."""
        return int(self.request.thresholds.verifier_count)

    @cached_property
    def memo(self) -> dict[str, Any]:
        """What several checks need and one works out; never part of the result."""
        return {}

    def narrowed_to(self, automation_id: str) -> Ground:
        """Return the same ground for one automation alone, without asking for anything again."""
        automation = self.automations.get(automation_id)
        providers = (automation.provider,) if automation and automation.provider else ()
        question = replace(
            self.request,
            only=f"automation={automation_id}",
            automation_ids=(automation_id,),
            providers=providers,
        )
        return Ground(question, self.tables)


def worst(*statuses: CheckStatus) -> CheckStatus:
    """Return the status that counts: FAIL over NO EVIDENCE over PASS."""
    for status in (CheckStatus.FAIL, CheckStatus.NO_EVIDENCE):
        if status in statuses:
            return status
    return CheckStatus.PASS


def judged(*, is_bad: bool, is_lacking: bool) -> CheckStatus:
    """Return FAIL for what is bad, else NO EVIDENCE for what is lacking, else PASS."""
    if is_bad:
        return CheckStatus.FAIL
    return CheckStatus.NO_EVIDENCE if is_lacking else CheckStatus.PASS


def filled(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the tables that have rows."""
    return {caption: rows for caption, rows in tables.items() if len(rows)}


def counted(number: float, noun: str, *, plural: str = "") -> str:
    """Write a count with its noun: `1 run`, `1,204 runs`."""
    return f"{int(number):,} {noun if int(number) == 1 else plural or noun + 's'}"


def listed(names: Any, limit: int = 4) -> str:
    """Write names as people do, at most `limit` of them."""
    known = [str(name) for name in names]
    shown = known[:limit] + ([f"{len(known) - limit} more"] if len(known) > limit else [])
    return (
        ", ".join(shown[:-1]) + (" and " if len(shown) > 1 else "") + shown[-1] if shown else "none"
    )


def spoken(seconds: float) -> str:
    """Write a duration in words a person uses: `240 ms`, `14.2 s`, `3 min`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds == int(seconds) and seconds < 60:
        return f"{int(seconds)} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        rest = f" {int(seconds % 60):02d} s" if int(seconds % 60) else ""
        return f"{int(seconds // 60)} min{rest}"
    if seconds < 86400:
        return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"
    return f"{int(seconds // 86400)} d {int(seconds % 86400 // 3600)} h"


def clock(instant: datetime) -> str:
    """Write an instant as the time of day in UTC."""
    return f"{instant:%H:%M:%S} UTC"


def percent(share: float) -> str:
    """Write a share in percent, small ones with two decimals."""
    return f"{share * 100:.2f} %" if 0 < share < 0.01 else f"{share * 100:.1f} %"


def seconds_from(later: Any, earlier: Any) -> Any:
    """Return the seconds between instants or columns of instants."""
    gap = later - earlier
    return gap.dt.total_seconds() if isinstance(gap, pd.Series) else gap.total_seconds()

"""What the findings of a review are compared with, and where each number comes from: policy, or a source of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from workbench.policy import Policy
from workbench.review.statistics import upper_bound


def _threshold(value: float, source: str) -> Any:
    return field(default=value, metadata={"source": source})


@dataclass(frozen=True)
class ReviewThresholds:
    """What findings are compared with; `source` says where each number comes from.

    Attributes:
        sources: threshold -> where it comes from, in place of the source of the usual one.
    """

    pause_effective_seconds: float = _threshold(
        5,
        "public runbooks for agents: a pause is effective within 5 s and lets nothing through after",
    )
    max_failure_rate: float = _threshold(
        0.05, "a rate that is above it for certain is a failure, however few runs are asked for"
    )
    clean_run_count: int = _threshold(
        59, "exact one-sided bound: 59 runs without a failure bound the rate at 5 %"
    )
    confidence: float = _threshold(0.95, "Clopper and Pearson 1934, one-sided")
    narrow_run_count: int = _threshold(
        20, "exact one-sided bound: 0 failures in 20 runs bound the rate at 13.9 %"
    )
    watermark_max_age_seconds: float = _threshold(
        900, "older than a quarter of an hour, `no new failures` may mean that nothing was loaded"
    )
    drill_max_age_days: float = _threshold(31, "public runbooks for agents: rehearse monthly")
    provider_lag_seconds: float = _threshold(
        300, "status pages are written by people: trouble may begin five minutes before they say so"
    )
    significance: float = _threshold(0.05, "permutation of failures over runs, one-sided")
    waiting_run_limit: int = _threshold(
        12, "prefect issue 19313: a burst of 12 late runs after a pause did harm"
    )
    baseline_days: float = _threshold(7, "a week holds every weekly cycle once")
    lookback_hours: float = _threshold(24, "a fault older than a day is looked for by a person")
    late_start_seconds: float = _threshold(
        60, "a run that starts more than a minute after its time is late"
    )
    relapse_hours: float = _threshold(
        24, "GitHub status history: 21 % of Actions incidents came back within 24 h, 13 % by chance"
    )
    guardrail_alpha: float = _threshold(
        0.05,
        "Ville 1939: a healthy restart is ever aborted with this chance at most, however often one looks",
    )
    alternative_rate: float = _threshold(
        0.3, "where the guardrail looks first: 10 % that became 30 % is to be caught within 25 runs"
    )
    baseline_run_count: float = _threshold(
        59, "exact one-sided bound: a baseline of fewer runs cannot bound a rate at 5 %"
    )
    verifier_count: int = _threshold(1, "one person looks at a record, however it can be undone")
    sources: Mapping[str, str] = field(default_factory=dict)

    def source(self, name: str) -> str:
        """Return where a threshold comes from."""
        found = next(f for f in fields(self) if f.name == name)
        return self.sources.get(name) or str(found.metadata["source"])

    @property
    def proven_rate(self) -> float:
        """Failure rate that the asked-for runs without a failure speak against; one failure asks for more."""
        if self.clean_run_count == ReviewThresholds.clean_run_count:
            return self.max_failure_rate
        return upper_bound(0, self.clean_run_count, confidence=self.confidence)


def thresholds_under(policy: Policy | None) -> ReviewThresholds:
    """Return the thresholds that hold under an applied policy; without one, those with a source of their own."""
    usual = ReviewThresholds()
    if policy is None:
        return usual
    names = (
        "pause_effective_seconds",
        "watermark_max_age_seconds",
        "clean_run_count",
        "drill_max_age_days",
    )
    return replace(
        usual,
        pause_effective_seconds=policy.pause_latency_seconds,
        watermark_max_age_seconds=policy.evidence_max_age_seconds,
        clean_run_count=policy.clean_runs,
        drill_max_age_days=policy.drill_max_age_days,
        narrow_run_count=min(usual.narrow_run_count, policy.clean_runs),
        sources=dict.fromkeys(names, f"policy of {policy.environment}"),
    )

"""What makes somebody look: the rules of `[triggers]`, where each usual number comes from, and what a look found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

_PERCENT = re.compile(r"\d{1,2}(?:\.\d{1,3})?")
_MONEY = re.compile(r"\d{1,12}(?:\.\d{1,6})? [A-Z]{3}")
ACTIONS = ("notify", "pause")
_BOUNDS = {
    "failure_rate_runs": (10, 1000),
    "failure_rate_percent": (0, 99),
    "tell_next_seconds": (0, 86_400),
}


def _rule(value: Any, source: str) -> Any:
    return field(default=value, metadata={"source": source})


@dataclass(frozen=True)
class TriggerRules:
    """What a look at an automation or a category compares with; 0, or an empty budget, switches a rule off.

    Attributes:
        action: `notify` says and records it; `pause` places a guard hold, too.
        failure_streak: runs that failed one after the other.
        failure_rate_percent: failure rate that the last `failure_rate_runs` runs are above for certain.
        spend_ratio: times the usual cost of one run that the last ten cost, as medians.
        budget_per_hour: amount and currency, `1.50 USD`, of the last hour; so `budget_per_day`.
        context_max_age_seconds: age of the context that a run began on.
        suspect_changes: records that customers see, changed within an hour by runs that failed or began
            on context that was too old.
        customer_changes_per_hour: records that customers see, changed within an hour by any run.
        objective_percent: share of runs that is to succeed, `99.5`; the rest is the error budget.
        tell_next_seconds: how long a role that was told has to acknowledge before the next one is told, too.
    """

    action: str = _rule("notify", "a person decides, unless the registry says otherwise")
    failure_streak: int = _rule(
        5, "chance: what fails one time in ten fails five times in a row once in 100,000 runs"
    )
    failure_rate_percent: int = _rule(
        10, "twice the 5 % that a review asks for; exact one-sided bound at 99 % (Clopper-Pearson)"
    )
    failure_rate_runs: int = _rule(
        20, "the runs of a narrow restart: 0 failures in 20 bound the rate at 13.9 %"
    )
    spend_ratio: int = _rule(
        3,
        "the shipped recording: without the fault at most 1.2 times the usual, with it up to 6.1 times",
    )
    budget_per_hour: str = _rule("", "the registry")
    budget_per_day: str = _rule("", "the registry")
    context_max_age_seconds: int = _rule(
        3600, "no public number was found; an hour, until the registry states one"
    )
    suspect_changes: int = _rule(
        3, "the shipped recording: ordinary failures change one or two such records in an hour"
    )
    customer_changes_per_hour: int = _rule(0, "the registry")
    objective_percent: str = _rule("", "the registry")
    tell_next_seconds: int = _rule(
        300, "5 minutes to answer for what users see (Site Reliability Engineering, chapter 11)"
    )

    def source(self, name: str) -> str:
        """Return where a number comes from: the registry where it differs from the usual one."""
        found = next(f for f in fields(self) if f.name == name)
        is_usual = getattr(self, name) == found.default
        return str(found.metadata["source"]) if is_usual else "registry, [triggers]"


NAMES = tuple(f.name for f in fields(TriggerRules))
OWN_ONLY = ("budget_per_hour", "budget_per_day", "customer_changes_per_hour")
"""Limits of a category as a whole, which its automations do not inherit."""


def why_wrong(name: str, value: Any) -> str:
    """Return what is wrong with one setting of `[triggers]`, or an empty text."""
    if name not in NAMES:
        return f"unknown key {name!r}; there are {', '.join(NAMES)}"
    if name == "action":
        return "" if value in ACTIONS else f"action must be one of {', '.join(ACTIONS)}"
    if name.startswith("budget_"):
        is_money = value == "" or (isinstance(value, str) and _MONEY.fullmatch(value))
        return "" if is_money else f'{name} must be an amount and a currency, like "1.50 USD"'
    if name == "objective_percent":
        is_share = isinstance(value, str) and (value == "" or _is_objective(value))
        return "" if is_share else f'{name} must be a share between 0 and 100 as text, like "99.5"'
    least, most = _BOUNDS.get(name, (0, 10**9))
    is_count = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    return "" if is_count else f"{name} must be a whole number from {least} to {most}"


def _is_objective(text: str) -> bool:
    return bool(_PERCENT.fullmatch(text)) and Decimal(text) > 0


def rules_of(stated: Mapping[str, Any]) -> TriggerRules:
    """Return the rules that an automation or a category states, the usual ones for the rest.

    What another version wrote and this one does not know is left out: it stops no look.
    """
    return TriggerRules(**{k: v for k, v in stated.items() if not why_wrong(k, v)})


def money(text: str) -> tuple[Decimal, str]:
    """Return the amount and the currency of a budget."""
    amount, _, currency = text.partition(" ")
    return Decimal(amount), currency


class TriggerState(StrEnum):
    """What a look found of one rule."""

    FIRES = "fires"
    QUIET = "quiet"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Subject:
    """What is looked at: an automation, or a category as a whole.

    Attributes:
        scope: as a pause takes it, `automation=invoice-triage`.
        automation_ids: whose runs and records count.
        tell: roles to tell, the first at once, the others when it is not acknowledged.
        restarted_at: when a hold on it was released last; what ran before then is not held against it again.
        stated: rules that the registry states for it: where these find nothing to look at, that is said.
    """

    scope: str
    automation_ids: tuple[str, ...]
    rules: TriggerRules
    tell: tuple[str, ...]
    restarted_at: datetime | None = None
    stated: tuple[str, ...] = ()

    @property
    def is_category(self) -> bool:
        """Tell whether it is a category as a whole."""
        return self.scope.startswith("category=")


@dataclass(frozen=True)
class TriggerFinding:
    """What a look found of one rule at one subject.

    Attributes:
        rule: name of the rule, such as `failure_streak`; `evidence` where nothing could be looked at.
        number: what was measured, as text, in `unit`; empty where nothing could be.
        threshold: what it is compared with, and `source` where that comes from.
        query: dotted name of the query that gave the rows.
        is_near: it is quiet, but too near to its threshold to end an episode.
    """

    scope: str
    rule: str
    state: TriggerState
    sentence: str
    number: str = ""
    unit: str = ""
    threshold: str = ""
    source: str = ""
    query: str = ""
    is_near: bool = False

    @property
    def key(self) -> str:
        """Return under which name its episodes are recorded."""
        return f"{self.scope}/{self.rule}"

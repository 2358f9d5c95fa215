"""Made incidents with one known cause, or none: every draw comes from the seed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from workbench.review.attributes import Mark, has, names_of
from workbench.review.causes import Evidence
from workbench.review.onset import find_onset

AUTOMATIONS = ("triage", "refunds", "mailer", "stock", "report")
CATEGORIES = {
    "triage": "support", "refunds": "commerce", "mailer": "support", "stock": "commerce", "report": "office",
}  # fmt: skip
CHOICES = {
    "provider": ("acme", "globex", "initech"),
    "tool": ("ledger", "mail", "crm", "search"),
    "trigger": ("schedule", "event", "manual"),
    "version": ("v1", "v2"),
}
SIGNATURES = ("timeout", "HTTP 429", "bad request")
FRAGILE_TOOL = "search"
"""Always fails this many times as often, in the time before as well: no cause of anything new."""
FRAGILE = 3.0
PLANTED = ("provider", "version", "tool", "category", "trigger", "signature", "pair", "change")
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
CALM_HOURS = 72
ALERTS = pd.DataFrame(columns=["fired_at", "resolved_at"])


@dataclass(frozen=True)
class Incident:
    """An incident as a review would find it, and what was planted: a name, or an empty text for no cause."""

    planted: str
    truth: str
    evidence: Evidence


def make_incident(seed: int, planted: str = "") -> Incident:
    """Return the incident of a seed with a cause of one kind; an empty text plants none: all runs fail more.

    Five automations, a run every two minutes or so, some 2,000 runs before the onset and 40 to 160 after it; 1 to 4 %
    fail without a cause and one tool three times as often; 1 to 4 changes a day to this or that. With the cause
    50 to 90 % fail; a pair, which is rarely met, is given more time. The onset is found as in a review.
    """
    rng = np.random.default_rng([seed, len(planted), *planted.encode()])
    count = int(rng.integers(40, 161)) * (3 if planted == "pair" else 1)
    runs = _runs(rng, calm_count=int(rng.integers(1500, 2500)), count=count)
    changes = _background_changes(rng, runs["started_at"].max())
    onset = pd.Timestamp(BEGIN + timedelta(hours=CALM_HOURS))
    is_after = (runs["started_at"] >= onset).to_numpy()
    truth, mark = _plant(rng, runs[is_after], planted)
    is_hit = has(runs, mark).to_numpy() if mark else np.zeros(len(runs), dtype=bool)
    if planted == "change":
        changes, truth = _planted_change(rng, changes, onset, touched=truth)
    rate = rng.uniform(0.01, 0.04)
    prone = np.where(runs["tool"] == FRAGILE_TOOL, FRAGILE * rate, rate)
    chance = np.where(is_after & is_hit, rng.uniform(0.5, 0.9), prone)
    if planted in ("", "signature"):
        more = prone / prone.mean() * rng.uniform(0.15, 0.5)
        chance = np.where(is_after, np.minimum(more, 0.95), prone)
    _fail(rng, runs, chance)
    if planted == "signature":
        is_new = runs["is_troubled"] & is_after & (rng.random(len(runs)) < 0.8)
        runs.loc[is_new, "error_signature"] = truth
    return Incident(planted, truth, _seen(runs, changes))


def _runs(rng: np.random.Generator, *, calm_count: int, count: int) -> pd.DataFrame:
    calm = np.sort(rng.uniform(0, CALM_HOURS * 3600, calm_count))
    later = CALM_HOURS * 3600 + np.sort(rng.uniform(0, count * 30, count))
    seconds = np.concatenate([calm, later])
    chosen: dict[str, Any] = {
        name: rng.choice(values, len(seconds), p=_shares(rng, len(values)))
        for name, values in CHOICES.items()
    }
    runs = pd.DataFrame({"automation_id": rng.choice(AUTOMATIONS, len(seconds)), **chosen})
    runs["category"] = runs["automation_id"].map(CATEGORIES)
    runs["started_at"] = pd.Timestamp(BEGIN) + pd.to_timedelta(seconds, unit="s").round("ms")
    runs["finished_at"] = runs["started_at"] + pd.Timedelta(seconds=5)
    runs["run_id"] = [f"r{n}" for n in range(len(runs))]
    return runs.assign(attempt_count=1)


def _shares(rng: np.random.Generator, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return uneven shares of which none is below a tenth."""
    return 0.1 + rng.dirichlet(np.ones(count)) * (1 - 0.1 * count)


def _plant(rng: np.random.Generator, after: pd.DataFrame, planted: str) -> tuple[str, Mark]:
    """Return the cause and what the runs that it meets have in common."""
    if planted == "change":
        touched = _frequent(rng, after["automation_id"])
        return touched, (("automation_id", touched),)
    if planted in CHOICES or planted == "category":
        mark: Mark = ((planted, _frequent(rng, after[planted])),)
        return names_of((mark,))[0], mark
    if planted == "pair":
        one, other = sorted(rng.choice(["provider", "tool", "trigger"], 2, replace=False))
        values = _frequent(rng, after[one] + " " + after[other]).split()
        mark = ((str(one), values[0]), (str(other), values[1]))
        return names_of((mark,))[0], mark
    return ("schema mismatch" if planted == "signature" else ""), ()


def _frequent(rng: np.random.Generator, values: pd.Series[str]) -> str:
    """Return a value of at least a tenth and at most four fifths of the runs: with others to compare it with."""
    shares = values.value_counts(normalize=True).sort_index()
    fitting = sorted(shares[shares.between(0.1, 0.8)].index)
    return str(rng.choice(fitting) if fitting else shares.idxmin())


def _background_changes(rng: np.random.Generator, until: pd.Timestamp) -> pd.DataFrame:
    span = (until - pd.Timestamp(BEGIN)).total_seconds()
    instants = rng.uniform(0, span, 3 * int(rng.integers(1, 5)))
    rows = [
        (
            pd.Timestamp(BEGIN) + pd.Timedelta(seconds=round(float(seconds))),
            "config",
            f"{touched}: change {number}",
            frozenset({str(touched)}),
        )
        for number, (seconds, touched) in enumerate(
            zip(instants, rng.choice(AUTOMATIONS, len(instants)), strict=True)
        )
    ]
    return pd.DataFrame(rows, columns=["changed_at", "kind", "what", "automation_ids"])


def _planted_change(
    rng: np.random.Generator, changes: pd.DataFrame, onset: pd.Timestamp, *, touched: str
) -> tuple[pd.DataFrame, str]:
    """Return the changes with the one that did it, up to five minutes before the trouble, and its name."""
    lead, name = pd.Timedelta(seconds=int(rng.integers(0, 300))), f"{touched}: the planted change"
    row = pd.DataFrame(
        [(onset - lead, "deploy", name, frozenset({touched}))], columns=changes.columns
    )
    return pd.concat([changes, row], ignore_index=True), name


def _fail(rng: np.random.Generator, runs: pd.DataFrame, chance: Any) -> None:
    runs["is_troubled"] = rng.random(len(runs)) < chance
    runs["status"] = np.where(runs["is_troubled"], "failed", "succeeded")
    said = rng.choice(SIGNATURES, len(runs))
    runs["error_signature"] = pd.Series(said).where(runs["is_troubled"], None)


def _seen(runs: pd.DataFrame, changes: pd.DataFrame) -> Evidence:
    paused_at = (runs["started_at"].max() + pd.Timedelta(seconds=60)).to_pydatetime()
    onset_at = pd.Timestamp(find_onset(runs, ALERTS, paused_at=paused_at).at)
    is_before = runs["started_at"] < onset_at
    return Evidence(runs[is_before], runs[~is_before], changes, onset_at)

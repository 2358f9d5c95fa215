"""Sums of money, one for each currency: amounts of two currencies are never added."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

UNSTATED = "currency not stated"

Sums = Mapping[str, float]
"""currency -> amount."""


def sums(runs: pd.DataFrame) -> dict[str, float]:
    """Return what runs cost, by currency; runs without an amount count for nothing."""
    priced = runs[runs["cost_amount"].notna()]
    currency = priced["cost_currency"].fillna(UNSTATED).astype(str)
    found = priced["cost_amount"].astype(float).groupby(currency, sort=True).sum()
    return {str(name): float(amount) for name, amount in found.items()}


def less(left: Sums, right: Sums) -> dict[str, float]:
    """Return what is left of each currency."""
    names = sorted(left.keys() | right.keys())
    return {name: left.get(name, 0.0) - right.get(name, 0.0) for name in names}


def plus(left: Sums, right: Sums) -> dict[str, float]:
    """Return the sum of each currency."""
    return less(left, {name: -amount for name, amount in right.items()})


def times(amounts: Sums, factor: float) -> dict[str, float]:
    """Return each amount multiplied."""
    return {name: amount * factor for name, amount in amounts.items()}


def written(amounts: Sums) -> str:
    """Write the sums: `12.30 EUR, 4.00 USD`; an empty text where nothing was priced."""
    return ", ".join(f"{amount:,.2f} {name}" for name, amount in sorted(amounts.items()))

"""Money of two currencies is never added."""

from __future__ import annotations

import pandas as pd

from tests.review.world import calm_tables, ground
from workbench.review import money
from workbench.review.impact import impact_section
from workbench.review.periods import period_rates, with_period


def test_each_currency_has_its_own_sum() -> None:
    """Amounts are summed by currency, and what names none stands apart."""
    runs = pd.DataFrame(
        {
            "cost_amount": [1.0, 2.0, 4.0, 8.0, None],
            "cost_currency": ["EUR", "USD", "EUR", None, "USD"],
        }
    )
    assert money.sums(runs) == {"EUR": 5.0, "USD": 2.0, money.UNSTATED: 8.0}


def test_nothing_priced_writes_nothing() -> None:
    """Runs without an amount do not read as free."""
    runs = pd.DataFrame({"cost_amount": [None], "cost_currency": ["USD"]})
    assert money.written(money.sums(runs)) == ""


def test_differences_keep_currencies_apart() -> None:
    """What only one side has counts in full, in its own currency."""
    assert money.less({"EUR": 5.0}, {"USD": 2.0}) == {"EUR": 5.0, "USD": -2.0}
    assert money.plus({"EUR": 5.0}, {"EUR": 1.0, "USD": 2.0}) == {"EUR": 6.0, "USD": 2.0}
    assert money.times({"EUR": 5.0}, 0.5) == {"EUR": 2.5}


def test_reports_show_both_currencies() -> None:
    """The impact and the table by period name each currency, and no sum of both appears."""
    tables = calm_tables()
    runs = tables["review.runs"]
    runs["cost_amount"] = 1.0
    runs["cost_currency"] = ["USD" if n % 2 else "EUR" for n in range(len(runs))]
    found = ground(tables)
    rates = period_rates(with_period(found)).set_index("period")
    assert rates.loc["baseline", "cost_by_currency"] == "60.00 EUR, 60.00 USD"
    said = impact_section(found).sentence
    assert "8.00 EUR, 7.00 USD" in said
    assert "15.00" not in said

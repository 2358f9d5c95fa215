"""What automations are watched for is read strictly, inherited from the file's tables, and kept by the log."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from tests.cli.ground import REGISTRY, a_registry_file, a_store, refused, run
from workbench.errors import BadSettings
from workbench.registry import Registry, read_registry
from workbench.reports.opened import objective_rows
from workbench.trigger_rules import TriggerRules, money, rules_of, why_wrong

TABLES = """
[triggers]
failure_streak = 4
budget_per_day = "9.00 EUR"

[triggers.staging]
action = "pause"

[categories.commerce.triggers]
failure_rate_percent = 15
budget_per_hour = "2.50 USD"

[automations.invoice-triage.triggers]
failure_streak = 2
"""


def read(tmp_path: Path, more: str) -> Registry:
    """Read the small registry with tables of triggers added."""
    file = tmp_path / "automations.toml"
    file.write_text(REGISTRY + more, encoding="utf-8")
    return read_registry(file)


def test_later_tables_stand_over_earlier_ones(tmp_path: Path) -> None:
    """An automation states over its category, that over its environment, that over all."""
    found = read(tmp_path, TABLES).automations
    common = {"budget_per_day": "9.00 EUR", "action": "pause"}
    assert found["ticket-reply"].triggers == {"failure_streak": 4, **common}
    assert found["order-sync"].triggers == {
        "failure_streak": 4,
        "failure_rate_percent": 15,
        **common,
    }
    assert found["invoice-triage"].triggers == {
        "failure_streak": 2,
        "failure_rate_percent": 15,
        **common,
    }


def test_a_category_pauses_only_where_its_own_table_says_so(tmp_path: Path) -> None:
    """A whole category is not stopped by a default, and a budget for each automation is not its own."""
    found = read(tmp_path, TABLES.replace("failure_streak = 4", 'action = "pause"')).categories
    assert found["commerce"].triggers == {
        "failure_rate_percent": 15,
        "budget_per_hour": "2.50 USD",
    }
    assert rules_of(found["support"].triggers).action == "notify"


@pytest.mark.parametrize(
    ("more", "line", "words"),
    [
        ("[triggers]\nfailure_streek = 4\n", 2, "unknown key 'failure_streek'"),
        ("[triggers]\nfailure_streak = -1\n", 2, "whole number from 0"),
        ("[triggers]\nfailure_streak = true\n", 2, "whole number from 0"),
        ("[triggers]\nfailure_rate_percent = 0.2\n", 2, "whole number from 0 to 99"),
        ("[triggers]\nfailure_rate_percent = 100\n", 2, "from 0 to 99"),
        ("[triggers]\nfailure_rate_runs = 9\n", 2, "from 10 to 1000"),
        ('[triggers]\naction = "mail"\n', 2, "one of notify, pause"),
        ("[triggers]\nobjective_percent = 99\n", 2, "a share between 0 and 100 as text"),
        ('[triggers]\nobjective_percent = "100"\n', 2, "a share between 0 and 100 as text"),
        ('[triggers]\nobjective_percent = "0.0"\n', 2, "a share between 0 and 100 as text"),
        ('[triggers]\nobjective_percent = "99.5 %"\n', 2, "a share between 0 and 100 as text"),
        ("[triggers]\nbudget_per_day = 5\n", 2, "an amount and a currency"),
        ('[triggers]\nbudget_per_day = "5 usd"\n', 2, "an amount and a currency"),
        ('[triggers.staging]\nbudget = "5 USD"\n', 2, "unknown key 'budget'"),
        ("[categories.commerce.triggers]\nspend_ratio = 1.5\n", 2, "spend_ratio must be a whole"),
        ("[automations.order-sync.triggers]\nspend_ratio = -3\n", 2, "spend_ratio must be a whole"),
    ],
)
def test_each_mistake_is_named_with_its_line(
    tmp_path: Path, more: str, line: int, words: str
) -> None:
    """A wrong setting is an error with file and line, and says what to mend."""
    with pytest.raises(BadSettings) as caught:
        read(tmp_path, more)
    assert f"automations.toml:{len(REGISTRY.splitlines()) + line}: " in caught.value.message
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("stated", "words"),
    [("triggers = 5", "must be a table"), ("triggers = {colour = 1}", "unknown key 'colour'")],
)
def test_an_inline_table_is_found_in_the_table_above(
    tmp_path: Path, stated: str, words: str
) -> None:
    """Written on one line, it is complained of in its automation's table."""
    text = REGISTRY.replace("[automations.order-sync]", f"[automations.order-sync]\n{stated}")
    file = tmp_path / "automations.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadSettings, match=words) as caught:
        read_registry(file)
    at = text.splitlines().index("[automations.order-sync]") + 1
    assert f":{at}: " in caught.value.message or f":{at + 1}: " in caught.value.message


def test_check_says_the_line_and_apply_brings_it_into_the_state() -> None:
    """`registry check` refuses with file and line; what is applied, the log gives back, category and all."""
    control = a_store()
    refused(
        run("registry", "check", str(a_registry_file(REGISTRY + "[triggers]\nx = 1\n"))),
        17,
        "unknown key 'x'",
    )
    file = a_registry_file(REGISTRY + TABLES)
    assert run("registry", "apply", str(file), "-y").code == 0
    state = control.state()
    assert state.automations["invoice-triage"].triggers["failure_streak"] == 2
    assert state.categories["commerce"].triggers["budget_per_hour"] == "2.50 USD"
    assert run("audit", "verify").code == 0
    assert "Nothing differs" in run("registry", "apply", str(file), "-y").out


def test_a_registry_without_triggers_is_recorded_as_before() -> None:
    """Events and rows of stores that state none are byte for byte those of older workbenches."""
    events = a_store().store.events()
    assert not [e for e in events if "triggers" in e.body]


def test_every_rule_says_where_its_number_comes_from() -> None:
    """A usual number cites a source, a stated one the registry, and what is unknown stops no look."""
    for one in fields(TriggerRules):
        assert TriggerRules().source(one.name), one.name
        assert why_wrong(one.name, one.default) == ""
    stated = rules_of({"failure_streak": 2, "of_tomorrow": 1})
    assert (stated.failure_streak, stated.source("failure_streak")) == (2, "registry, [triggers]")
    assert stated.source("spend_ratio").startswith("the shipped recording")
    assert [str(part) for part in money("1.50 USD")] == ["1.50", "USD"]


def test_objectives_reach_a_review_for_each_automation_and_each_category_as_a_whole() -> None:
    """An automation has its category's unless it states its own; what states none is in no row."""
    tables = (
        '\n[categories.commerce.triggers]\nobjective_percent = "99"\n'
        '[automations.invoice-triage.triggers]\nobjective_percent = "95.5"\n'
    )
    rows = objective_rows(a_store(registry=REGISTRY + tables).state())
    members = ["invoice-triage", "order-sync", "price-lookup"]
    assert rows.values.tolist() == [
        ["automation=invoice-triage", "invoice-triage", 1, "95.5"],
        ["automation=order-sync", "order-sync", 1, "99"],
        ["automation=price-lookup", "price-lookup", 1, "99"],
        *[["category=commerce", one, 3, "99"] for one in members],
    ]


def test_a_registry_without_objectives_gives_a_review_none() -> None:
    """The table is empty and has its columns."""
    rows = objective_rows(a_store().state())
    assert rows.empty
    assert list(rows.columns) == ["scope", "automation_id", "member_count", "objective_percent"]

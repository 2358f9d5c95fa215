"""The registry file is read strictly: every complaint names file and line."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from workbench import demo
from workbench.errors import BadSettings
from workbench.records import CHECKLIST
from workbench.registry import Registry, compare, notes_on, read_registry

GOOD = """\
[owners.ops-lead]
members = ["ann"]
contact = "pager"

[owners.agent-owner]

[categories.commerce]
owner = "ops-lead"
restart_owner = "agent-owner"

[automations.invoice-triage]
kind = "agent"
category = "commerce"
environment = "staging"
provider = "acme-llm"
tools = ["stripe"]
expected_interval_seconds = 300
asks_gate = true

[automations.order-sync]
kind = "workflow"
category = "commerce"
environment = "staging"
owner = "agent-owner"
"""


def read(tmp_path: Path, text: str) -> Registry:
    """Write a registry file and read it."""
    file = tmp_path / "automations.toml"
    file.write_text(text, encoding="utf-8")
    return read_registry(file)


def test_a_good_file_is_read_with_what_is_inherited(tmp_path: Path) -> None:
    """Owner and restart owner come from the category where the automation names none."""
    found = read(tmp_path, GOOD)
    triage, sync = found.automations["invoice-triage"], found.automations["order-sync"]
    assert (triage.owner, triage.restart_owner) == ("ops-lead", "agent-owner")
    assert (sync.owner, sync.restart_owner) == ("agent-owner", "agent-owner")
    assert triage.tools == ("stripe",)
    assert triage.expected_interval_seconds == 300
    assert (triage.asks_gate, sync.asks_gate) == (True, False)
    assert found.owners["ops-lead"].members == ("ann",)


@pytest.mark.parametrize(
    ("before", "after", "line", "words"),
    [
        ('kind = "agent"', 'kind = "robot"', 12, "'robot' is not a kind"),
        ('kind = "agent"\n', "", 11, "needs kind"),
        ('kind = "agent"', "kind = 5", 12, "kind must be text"),
        ('kind = "agent"', 'kind = ["agent"]', 12, "kind must be text"),
        ('category = "commerce"', 'category = "trade"', 13, "not one of the categories"),
        ('environment = "staging"', 'environment = "Staging "', 14, "not a valid environment"),
        ('provider = "acme-llm"', 'provider = "acmé"', 15, "not a valid provider"),
        ('tools = ["stripe"]', 'tools = "stripe"', 16, "must be a list of texts"),
        ('tools = ["stripe"]', "tools = [1]", 16, "must be a list of texts"),
        ('tools = ["stripe"]', 'tools = ["Stripe "]', 16, "tool name that is not valid"),
        ("expected_interval_seconds = 300", "expected_interval_seconds = 0", 17, "above 0"),
        ("expected_interval_seconds = 300", "expected_interval_seconds = 1.5", 17, "whole number"),
        (
            "expected_interval_seconds = 300",
            "expected_interval_seconds = 900000000000000",
            17,
            "above 0, and 1000000000 at most",
        ),
        ("expected_interval_seconds = 300", "expected_interval_seconds = true", 17, "whole"),
        ("asks_gate = true", 'asks_gate = "yes"', 18, "must be true or false"),
        ("asks_gate = true", "ask_gate = true", 18, "unknown key 'ask_gate'"),
        ("asks_gate = true", "title = 5", 18, "title must be text"),
        ("asks_gate = true", "alert_match = [1]", 18, "alert_match must be text"),
        ("asks_gate = true", 'deputy = "nobody"', 18, "not one of the owners"),
        ("asks_gate = true", "is_retired = true", 18, "unknown key 'is_retired'"),
        ('contact = "pager"', "contact = 5", 3, "contact must be text"),
        ('members = ["ann"]', 'members = "ann"', 2, "must be a list of texts"),
        ('owner = "ops-lead"\n', "", 7, "needs an owner"),
        ('owner = "ops-lead"', 'owner = "boss"', 8, "'boss' is not one of the owners"),
        ("[owners.agent-owner]", "[owners.Agent-Owner]", 5, "not a valid id"),
        ("[owners.agent-owner]", "[owner.agent-owner]", 5, "unknown table [owner]"),
        ("asks_gate = true", "checklist = 5", 18, "checklist must be a table of texts"),
        ("asks_gate = true", 'checklist = {colour = "red"}', 11, "the checklist has no 'colour'"),
    ],
)
def test_each_mistake_is_named_with_its_line(
    tmp_path: Path, before: str, after: str, line: int, words: str
) -> None:
    """A wrong entry is an error with file and line, and says what to mend."""
    assert before in GOOD
    with pytest.raises(BadSettings) as caught:
        read(tmp_path, GOOD.replace(before, after, 1))
    assert f"automations.toml:{line}: " in caught.value.message
    assert words in caught.value.message
    assert caught.value.exit_code == 17


QUOTED = (
    GOOD
    + """
[automations."b-c"] # a comment
kind = "robot"
category = "commerce"
environment = "staging"

[automations . 'b c']
kind = "agent"
category = "commerce"
environment = "staging"

[automations.inline]
kind = "agent"
category = "commerce"
environment = "staging"
checklist = {colour = "red"}
tools = [
  ["x"],
]
"""
)


def test_a_quoted_name_of_a_table_has_its_own_line(tmp_path: Path) -> None:
    """However a header is quoted, spaced or commented, a fault is named at it, never at the table before it."""
    with pytest.raises(BadSettings) as caught:
        read(tmp_path, QUOTED)
    first = len(GOOD.splitlines()) + 2
    for line, words in (
        (first + 1, "automations.b-c: 'robot' is not a kind"),
        (first + 5, "automations.b c: 'b c' is not a valid id"),
        (first + 10, "automations.inline: the checklist has no 'colour'"),
        (first + 15, "automations.inline: tools must be a list of texts"),
    ):
        assert f"automations.toml:{line}: {words}" in caught.value.message


def test_a_fault_is_looked_for_in_its_own_table_alone(tmp_path: Path) -> None:
    """A key that a table writes inline is not taken for the same key of a table further down."""
    text = GOOD.replace(
        "[owners.agent-owner]", "[owners]\nb = {deputy = 'nobody'}\n[owners.agent-owner]"
    )
    text += '\n[owners.c]\ndeputy = "ops-lead"\n'
    with pytest.raises(BadSettings, match=r"toml:6: owners\.b: 'nobody' is not one of the owners"):
        read(tmp_path, text.replace("[owners.ops-lead]", "[owners.ops-lead] "))


def test_a_deputy_of_an_owner_must_be_an_owner(tmp_path: Path) -> None:
    """Triggers tell the deputy at night, so one who is no role that anybody can be told as is a fault."""
    with pytest.raises(BadSettings, match=r"toml:2: owners\.ops-lead: 'bob' is not one of the own"):
        read(tmp_path, GOOD.replace('members = ["ann"]', 'deputy = "bob"'))
    assert read(tmp_path, GOOD.replace('members = ["ann"]', 'deputy = "agent-owner"')).owners


def test_what_is_allowed_and_seldom_meant_is_noted(tmp_path: Path) -> None:
    """A role that nobody can sign for is named, with or without a contact, and so is a file without automations."""
    notes = notes_on(read(tmp_path, GOOD.replace('members = ["ann"]', "members = []")))
    assert [note.partition(":")[0] for note in notes] == ["owners.agent-owner", "owners.ops-lead"]
    assert ("no contact" in notes[0], "no contact" in notes[1]) == (True, False)
    (empty,) = notes_on(read(tmp_path, ""))
    assert "`registry apply` would retire every one" in empty


MANY = """
[owners.ops-lead]
members = "ann"
[owner.typo]
[categories.commerce]
owner = "boss"
[triggers]
runs_failed = 5
[automations.one]
kind = "robot"
category = "trade"
environment = "production"
restart_owner = "nobody"
tools = "stripe"
expected_interval_seconds = 0
[automations.two]
kind = "agent"
category = "commerce"
environment = "production"
[automations.two.checklist]
colour = "red"
"""
FAULTS = (
    (3, "owners.ops-lead: members must be a list of texts"),
    (4, "owner: unknown table [owner]"),
    (6, "categories.commerce: 'boss' is not one of the owners"),
    (8, "triggers: "),
    (9, "automations.one: is in production and its checklist lacks trigger"),
    (10, "automations.one: 'robot' is not a kind"),
    (11, "automations.one: 'trade' is not one of the categories"),
    (13, "automations.one: 'nobody' is not one of the owners"),
    (14, "automations.one: tools must be a list of texts"),
    (15, "automations.one: expected_interval_seconds must be a whole number"),
    (16, "automations.two: is in production and its checklist lacks trigger"),
    (16, "automations.two: is in production and names no restart_owner"),
    (21, "automations.two: the checklist has no 'colour'"),
)


def test_every_mistake_is_named_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Who mends a file reads all that is wrong with it, each thing once, and nothing that only follows from it."""
    with pytest.raises(BadSettings) as caught:
        read(tmp_path, MANY)
    first, *lines = caught.value.message.splitlines()
    assert first.endswith(f"automations.toml has {len(FAULTS)} faults:")
    told = [line.partition("automations.toml:")[2].split(": ", 1) for line in lines]
    assert [int(number) for number, _ in told] == [number for number, _ in FAULTS]
    for (_, said), (_, words) in zip(told, FAULTS, strict=True):
        assert said.startswith(words), said


def test_the_example_is_valid_in_production(tmp_path: Path) -> None:
    """It reads without a fault there, and with exactly one where a line of a checklist is taken out."""
    text = (Path(demo.__file__).parent / "automations.toml").read_text(encoding="utf-8")
    lived = text.replace('environment = "demo"', 'environment = "production"')
    assert len(read(tmp_path, lived).automations) == 6
    with pytest.raises(
        BadSettings, match="order-sync: is in production and its checklist lacks output"
    ):
        read(tmp_path, re.sub(r"(?m)^output = .*\n", "", lived, count=1))


@pytest.mark.parametrize(
    "text", ["[owners.a\n", "a = 1\na = 2\n", "[owners.a]\n[owners.a]\n", "x = "]
)
def test_broken_toml_is_named_with_its_line(tmp_path: Path, text: str) -> None:
    """A file that is no TOML is an error with file and line."""
    with pytest.raises(BadSettings, match=r"automations\.toml:[12]: not valid TOML"):
        read(tmp_path, text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file and one that is not UTF-8 are errors that name the file."""
    with pytest.raises(BadSettings, match="cannot be read"):
        read_registry(tmp_path / "absent.toml")
    odd = tmp_path / "odd.toml"
    odd.write_bytes(b"\xff\xfe")
    with pytest.raises(BadSettings, match=r"odd\.toml cannot be read"):
        read_registry(odd)


def complete(text: str, *, without: str = "") -> str:
    """Put the first automation into production with a checklist."""
    answers = "".join(f'{name} = "yes"\n' for name in CHECKLIST if name != without)
    moved = text.replace('environment = "staging"', 'environment = "production"', 1)
    return f"{moved}\n[automations.invoice-triage.checklist]\n{answers}"


def test_production_needs_every_answer(tmp_path: Path) -> None:
    """In production a complete checklist is accepted and each missing answer is an error."""
    assert read(tmp_path, complete(GOOD)).automations["invoice-triage"].checklist == dict.fromkeys(
        CHECKLIST, "yes"
    )
    for name in CHECKLIST:
        with pytest.raises(BadSettings, match=rf"toml:11: .*lacks {name}"):
            read(tmp_path, complete(GOOD, without=name))


def test_a_blank_answer_is_none(tmp_path: Path) -> None:
    """An answer of spaces does not count as one in production."""
    with pytest.raises(BadSettings, match="lacks trigger"):
        read(tmp_path, complete(GOOD).replace('trigger = "yes"', 'trigger = "  "'))


def test_production_needs_somebody_who_restarts(tmp_path: Path) -> None:
    """In production an automation without a restart owner is an error; in staging it is allowed."""
    text = GOOD.replace('restart_owner = "agent-owner"\n', "")
    assert read(tmp_path, text).automations["invoice-triage"].restart_owner == ""
    with pytest.raises(BadSettings, match="names no restart_owner"):
        read(tmp_path, complete(text))


def test_what_differs_is_compared_field_by_field(tmp_path: Path) -> None:
    """New, changed and missing entries become register, change and retire, in that order."""
    old = read(tmp_path, GOOD)
    triage = replace(old.automations["invoice-triage"], provider="other")
    fresh = replace(triage, automation_id="product-copy")
    new = Registry(
        {**old.owners, "ops-lead": replace(old.owners["ops-lead"], contact="phone")},
        old.categories,
        {"invoice-triage": triage, "product-copy": fresh},
    )
    found = compare(new, old)
    assert [(d.action, d.target) for d in found] == [
        ("owner.register", "ops-lead"),
        ("automation.change", "invoice-triage"),
        ("automation.register", "product-copy"),
        ("automation.retire", "order-sync"),
    ]
    assert found[1].details == "provider: 'acme-llm' -> 'other'"
    assert compare(old, old) == []

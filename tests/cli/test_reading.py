"""`workbench status`, `hold list`, `card` and `find`: what an operator reads, and what scripts do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.ground import (
    AGENT_IDS,
    AGENTS,
    REGISTRY,
    a_decision,
    a_hold,
    a_store,
    alter,
    asking,
    events,
    refused,
    run,
    usage,
)
from workbench.gate import Gate
from workbench.records import CHECKLIST
from workbench.settings import Settings


def row_of(text: str, automation_id: str) -> str:
    """Return the line of a table that begins with an id."""
    return next(line for line in text.splitlines() if line.startswith(f"{automation_id} "))


def test_status_shows_every_automation_with_state_and_holds() -> None:
    """Held and free automations, the holds with their reasons, and the store stand in one print-out."""
    a_store()
    a_hold()
    found = run("status")
    assert (found.code, found.err) == (0, "")
    row = " ".join(row_of(found.out, "invoice-triage").split())
    assert row.endswith("paused, UNCONFIRMED: no process asks H-1")
    assert row_of(found.out, "order-sync").split()[-2:] == ["running", "-"]
    assert "H-1  kind=agent,provider=acme-llm  paused: wrong amounts" in found.out


def test_status_shows_a_narrow_restart_under_its_hold() -> None:
    """While part of a hold runs its line says so, with what runs, how often still, and until when."""
    a_store()
    a_hold()
    only = ("--only", "automation=invoice-triage", "--runs", "3", "--break-glass", "x", "-y")
    assert run("resume", "H-1", *only, "--until", "2999-01-01T00:00:00Z").code == 0
    with Gate(Settings.from_environment().gate).run("invoice-triage", "r1"):
        pass
    found = run("status").out
    assert "H-1  kind=agent,provider=acme-llm  paused, part in a narrow restart: wrong" in found
    used = "1 of 3 runs used, until 2999-01-01 00:00:00 UTC"
    assert f"\n  P-1 narrow restart: invoice-triage, {used}\n" in found
    (hold,) = run("status", "--json").document["holds"]
    assert hold["probations"] == [
        {
            "probation_id": "P-1",
            "automation_ids": ["invoice-triage"],
            "runs_taken": 1,
            "max_runs": 3,
            "until": "2999-01-01T00:00:00+00:00",
            "cut_off_run_ids": [],
            "hosts": [],
        }
    ]
    for name in ("r2", "r3"):
        with Gate(Settings.from_environment().gate).run("invoice-triage", name):
            pass
    assert "narrow restart:" not in run("status").out
    assert run("status", "--json").document["holds"][0]["probations"] == []


def test_what_a_hold_does_not_stop_never_reads_paused() -> None:
    """An automation that does not ask the gate reads `held, NOT stopped` in status and card."""
    a_store()
    a_hold("*")
    assert "held, NOT stopped" in row_of(run("status").out, "price-lookup")
    rows = run("status", "--json").document["automations"]
    assert {r["automation_id"]: r["state"] for r in rows} == {
        "invoice-triage": "paused",
        "order-sync": "paused",
        "price-lookup": "held, NOT stopped",
        "ticket-reply": "paused",
    }
    card = run("card", "automation=price-lookup").out
    assert "price-lookup  (custom_tool, commerce, staging): held, NOT stopped, by H-1" in card
    assert "does NOT ask the gate: a hold does not stop it today" in card


def test_a_narrow_restart_of_what_never_stopped_still_reads_so() -> None:
    """A narrow restart of an automation that asks nobody is refused, and it goes on looking as little governed."""
    a_store()
    a_hold("*")
    words = ("--only", "automation=price-lookup", "--runs", "1", "--break-glass", "x", "-y")
    assert run("resume", "H-1", *words).code == 3
    assert "held, NOT stopped" in row_of(run("status").out, "price-lookup")


def test_the_json_of_status_is_the_documented_one() -> None:
    """`status --json` has exactly the documented store and automation fields, and its extras."""
    a_store()
    a_hold()
    found = run("status", "automation=ticket-reply", "--json").document
    first = events()[0]
    assert list(found) == ["store", "automations", "holds", "hosts", "flags", "head"]
    assert list(found["store"]) == ["store_id", "environment", "place", "seq"]
    assert found["store"]["store_id"] == first.store_id
    assert found["automations"] == [
        {
            "automation_id": "ticket-reply",
            "kind": "agent",
            "category": "support",
            "environment": "staging",
            "owner": "support-lead",
            "state": "paused",
            "holds": ["H-1"],
            "at_work": "UNCONFIRMED: no process asks",
        }
    ]
    assert found["holds"] == [
        {
            "hold_id": "H-1",
            "scope": AGENTS,
            "state": "active",
            "mode": "freeze",
            "reason": "wrong amounts",
            "probations": [],
            "over_probations": [],
        }
    ]
    assert found["head"] == {"seq": events()[-1].seq, "hash": events()[-1].hash}


@pytest.mark.parametrize("command", ["status", "card"])
@pytest.mark.parametrize("more", [(), ("--json",)])
@pytest.mark.parametrize(
    ("scope", "code", "part"),
    [
        ("automation=invoice-triag", 4, "did you mean automation=invoice-triage?"),
        ("kind=robot", 4, "no automation has kind=robot"),
        ("kind=workflow,provider=acme-llm", 4, "no automation has all of them"),
        ("agents", 2, "is not of the form key=value"),
        ("kind=Agent", 2, "the nearest known value is `agent`"),
    ],
)
def test_a_scope_that_matches_nothing_is_an_error(
    command: str, more: tuple[str, ...], scope: str, code: int, part: str
) -> None:
    """A mistyped scope never gives an empty page with exit code 0."""
    a_store()
    found = run(command, scope, *more)
    refused(found, code, part)
    assert found.out == ""


def test_an_empty_registry_is_said() -> None:
    """Before a registry is applied, status and card say that there is nothing, rather than show it."""
    a_store(registry="")
    for words in (("status",), ("card", "*")):
        found = run(*words)
        assert found.code == 0
        assert "No automation is registered here." in found.out
    refused(run("status", "kind=agent"), 4, "workbench registry apply FILE")


def test_an_overdue_hold_is_still_paused() -> None:
    """A hold whose review is overdue reads so, is flagged, and the gate stays PAUSED: time opens nothing."""
    a_store()
    a_hold(AGENTS, **{"review-by": "2020-01-01T00:00:00Z"})
    found = run("status")
    assert "H-1  kind=agent,provider=acme-llm  overdue, still paused: wrong amounts" in found.out
    assert "flagged: H-1 is overdue, still paused" in found.out
    assert run("status", "--json").document["holds"][0]["state"] == "lapsed"
    assert run("gate", "ticket-reply").code == 20


def test_a_narrow_restart_is_shown_as_one() -> None:
    """An automation that is let through reads `narrow restart`, its neighbours paused."""
    a_store()
    a_hold()
    a_decision()
    run("resume", "H-1", "--only", "automation=ticket-reply", "--runs", "1", "-y")
    out = run("status").out
    assert "narrow restart" in row_of(out, "ticket-reply")
    assert "paused" in row_of(out, "invoice-triage")


def test_holds_are_listed_newest_first_with_who_and_why() -> None:
    """`hold list` shows the standing holds; with `--all` the released ones too."""
    a_store()
    a_hold(reason="first")
    a_hold("kind=workflow", reason="second")
    run("resume", "H-1", "--full", "--break-glass", "over", "-y")
    standing, every = run("hold", "list"), run("hold", "list", "--all")
    assert [line.split()[0] for line in standing.out.splitlines()[3:-1]] == ["H-2"]
    assert [line.split()[:2] for line in every.out.splitlines()[3:-1]] == [
        ["H-2", "paused"],
        ["H-1", "released"],
    ]
    assert "second" in standing.out
    assert "os:" in standing.out


def test_no_hold_is_said_in_words() -> None:
    """Where nothing is held the list says so."""
    a_store()
    found = run("hold", "list")
    assert (found.code, "No hold stands." in found.out) == (0, True)
    assert run("hold", "list", "--json").document == []


def test_the_json_of_holds_has_exactly_these_fields() -> None:
    """Scripts read holds and their narrow restarts by these names."""
    a_store()
    a_hold()
    run(
        "resume",
        "H-1",
        "--only",
        "automation=ticket-reply",
        "--runs",
        "3",
        "--break-glass",
        "x",
        "-y",
    )
    (hold,) = run("hold", "list", "--json").document
    assert list(hold) == [
        "hold_id", "state", "scope", "mode", "purpose", "reason", "placed_at", "placed_by",
        "review_by", "released_at", "released_by", "automation_ids", "probations",
    ]  # fmt: skip
    assert hold["automation_ids"] == list(AGENT_IDS)
    assert (hold["released_at"], hold["released_by"]) == (None, None)
    assert hold["probations"] == [
        {
            "probation_id": "P-1",
            "scope": "kind=agent,automation=ticket-reply,provider=acme-llm",
            "runs_taken": 0,
            "max_runs": 3,
            "why_over": None,
        }
    ]


def test_a_used_up_narrow_restart_says_that_it_is_over() -> None:
    """When its runs are taken the list says so, and the automation reads paused again."""
    a_store()
    a_hold()
    run(
        "resume",
        "H-1",
        "--only",
        "automation=ticket-reply",
        "--runs",
        "1",
        "--break-glass",
        "x",
        "-y",
    )
    with asking() as gate, gate.run("ticket-reply", "run-1"):
        pass
    assert "P-1 1/1 runs, over: used its 1 runs" in run("hold", "list").out
    assert "paused" in row_of(run("status").out, "ticket-reply")
    assert run("gate", "ticket-reply").code == 20


def test_the_card_is_whole() -> None:
    """Who can stop it and how, what stops, clean-up, restart owner, checklist and drill stand on one page."""
    a_store()
    found = run("card", "automation=invoice-triage")
    assert (found.code, found.err) == (0, "")
    for line in (
        "To stop it:    workbench pause 'automation=invoice-triage' --reason TEXT",
        "To restart it: workbench review H-N, then workbench decide R-N, then",
        "               workbench resume H-N --only 'automation=invoice-triage' --runs N",
        "  stops automations that ask the gate: 1 of 1",
        "invoice-triage  (agent, commerce, staging): running",
        "  who can stop it      agent-owner",
        "  who restarts it      ops-lead",
        "  what stops it        asks the gate: a hold stops it",
        "  in flight now        0; last asked the gate -",
        "  starts               every 300 s",
        "  last drill           none on record",
        "  clean-up             void half-made drafts; tell the finance desk",
        "  trigger              each new invoice",
        "  approval requirement above 500",
        "  kill switch          workbench pause",
    ):
        assert line in found.out.splitlines()


def test_the_card_speaks_of_others_only_where_there_are_some() -> None:
    """Where all of a scope ask the gate no line warns of others; where one does not, it does."""
    a_store()
    assert "NOT stopped" not in run("card", "kind=agent").out
    out = run("card", "provider=acme-llm").out
    assert "  stops automations that ask the gate: 2 of 3; the others are NOT stopped" in out


def test_the_card_names_the_holds_to_restart() -> None:
    """One hold's id stands ready in the commands; several are listed, for each has to be restarted."""
    a_store()
    a_hold()
    one = run("card", "kind=agent").out
    assert "To restart it: workbench review H-1, then" in one
    assert "workbench resume H-1 --only 'kind=agent' --runs N" in one
    a_hold("automation=ticket-reply")
    several = run("card", "kind=agent").out
    assert "workbench review H-N" in several
    assert "for each hold that stands on it: H-1, H-2" in several


def test_the_card_agrees_with_status_on_what_is_held() -> None:
    """During a narrow restart and when it is used up, its automation is under its hold on both pages."""
    a_store()
    a_hold()
    words = ("--only", "automation=invoice-triage", "--runs", "1", "--break-glass", "x", "-y")
    assert run("resume", "H-1", *words).code == 0
    for _ in range(2):
        assert (
            "Already under a hold: invoice-triage, ticket-reply." in run("card", "kind=agent").out
        )
        assert row_of(run("status").out, "invoice-triage").endswith("H-1")
        run("gate", "invoice-triage", "--run", "r1")


def test_status_tells_of_a_narrow_restart_that_is_used_up() -> None:
    """All its runs taken: status says so with the next command, beside one that still lets another through."""
    a_store()
    a_hold()
    for name in AGENT_IDS:
        words = ("--only", f"automation={name}", "--runs", "1", "--break-glass", "x", "-y")
        assert run("resume", "H-1", *words).code == 0
    assert "is over" not in run("status").out
    run("gate", "invoice-triage", "--run", "r1")
    said = run("status").out
    over = "  P-1 narrow restart is over: used its 1 runs; next: `workbench review H-1`"
    assert over in said.splitlines()
    assert "P-2 narrow restart: ticket-reply, 0 of 1 runs used" in said
    (hold,) = run("status", "--json").document["holds"]
    (one,) = hold["over_probations"]
    assert (one["probation_id"], one["runs_taken"], one["why_over"]) == (
        "P-1",
        1,
        "used its 1 runs",
    )
    assert [p["probation_id"] for p in hold["probations"]] == ["P-2"]
    words = ("--only", "automation=invoice-triage", "--runs", "2", "--break-glass", "x", "-y")
    assert run("resume", "H-1", *words).code == 0
    assert "P-1 narrow restart is over" not in run("status").out, "P-3 took its place"
    assert run("status", "--json").document["holds"][0]["over_probations"] == []


def test_status_of_a_part_tells_other_holds_apart() -> None:
    """A hold on something else is named as elsewhere, without posing as the reason of what is shown."""
    a_store()
    a_hold()
    a_hold("automation=order-sync", "nightly")
    out = run("status", "automation=order-sync").out
    assert "H-2  automation=order-sync  paused: nightly" in out
    assert f"elsewhere: H-1 on {AGENTS}\n" in out
    assert "wrong amounts" not in out
    assert "elsewhere" not in run("status").out


def test_what_is_missing_on_the_card_is_said() -> None:
    """An unclear restart owner and unanswered questions of the checklist are named, not left out."""
    a_store()
    out = run("card", "automation=ticket-reply").out
    assert "  who can stop it      support-lead, support desk" in out
    assert "UNCLEAR: no restart owner" in out
    assert "  clean-up             none recorded" in out
    assert "  starts               at no known interval" in out
    assert out.count("not defined") == len(CHECKLIST)


def test_the_card_of_an_owner_names_deputy_and_contact() -> None:
    """Where the owner has a deputy and a contact, both are on the card."""
    a_store()
    assert "ops-lead, deputy support-lead, pager 7" in run("card", "automation=order-sync").out


def test_the_card_counts_runs_in_flight() -> None:
    """A run inside the gate is counted on the card, with the instant of the last question."""
    a_store()
    with asking() as gate, gate.run("order-sync", "run-1"):
        line = next(
            x for x in run("card", "kind=workflow").out.splitlines() if "in flight now" in x
        )
    assert line.startswith("  in flight now        1; last asked the gate 2")


def test_the_json_of_a_card_has_exactly_these_fields() -> None:
    """The page's facts are there for scripts: store, notes and each automation's answers."""
    a_store()
    a_hold()
    found = run("card", "automation=invoice-triage", "--json").document
    assert list(found) == ["scope", "store", "notes", "automations"]
    (entry,) = found["automations"]
    assert entry == {
        "automation_id": "invoice-triage",
        "kind": "agent",
        "category": "commerce",
        "environment": "staging",
        "state": "paused",
        "at_work": "UNCONFIRMED: no process asks",
        "holds": ["H-1"],
        "owner": "agent-owner",
        "deputy": "",
        "contact": "",
        "restart_owner": "ops-lead",
        "asks_gate": True,
        "expected_interval_seconds": 300,
        "cleanup": ["void half-made drafts", "tell the finance desk"],
        "checklist": entry["checklist"],
        "last_asked_at": None,
        "in_flight_count": 0,
        "last_drill": "",
        "first_run": None,
    }
    assert set(entry["checklist"]) == set(CHECKLIST)


@pytest.mark.parametrize(
    ("words", "first", "ids"),
    [
        (("stripe",), "tool=stripe", ["invoice-triage"]),
        (("acme",), "provider=acme-llm", ["invoice-triage", "price-lookup", "ticket-reply"]),
        (("support", "agents"), "category=support", ["ticket-reply"]),
        (("order",), "automation=order-sync", ["order-sync"]),
    ],
)
def test_find_proposes_the_smallest_scope_first(
    words: tuple[str, ...], first: str, ids: list[str]
) -> None:
    """The first proposal is the narrowest that answers the words, ready to be pasted into a pause."""
    a_store()
    found = run("find", *words)
    assert found.code == 0
    covered = run("find", *words, "--json").document[0]
    assert covered["automation_ids"] == ids
    assert f"Pause the first: workbench pause '{covered['scope']}' --reason TEXT" in found.out
    if len(words) == 1:
        assert covered["scope"] == first


def test_a_long_list_of_find_says_how_long_it_is() -> None:
    """Where more automations are covered than are named, the number of the rest stands there."""
    more = [REGISTRY]
    for number in range(3):
        more += [f"[automations.extra-{number}]", 'kind = "watcher"', 'category = "commerce"']
        more += ['environment = "staging"', "asks_gate = true"]
    a_store(registry="\n".join(more))
    line = row_of(run("find", "commerce").out, "category=commerce")
    assert line.split()[1] == "6"
    assert "extra-0, extra-1, extra-2, invoice-triage and 2 more  matches" in line


TWO_WORDS = (
    REGISTRY
    + """
[automations.payback]
kind = "playbook"
category = "support"
environment = "staging"
title = "Refunds to customers"
tools = ["stripe"]
asks_gate = true
[automations.refund-letters]
kind = "workflow"
category = "support"
environment = "staging"
asks_gate = true
"""
)


@pytest.mark.parametrize(
    "words", [("stripe", "refunds"), ("refunds", "stripe"), ("Stripe refund",)]
)
def test_an_automation_that_answers_every_word_comes_first(words: tuple[str, ...]) -> None:
    """What has a word in its title and another among its tools ranks above what has one of them."""
    a_store(registry=TWO_WORDS)
    best, *others = run("find", *words, "--json").document
    assert best == {
        "scope": "automation=payback",
        "automation_ids": ["payback"],
        "why": best["why"],
    }
    assert "refund" in best["why"]
    assert "stripe" in best["why"]
    assert {p["scope"] for p in others} >= {"tool=stripe", "automation=refund-letters"}


def test_a_wider_scope_is_not_buried_under_its_automations() -> None:
    """Where one scope answers all words, its automations are not listed one by one before it."""
    a_store()
    assert run("find", "commerce", "--json").document[0]["scope"] == "category=commerce"


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_words_that_match_nothing_are_not_found(more: tuple[str, ...]) -> None:
    """Nothing found is exit code 4, for people and for scripts."""
    a_store()
    found = run("find", "xylophone", *more)
    refused(found, 4, "Nothing registered matches 'xylophone'", "`workbench status`")
    assert found.out == ("[]\n" if more else "")


def test_a_damaged_event_is_flagged_where_it_is_read() -> None:
    """Status still prints on a damaged log, and flags the event and how to look."""
    a_store()
    a_hold()
    alter("update event set body = '{' where seq = 9")
    found = run("status")
    assert found.code == 0
    assert "flagged: event 9 of the log" in found.out
    assert "`workbench audit verify`" in found.out


@pytest.mark.parametrize("words", [("status",), ("hold", "list"), ("card", "*"), ("find", "agent")])
def test_reading_changes_nothing(words: tuple[str, ...], own_folders: Any) -> None:
    """No reading command appends an event."""
    a_store()
    before = events()
    run(*words)
    run(*words, "--json")
    assert events() == before


def test_only_an_overdue_hold_is_taken_over() -> None:
    """`hold take-over` says who answers for a hold that is not overdue, and wants an instant it can read."""
    a_store()
    a_hold()
    refused(run("hold", "take-over", "H-1", "-r", "night shift"), 3, "only an overdue hold")
    refused(run("hold", "take-over", "H-9", "-r", "night shift"), 4, "There is no hold H-9")
    usage(run("hold", "take-over", "H-1", "-r", "x", "--review-by", "soon"), "--review-by")


def test_find_says_which_words_nothing_answers() -> None:
    """A word that nothing registered matches is named, and one that only later proposals answer."""
    a_store()
    assert "Nothing registered matches zebra" in run("find", "stripe", "zebra").out
    assert "Nothing registered matches" not in run("find", "stripe").out
    both = run("find", "stripe", "shop").out
    assert "The first leaves out " in both

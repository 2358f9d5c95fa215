"""`workbench pause`: what it shows, records, waits for, and how its exit code tells the truth."""

from __future__ import annotations

import pytest

from tests.cli.ground import (
    AGENT_IDS,
    AGENTS,
    HOSTILE,
    REGISTRY,
    a_registry_file,
    a_store,
    asking,
    block_gate,
    events,
    inert,
    last_seq,
    refused,
    run,
)
from workbench.cli import pause
from workbench.gate import Gate
from workbench.settings import Settings


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a pause wait for two seconds at most."""
    monkeypatch.setattr(pause, "CONFIRM_WAIT_SECONDS", 2.0)


def test_a_pause_that_every_automation_confirmed_exits_0() -> None:
    """Where all covered automations have seen the hold, the code is 0 and every step has its instant."""
    a_store()
    with asking(*AGENT_IDS):
        found = run("pause", AGENTS, "--reason", "wrong amounts", "--yes", "--json")
    assert found.code == 0, found.said
    receipt = found.document
    assert (receipt["confirmed_count"], receipt["target_count"]) == (2, 2)
    for target in receipt["targets"]:
        steps = [target[f"{step}_at"] for step in ("recorded", "delivered", "confirmed")]
        assert None not in steps
        assert target["state"] in {"confirmed", "quiet"}
    (placed,) = events("hold.place")
    assert (placed.reason, placed.payload["covered"]) == ("wrong amounts", list(AGENT_IDS))


def test_the_receipt_says_how_many_confirmed() -> None:
    """The print-out of a confirmed pause says so, names no automation to stop by hand, and the next step."""
    a_store()
    with asking(*AGENT_IDS):
        found = run("pause", AGENTS, "-r", "wrong amounts", "-y")
    assert found.code == 0, found.said
    assert "H-1 placed on kind=agent,provider=acme-llm (freeze) at " in found.out
    assert "2 of 2 automations confirmed." in found.out
    assert "UNCONFIRMED" not in found.out
    assert "NOT ALL CONFIRMED" not in found.out
    assert "Next: `workbench review H-1` when you want to restart it." in found.out


def test_an_unconfirmed_pause_exits_10_and_names_who_is_not_there() -> None:
    """A hold that nobody has seen is recorded, exits 10, and says which automations to look at."""
    a_store()
    found = run("pause", AGENTS, "-r", "wrong amounts", "-y", "--no-wait")
    assert found.code == 10
    assert "0 of 2 automations confirmed." in found.out
    assert "NOT ALL CONFIRMED: stop by hand, or look at, invoice-triage, ticket-reply." in found.out
    rows = [line for line in found.out.splitlines() if "UNCONFIRMED" in line]
    assert [row.split()[0] for row in rows] == list(AGENT_IDS)
    assert all("has not asked yet" in row for row in rows)
    assert len(events("hold.place")) == 1


def test_those_not_yet_there_stand_on_top() -> None:
    """Unconfirmed automations come before confirmed ones, so that the eye falls on them."""
    a_store()
    with asking("invoice-triage"):
        found = run("pause", AGENTS, "-r", "x", "-y", "--json")
    assert found.code == 10
    assert [t["automation_id"] for t in found.document["targets"]] == [
        "ticket-reply",
        "invoice-triage",
    ]
    assert found.document["confirmed_count"] == 1


def test_an_unconfirmed_pause_names_the_gate_folder() -> None:
    """Who watches another folder is told which one the pause went to, and the doctor says who asks there."""
    a_store()
    folder = Settings.from_environment().gate
    found = run("pause", AGENTS, "-r", "x", "-y", "--no-wait")
    assert f"Published to {folder}; automations must read the same WORKBENCH_GATE." in found.out
    gate = [row for row in run("doctor", "--json").document if row["about"] == "gate"]
    assert gate[0]["finding"].startswith(f"{folder} at event ")
    assert gate[0]["finding"].endswith("; 0 automations asked there in the last minute")
    Gate(folder).check("invoice-triage")
    gate = [row for row in run("doctor", "--json").document if row["about"] == "gate"]
    assert gate[0]["finding"].endswith("; 1 automation asked there in the last minute")


def test_an_automation_that_does_not_ask_is_said_not_to_stop() -> None:
    """Before the hold and after it, an automation that does not ask the gate is called NOT stopped."""
    a_store()
    found = run("pause", "automation=price-lookup", "-r", "x", "-y", "--no-wait")
    assert found.code == 10
    before, _, after = found.out.partition("H-1 placed")
    assert "NOTHING: not stopped" in before
    assert "stops automations that ask the gate: 0 of 1; the others are NOT stopped" in before
    assert "does not ask the gate and no engine is bound: NOT stopped" in after


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("drain", "runs in flight finish"),
        ("freeze", "stops at its next step"),
        ("halt", "The gate cannot cancel a run"),
    ],
)
def test_the_mode_is_said_in_plain_words_and_recorded(mode: str, words: str) -> None:
    """What the mode does to running work is printed before the question, and the event carries it."""
    a_store()
    found = run("pause", AGENTS, "-r", "x", "-y", "--no-wait", "--mode", mode)
    assert words in found.out.partition("H-1 placed")[0]
    assert events("hold.place")[0].payload["mode"] == mode
    assert f"({mode})" in found.out


def test_the_json_receipt_has_exactly_these_fields() -> None:
    """Scripts read the receipt: its fields do not change by accident."""
    a_store()
    found = run("pause", AGENTS, "-r", "x", "--yes", "--json", "--no-wait").document
    assert list(found) == [
        "hold_id", "scope", "mode", "placed_at", "is_repeat", "confirmed_count", "target_count",
        "publication_fault", "gate_folder", "is_confirmed",
        "hosts",
        "targets", "head",
    ]  # fmt: skip
    assert list(found["targets"][0]) == [
        "automation_id", "state", "recorded_at", "delivered_at", "confirmed_at", "quiet_at", "note",
    ]  # fmt: skip
    newest = events()[-1]
    assert found["head"] == {"seq": newest.seq, "hash": newest.hash}


def test_every_option_reaches_the_event() -> None:
    """Purpose, incident, review instant and role stand in the recorded hold."""
    a_store()
    words = ("--purpose", "drill", "--incident", "I-2", "--review-by", "2099-01-01T00:00:00Z")
    run("pause", AGENTS, "-r", "x", "-y", "--no-wait", "--as", "ops-lead", *words)
    (placed,) = events("hold.place")
    assert placed.actor.startswith("ops-lead (os:")
    assert placed.correlation_id == "I-2"
    assert placed.payload["purpose"] == "drill"
    assert placed.payload["review_by"] == "2099-01-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("words", "code", "parts"),
    [
        (("kind=robot",), 4, ["no automation has kind=robot"]),
        (("kind=agent,category=",), 2, ["is not a valid value of `category`"]),
        (("automation=invoice-triag",), 4, ["did you mean automation=invoice-triage?", "--unregistered"]),
        (("kind=agent,kind=workflow",), 2, ["names `kind` twice"]),
        (("knid=agent",), 2, ["did you mean `kind`?"]),
        (("agents",), 2, ["is not of the form key=value"]),
        (("",), 2, ["The scope is empty"]),
        (("provider=Acme-LLM",), 2, ["nearest known value is `acme-llm`"]),
        (("kind=workflow,provider=acme-llm",), 4, ["no automation has all of them"]),
        ((AGENTS, "--review-by", "tomorrow"), 2, ["--review-by"]),
        ((AGENTS, "--review-by", "2026-11-23T10:00:00"), 2, ["--review-by", "has no offset"]),
        ((AGENTS, "--as", "boss"), 3, ["'boss' is not a registered role", "leave `--as` out"]),
        (("automation=ghost,kind=agent", "--unregistered"), 4, ["covers no automation"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_pause_that_would_stop_nothing_is_refused(
    words: tuple[str, ...], code: int, parts: list[str], more: tuple[str, ...]
) -> None:
    """A wrong scope, instant or role is refused with what to type instead, and no hold is recorded."""
    a_store()
    before = last_seq()
    refused(run("pause", *words, "-r", "x", "--yes", "--no-wait", *more), code, *parts)
    assert last_seq() == before


@pytest.mark.parametrize("reason", ["", "   ", "\n\t"])
def test_a_pause_needs_a_reason(reason: str) -> None:
    """Without a reason nothing is placed, and `--reason` is named."""
    a_store()
    refused(
        run("pause", AGENTS, "-r", reason, "--yes"), 2, "A pause needs a reason", "--reason TEXT"
    )
    assert events("hold.place") == []


def test_on_a_terminal_the_reason_is_asked_for() -> None:
    """Somebody at a terminal is asked for the reason and then whether to go on."""
    a_store()
    found = run("pause", AGENTS, "--no-wait", typed="wrong amounts\ny\n")
    assert found.code == 10
    assert (
        found.out.index("Reason") < found.out.index("Pause these?") < found.out.index("H-1 placed")
    )
    assert events("hold.place")[0].reason == "wrong amounts"


@pytest.mark.parametrize("typed", ["n\n", "\n", ""])
def test_a_no_at_the_terminal_places_nothing(typed: str) -> None:
    """The list is shown, and anything but yes records nothing and exits 130."""
    a_store()
    found = run("pause", AGENTS, "-r", "x", typed=typed)
    assert found.code == 130
    assert "invoice-triage" in found.out
    assert "nothing further was done" in found.err
    assert events("hold.place") == []


def test_without_a_terminal_a_pause_needs_yes() -> None:
    """Where nobody can answer, the pause is refused with `--yes` as the way out."""
    a_store()
    refused(run("pause", AGENTS, "-r", "x"), 2, "Nobody is at the terminal", " --yes`")
    assert events("hold.place") == []


def test_json_at_a_terminal_needs_yes() -> None:
    """A person who asks for JSON is not asked anything, so nothing is paused until they say `--yes`."""
    a_store()
    refused(run("pause", "*", "-r", "x", "--json", typed="y\n"), 2, "nothing was paused", " --yes`")
    assert events("hold.place") == []


def test_everything_is_called_safe_mode() -> None:
    """A hold on `*` reads safe mode in its receipt, in the list and in status; JSON keeps the scope."""
    a_store()
    paused = run("pause", "*", "-r", "x", "-y", "--no-wait")
    for found in (paused, run("hold", "list"), run("status")):
        assert "* (safe mode: everything)" in found.out
    assert run("hold", "list", "--json").document[0]["scope"] == "*"


def test_the_same_command_id_acts_once() -> None:
    """Given twice, a command places one hold; the second print-out says that nothing was added."""
    a_store()
    words = ("pause", AGENTS, "-r", "x", "-y", "--no-wait", "--command-id", "c-1")
    first, second = run(*words), run(*words)
    assert (first.code, second.code) == (10, 10)
    assert "nothing was added" not in first.out
    assert "H-1 placed" in second.out
    assert "(the same command id as before: nothing was added)" in second.out
    assert run(*words, "--json").document["is_repeat"] is True
    assert len(events("hold.place")) == 1


def test_a_command_id_with_other_content_is_a_conflict() -> None:
    """An id that was used for something else is refused and nothing changes."""
    a_store()
    run("pause", AGENTS, "-r", "x", "-y", "--no-wait", "--command-id", "c-1")
    before = last_seq()
    other = run("pause", "kind=workflow", "-r", "x", "-y", "--no-wait", "--command-id", "c-1")
    refused(other, 3, "Command id c-1 was used at event", "an id of its own")
    assert last_seq() == before


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_repeat_of_a_released_hold_is_not_taken_for_a_pause(more: tuple[str, ...]) -> None:
    """A repeated id whose hold was released since is refused: it stops nothing now."""
    a_store()
    words = ("pause", AGENTS, "-r", "x", "-y", "--no-wait", "--command-id", "c-1")
    run(*words)
    assert run("resume", "H-1", "--full", "--break-glass", "customer waits", "-y").code == 0
    again = run(*words, *more)
    refused(again, 3, "H-1, which was released at", "stops nothing now", "new command id")
    assert run("gate", "invoice-triage").code == 0


def test_holds_count_like_padlocks() -> None:
    """A second pause on what is held already says so and places a hold of its own."""
    a_store()
    run("pause", AGENTS, "-r", "x", "-y", "--no-wait")
    found = run("pause", "automation=ticket-reply", "-r", "y", "-y", "--no-wait")
    assert "Already under a hold: ticket-reply." in found.out
    assert "H-2 placed on automation=ticket-reply" in found.out
    assert run("gate", "ticket-reply").out == "PAUSED by H-1, H-2\n"


def test_an_unregistered_automation_can_be_held() -> None:
    """With `--unregistered` exactly that id is held, said so before the hold, and its gate is PAUSED."""
    a_store()
    found = run("pause", "automation=ghost", "-r", "x", "-y", "--no-wait", "--unregistered")
    assert found.code == 10
    assert "Not registered: the hold will stand on exactly this id." in found.out
    assert events("hold.place")[0].payload["covered"] == ["ghost"]
    assert run("gate", "ghost").code == 20
    assert "H-1  automation=ghost  paused: x" in run("status", "automation=ghost").out


def test_safe_mode_holds_what_comes() -> None:
    """`*` may be paused with nothing registered, and what is registered later is born paused."""
    a_store(registry="")
    assert run("pause", "*", "-r", "x", "-y", "--no-wait").code == 10
    assert run("registry", "apply", str(a_registry_file(REGISTRY)), "--yes").code == 0
    assert run("gate", "order-sync").code == 20
    assert run("gate", "never-heard-of").code == 20


def test_a_gate_folder_that_cannot_be_written_is_shouted() -> None:
    """A hold that gates cannot be told of is recorded, exits 10 and reads RECORDED, NOT DELIVERED."""
    a_store()
    block_gate()
    found = run("pause", AGENTS, "-r", "x", "-y", "--no-wait")
    assert found.code == 10
    assert "RECORDED, NOT DELIVERED: the gate folder" in found.out
    assert "not published to the gate" in found.out
    assert len(events("hold.place")) == 1
    asked = run("status")
    assert "does not have the newest state" in asked.out
    assert "does not have the newest state" in run("status", "--json").document["flags"][-1]


def test_the_json_of_an_undelivered_pause_says_why() -> None:
    """A script finds the fault in the receipt, with the exit code 10."""
    a_store()
    block_gate()
    found = run("pause", AGENTS, "-r", "x", "-y", "--no-wait", "--json")
    assert found.code == 10
    assert "cannot be written" in found.document["publication_fault"]
    assert {t["state"] for t in found.document["targets"]} == {"recorded"}


def test_without_a_store_a_pause_says_what_to_do() -> None:
    """No store is made silently by a pause."""
    refused(run("pause", "*", "-r", "x", "-y"), 15, "There is no store in", "WORKBENCH_STORE")


@pytest.mark.parametrize("field", ["--reason", "--incident", "--command-id"])
def test_hostile_text_in_a_pause_is_recorded_and_shown_inert(field: str) -> None:
    """Text that would play with a terminal is kept in the log as typed and printed inert everywhere."""
    a_store()
    words = {"--reason": "x", field: HOSTILE}
    found = run("pause", AGENTS, "-y", "--no-wait", *[w for pair in words.items() for w in pair])
    assert found.code == 10
    inert(found)
    stored = events("hold.place")[0]
    assert HOSTILE.strip() in (
        stored.reason,
        stored.correlation_id,
        stored.payload["command"]["id"].strip(),
    )
    shown = [run(*w) for w in (("status",), ("hold", "list"), ("card", "*"), ("audit", "show"))]
    for print_out in shown:
        assert print_out.code == 0
        inert(print_out)


@pytest.mark.parametrize("scope", [HOSTILE, f"automation={HOSTILE}", f"{HOSTILE}=x"])
def test_a_hostile_scope_is_refused_inertly(scope: str) -> None:
    """A scope of control characters is refused, quoted inertly, and nothing is recorded."""
    a_store()
    found = run("pause", scope, "-r", "x", "-y", "--no-wait")
    refused(found, 2)
    inert(found)
    assert events("hold.place") == []

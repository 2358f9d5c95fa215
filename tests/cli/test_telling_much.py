"""Much at once is one message to a role, and who was told that it fires is told that it is over, each once."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.cli.ground import a_store, events, run
from tests.cli.test_telling import (
    CHAIN,
    FAILS,
    KEY,
    ROLES,
    fires,
    killed_at_the_receiver,
    known,
    later,
    no_token_anywhere,
)
from tests.cli.test_triggers import calm, load
from tests.receiver import Receiver, receiving
from workbench import telling
from workbench.control import Control
from workbench.settings import Settings
from workbench.store.audit import verify_store
from workbench.store.documents import documents

ALL = {"invoice_triage": FAILS, "ticket_reply": FAILS}
OTHER = "automation=ticket-reply/failure_streak"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that runs while the test does."""
    with receiving() as found:
        yield found


def much_fires(receiver: Receiver) -> Control:
    """Let two automations of one owner fail at once."""
    both = '[automations.ticket-reply]\nkind = "agent"'
    control = a_store(registry=CHAIN.replace(both, f'{both}\nowner = "agent-owner"'))
    receiver.write_book(Settings.from_environment().notify_file, *ROLES)
    load(calm(**ALL))
    return control


def check_one_message_names_all(receiver: Receiver) -> None:
    """Both are in it with their pauses, and each is recorded by itself before and after."""
    control = much_fires(receiver)
    found = run("triggers", "--once")
    assert found.code == 22
    fired = [e.target for e in events("trigger.fire")]
    assert {KEY, OTHER} <= set(fired)
    mine = [body for role, body in receiver.got if role == "agent-owner"]
    assert len(mine) == 1
    text = mine[0]["message"]
    named = [key for key in fired if control.state().triggers[key]["tell"][0] == "agent-owner"]
    assert len(named) > 1
    assert mine[0]["title"].endswith(f"and {len(named) - 1} more (staging)")
    for key in named:
        assert f"- {key}" in text
        assert control.state().triggers[key]["pause"] in text.splitlines()
        assert shlex.join(["workbench", "triggers", "--acknowledge", key]) in text
    told = [e.target for e in events("notice.end") if e.payload["role"] == "agent-owner"]
    assert sorted(told) == sorted(named)
    assert run("triggers", "--once").code == 22
    assert len([role for role in receiver.roles if role == "agent-owner"]) == 1
    assert control.store.projection() == documents(control.state())
    assert no_token_anywhere()


def test_what_fires_in_one_look_is_one_message_to_a_role(receiver: Receiver) -> None:
    """A provider that goes down fires everywhere; who is woken up reads one message."""
    check_one_message_names_all(receiver)


def test_a_message_for_each_is_caught(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeded bug: nothing is bundled."""
    due = telling._due
    monkeypatch.setattr(
        telling, "_due", lambda *args: [[one] for bundle in due(*args) for one in bundle]
    )
    with pytest.raises(AssertionError):
        check_one_message_names_all(receiver)


def test_the_next_role_gets_one_message_too_and_what_fails_is_recorded_of_each(
    receiver: Receiver,
) -> None:
    """A service that refuses the bundle refuses each of its episodes, and the deputy has them all at once."""
    control = much_fires(receiver)
    receiver.status["agent-owner"] = 403
    run("triggers", "--once")
    assert receiver.roles.count("agent-owner") == 1
    failed = [e for e in events("notice.end") if e.outcome == "failure"]
    assert {KEY, OTHER} <= {e.target for e in failed}
    first = [body for role, body in receiver.got if role == "support-lead"]
    assert len(first) == 1
    assert f"- {KEY}" in first[0]["message"] or KEY in first[0]["message"]
    assert known(control)["notices"]["agent-owner"]["outcome"] == "failure"


def test_two_watchers_and_a_death_tell_a_bundle_once(receiver: Receiver) -> None:
    """What one began, another does not send; of what died while it was sent, nobody is told twice."""
    much_fires(receiver)
    killed_at_the_receiver(receiver, "-m", "workbench", "triggers", "--once")
    assert run("triggers", "--once").code == 22
    assert receiver.roles.count("agent-owner") == 1


def over(receiver: Receiver) -> list[str]:
    """Return the roles that were told of an end, in order."""
    return [role for role, body in receiver.got if body["title"].startswith("OVER ")]


def test_who_was_told_is_told_that_it_is_over_once(receiver: Receiver) -> None:
    """With when it fired and that a pause stays; nobody else hears of it, and no later look says it again."""
    control = fires(receiver, *ROLES)
    run("triggers", "--once")
    load(calm(), batch="b")
    found = run("triggers", "--once")
    assert (found.code, f"TOLD  agent-owner  that {KEY} is over" in found.out) == (0, True)
    assert over(receiver) == ["agent-owner"]
    body = receiver.got[-1][1]
    assert body["title"] == "OVER automation=invoice-triage failure_streak (staging)"
    assert "It fired from " in body["message"]
    assert "workbench status automation=invoice-triage" in body["message"].splitlines()
    assert run("triggers", "--once").code == 0
    later(control, minutes=10)
    assert over(receiver) == ["agent-owner"]
    assert [e.payload.get("is_over", False) for e in events("notice.end")] == [False, True]
    assert control.store.projection() == documents(control.state())
    assert verify_store(control.store).is_ok


def test_every_role_that_may_know_hears_of_the_end(receiver: Receiver) -> None:
    """Owner and deputy were told, one of them perhaps; whom it surely never reached is left alone."""
    control = fires(receiver, *ROLES)
    run("triggers", "--once")
    receiver.status["support-lead"] = 403
    later(control, minutes=6)
    receiver.status["support-lead"] = 200
    load(calm(), batch="b")
    run("triggers", "--once")
    assert over(receiver) == ["agent-owner", "ops-lead"]


def test_an_end_that_nobody_heard_of_is_tried_again_and_not_for_ever(receiver: Receiver) -> None:
    """Three times a minute apart; after a day it is news to nobody."""
    control = fires(receiver, *ROLES)
    run("triggers", "--once")
    receiver.status["agent-owner"] = 403
    load(calm(), batch="b")
    run("triggers", "--once")
    for minutes in (2, 4, 6, 8):
        later(control, minutes=minutes)
    assert over(receiver) == ["agent-owner"] * 3
    receiver.status["agent-owner"] = 200
    later(control, days=2)
    assert over(receiver) == ["agent-owner"] * 3


def test_what_nobody_was_told_of_ends_without_a_word(receiver: Receiver) -> None:
    """Without an address at its begin there is no message at its end, though there is an address by then."""
    fires(receiver)
    run("triggers", "--once")
    receiver.write_book(Settings.from_environment().notify_file, *ROLES)
    load(calm(), batch="b")
    assert run("triggers", "--once").code == 0
    assert receiver.got == []


def test_a_death_and_two_watchers_tell_an_end_once(receiver: Receiver) -> None:
    """As of a begin: it is recorded before it is sent, by whoever comes first."""
    fires(receiver, *ROLES)
    run("triggers", "--once")
    load(calm(), batch="b")
    receiver.at_each = lambda _: time.sleep(1)
    words = [sys.executable, "-m", "workbench", "triggers", "--once"]
    looking = [subprocess.Popen(words, stdout=subprocess.DEVNULL) for _ in range(2)]
    try:
        assert [one.wait(60) for one in looking] == [0, 0]
    finally:
        for one in looking:
            one.kill()
            one.wait()
    assert over(receiver) == ["agent-owner"]
    load(calm(invoice_triage=FAILS), batch="c")
    run("triggers", "--once")
    load(calm(), batch="d")
    killed_at_the_receiver(receiver, "-m", "workbench", "triggers", "--once")
    run("triggers", "--once")
    assert over(receiver) == ["agent-owner", "agent-owner"]

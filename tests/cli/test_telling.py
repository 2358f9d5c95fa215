"""Somebody is told: owner, deputy, category's owner, each once for an episode, until one acknowledges it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.ground import HOSTILE, OBEYED, RECORDED, REGISTRY, a_store, events, refused, run
from tests.cli.test_triggers import calm, load
from tests.receiver import TOKEN, Receiver, receiving
from workbench.clock import FixedClock
from workbench.control import Control, open_control
from workbench.control.notices import Notice
from workbench.messages import message
from workbench.noticing import look_once
from workbench.settings import Settings
from workbench.store.documents import documents

CHAIN = REGISTRY.replace(
    "[owners.agent-owner]\n", '[owners.agent-owner]\ndeputy = "support-lead"\n'
)
ROLES = ("agent-owner", "support-lead", "ops-lead")
KEY = "automation=invoice-triage/failure_streak"
FAILS = "s" * 10 + "f" * 5

SENT_FIRST = """
import sys
from workbench import telling
from workbench.cli import main
from workbench.control.notices import Notice

def tell(control, book, bundle):
    title, body = telling.message(control.state(), bundle)
    telling.send(book.addresses[bundle[0].role], title=title, body=body)
    begin = lambda notice: telling.begin_notice(control, notice, reachable=book.addresses)
    return [event for notice in bundle for event in begin(notice)]

telling._tell = tell
main(["triggers", "--once"])
"""
"""The seeded bug: the message goes out first, and is recorded afterwards."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that runs while the test does."""
    with receiving() as found:
        yield found


def fires(receiver: Receiver, *roles: str, registry: str = CHAIN) -> Control:
    """Let one rule fire at one automation, with addresses for some roles."""
    control = a_store(registry=registry)
    receiver.write_book(Settings.from_environment().notify_file, *roles)
    load(calm(invoice_triage=FAILS))
    return control


def later(control: Control, **passed: float) -> None:
    """Look again after some time; nothing more was loaded meanwhile."""
    settings = Settings.from_environment()
    clock = FixedClock(settings.clock().now() + timedelta(**passed))
    look_once(open_control(settings, clock), settings)


def known(control: Control) -> dict[str, Any]:
    """Return what the state keeps of the episode."""
    return control.state().triggers[KEY]


def no_token_anywhere() -> bool:
    """Tell whether no file but the private one has a part of an address in it."""
    root = Settings.from_environment().home.parent
    files = [p for p in root.rglob("*") if p.is_file() and p.name != "notify.toml"]
    return len(files) > 3 and not [p for p in files if TOKEN.encode() in p.read_bytes()]


def test_the_owner_is_told_at_once_and_once(receiver: Receiver) -> None:
    """The message has number, threshold, query, owner and the pause as it is typed; a second look tells nobody."""
    control = fires(receiver, *ROLES)
    found = run("triggers", "--once")
    assert (found.code, found.err) == (22, "")
    assert f"TOLD  agent-owner  of {KEY}" in found.out
    (role, body) = receiver.got[0]
    assert role == "agent-owner"
    assert body["title"] == "FIRES automation=invoice-triage failure_streak (staging)"
    for part in (
        "automation=invoice-triage: 5 runs failed in a row",
        "Number: 5 runs in a row; fires at 5 or more (chance: ",
        "Query triggers.recent_runs; since ",
        "Owner: agent-owner. Told: agent-owner.",
        f"workbench triggers --acknowledge {KEY}",
    ):
        assert part in body["message"], body["message"]
    (pause,) = [x for x in body["message"].splitlines() if x.startswith("workbench pause ")]
    assert pause == known(control)["pause"]
    again = run("triggers", "--once")
    assert receiver.roles == ["agent-owner"]
    assert "told agent-owner at " in again.out
    assert [e.action for e in events() if e.action.startswith("notice.")] == [
        "notice.begin",
        "notice.end",
    ]
    assert run(*shlex.split(pause)[1:], "--no-wait").code == 10


def test_the_next_ones_are_told_when_nobody_acknowledges(receiver: Receiver) -> None:
    """Deputy after five minutes, the category's owner after five more, and then nobody any more."""
    control = fires(receiver, *ROLES)
    run("triggers", "--once")
    later(control, minutes=4)
    assert receiver.roles == ["agent-owner"]
    later(control, minutes=6)
    later(control, minutes=10)
    assert receiver.roles == ["agent-owner", "support-lead"]
    assert "Told: agent-owner, then support-lead." in receiver.got[-1][1]["message"]
    for minutes in (12, 30, 60):
        later(control, minutes=minutes)
    assert receiver.roles == list(ROLES)
    assert {n["outcome"] for n in known(control)["notices"].values()} == {"success"}
    assert control.store.projection() == documents(control.state())


def test_the_registry_says_how_long_is_waited(receiver: Receiver) -> None:
    """With no time to acknowledge all are told in one look; a wait that is none is refused with its line."""
    fires(receiver, *ROLES, registry=f"{CHAIN}\n[triggers]\ntell_next_seconds = 0\n")
    run("triggers", "--once")
    assert receiver.roles == list(ROLES)
    path = Settings.from_environment().store.parent / "wrong.toml"
    path.write_text(f"{CHAIN}\n[triggers]\ntell_next_seconds = 90000\n", encoding="utf-8")
    refused(run("registry", "check", str(path)), 17, "tell_next_seconds must be a whole number")


def test_who_acknowledges_is_recorded_and_ends_it(receiver: Receiver) -> None:
    """Nobody further is told; a second time is refused with who did it, and a name that nothing fires at not found."""
    control = fires(receiver, *ROLES)
    run("triggers", "--once")
    found = run("triggers", "--acknowledge", "automation=invoice-triage", "-r", "on it")
    assert (found.code, found.err) == (0, "")
    assert f"Acknowledged {KEY}; nobody further is told of it." in found.out
    later(control, minutes=30)
    assert receiver.roles == ["agent-owner"]
    (event,) = events("trigger.acknowledge")
    assert (event.target, event.reason) == (KEY, "on it")
    assert f"acknowledged by {event.actor} at " in run("triggers", "--once").out
    refused(run("triggers", "--acknowledge", KEY), 3, f"acknowledged before, by {event.actor}")
    refused(run("triggers", "--acknowledge", "automation=nothing"), 4, "Nothing fires at")
    refused(run("triggers", "--once", "--reason", "x"), 2, "Say --once")
    assert control.store.projection() == documents(control.state())


def test_an_episode_of_its_own_is_told_again(receiver: Receiver) -> None:
    """It ended, and fires once more: the owner is told of that, acknowledged before or not."""
    fires(receiver, *ROLES)
    run("triggers", "--once")
    run("triggers", "--acknowledge", KEY)
    load(calm(), batch="b")
    assert run("triggers", "--once").code == 0
    load(calm(invoice_triage=FAILS), batch="c")
    assert run("triggers", "--once").code == 22
    titles = [body["title"].split()[0] for _, body in receiver.got]
    assert (titles, set(receiver.roles)) == (["FIRES", "OVER", "FIRES"], {"agent-owner"})


def test_what_fails_is_recorded_and_the_next_one_is_told(receiver: Receiver) -> None:
    """Why stands in the log in one clause without the address; tried again a minute later, three times in all."""
    control = fires(receiver, *ROLES)
    receiver.status["agent-owner"] = 403
    found = run("triggers", "--once")
    assert found.code == 22
    assert f"NOT TOLD  agent-owner  of {KEY}: the service answered 403" in found.out
    assert receiver.roles == ["agent-owner", "support-lead"]
    (failed, _) = events("notice.end")
    assert (failed.outcome, failed.reason) == ("failure", "the service answered 403")
    for minutes in (2, 4, 6, 8):
        later(control, minutes=minutes)
    assert receiver.roles.count("agent-owner") == 3
    assert receiver.roles.count("support-lead") == 1
    assert TOKEN not in found.said
    assert no_token_anywhere()


def test_what_may_have_come_is_not_sent_again(receiver: Receiver) -> None:
    """A service that took the message and gave no answer is not asked twice; the next role has its turn in time."""
    control = fires(receiver, *ROLES)

    def break_off(role: str) -> None:
        if role == "agent-owner":
            raise ConnectionAbortedError

    receiver.at_each = break_off
    assert f"PERHAPS TOLD  agent-owner  of {KEY}" in run("triggers", "--once").out
    for minutes in (2, 4, 6, 8):
        later(control, minutes=minutes)
    assert receiver.roles == ["agent-owner", "support-lead"]
    assert known(control)["notices"]["agent-owner"]["outcome"] == "unknown"


def test_a_role_without_an_address_is_said_once(receiver: Receiver) -> None:
    """It is passed over at once, and recorded the first time only, whatever fires later."""
    fires(receiver, "ops-lead")
    found = run("triggers", "--once")
    assert "NOT TOLD  agent-owner: no address for it in notify.toml" in found.out
    assert receiver.roles == ["ops-lead"]
    load(calm(order_sync=FAILS), batch="b")
    assert "NOT TOLD" not in run("triggers", "--once").out
    assert [e.target for e in events("notice.lack")] == ["agent-owner", "support-lead"]


def test_a_book_that_is_open_to_others_stops_no_look(receiver: Receiver) -> None:
    """The look is recorded and says why nobody is told; mended, the owner is told of the same episode."""
    fires(receiver, *ROLES)
    path = Settings.from_environment().notify_file
    path.chmod(0o644)
    found = run("triggers", "--once")
    assert (found.code, len(events("trigger.fire"))) == (22, 1)
    assert f"NOBODY IS TOLD: {path} is open to others (mode 0644)" in found.out
    assert receiver.roles == []
    path.chmod(0o600)
    assert run("triggers", "--once", "--json").document["told"] == [
        {"role": "agent-owner", "of": KEY, "outcome": "success", "why": ""}
    ]
    assert no_token_anywhere()


def test_nobody_is_told_on_a_recorded_clock(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A demonstration wakes nobody up."""
    monkeypatch.setenv("WORKBENCH_CLOCK", RECORDED)
    fires(receiver, *ROLES)
    assert "NOBODY IS TOLD: the clock is a recorded one." in run("triggers", "--once").out
    assert receiver.roles == []


def test_who_is_due_is_told_without_the_warehouse(receiver: Receiver) -> None:
    """Where nothing can be looked at, what fires already is told on all the same."""
    control = fires(receiver, *ROLES)
    run("triggers", "--once")
    (Settings.from_environment().home / "warehouse" / "manifest.json").write_text("{")
    with pytest.raises(Exception, match="manifest"):
        later(control, minutes=6)
    assert receiver.roles == ["agent-owner", "support-lead"]


def test_hostile_text_is_inert_in_a_message(receiver: Receiver) -> None:
    """What strangers wrote forges no line and reverses none in what a role reads."""
    control = fires(receiver)
    run("triggers", "--once")
    state = control.state()
    state.triggers[KEY] = {**known(control), "reason": HOSTILE}
    _, body = message(state, [Notice(KEY, known(control)["seq"], "agent-owner")])
    assert not [c for c in OBEYED if c in body]
    assert not [line for line in body.splitlines() if line.startswith("log head")]


def killed_at_the_receiver(receiver: Receiver, *words: str) -> None:
    """Look in another interpreter, which is killed when its message came and before it hears so."""
    child: list[subprocess.Popen[bytes]] = []
    receiver.at_each = lambda _: child[0].kill()
    child.append(
        subprocess.Popen(
            [sys.executable, *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ.copy(),
        )
    )
    try:
        assert child[0].wait(60) == -9
    finally:
        child[0].kill()
        child[0].wait()
        receiver.at_each = lambda _: None


def test_a_watcher_that_dies_while_it_tells_tells_nobody_twice(receiver: Receiver) -> None:
    """The intent stands in the log; the next look sends nothing to that role, and goes on to the next one in time."""
    control = fires(receiver, *ROLES)
    killed_at_the_receiver(receiver, "-m", "workbench", "triggers", "--once")
    assert run("triggers", "--once").code == 22
    assert receiver.roles == ["agent-owner"]
    assert known(control)["notices"]["agent-owner"]["outcome"] == "pending"
    later(control, minutes=6)
    assert receiver.roles == ["agent-owner", "support-lead"]


def test_sending_before_recording_is_caught(receiver: Receiver) -> None:
    """The seeded bug: the same death, and the owner is told a second time."""
    fires(receiver, *ROLES)
    killed_at_the_receiver(receiver, "-c", SENT_FIRST)
    assert run("triggers", "--once").code == 22
    assert receiver.roles == ["agent-owner", "agent-owner"]


def test_two_watchers_at_once_tell_each_role_once(receiver: Receiver) -> None:
    """Two interpreters look while the first message is held back: whoever comes second sends nothing."""
    fires(receiver, *ROLES)
    words = [sys.executable, "-m", "workbench", "triggers", "--once"]
    receiver.at_each = lambda _: time.sleep(1)
    looking = [subprocess.Popen(words, stdout=subprocess.DEVNULL) for _ in range(2)]
    try:
        assert [one.wait(60) for one in looking] == [22, 22]
    finally:
        for one in looking:
            one.kill()
            one.wait()
    assert receiver.roles == ["agent-owner"]


def test_the_doctor_says_which_roles_cannot_be_told(receiver: Receiver, tmp_path: Path) -> None:
    """Without addresses a warning; an address that is none and a file that is open are wrong, and none is shown."""
    a_store(registry=CHAIN)
    path = Settings.from_environment().notify_file

    def said() -> dict[str, Any]:
        found = run("doctor", "--json")
        assert TOKEN not in found.said
        return next(f for f in found.document if f["about"] == "notifications")

    assert said()["finding"].endswith(
        "told that something fires: agent-owner, ops-lead, support-lead"
    )
    receiver.write_book(path, "ops-lead")
    assert (said()["is_well"], said()["finding"].split(": ")[1]) == (
        True,
        "agent-owner, support-lead",
    )
    receiver.write_book(path, *ROLES)
    assert said()["finding"] == "every role has an address (3)"
    path.write_text(f'[roles]\nops-lead = "no-such-service://{TOKEN}"\n', encoding="utf-8")
    assert (said()["is_well"], said()["finding"]) == (
        False,
        "no service takes: ops-lead, address 1",
    )
    path.chmod(0o640)
    assert (said()["is_well"], "mode 0640" in said()["finding"]) == (False, True)

"""`workbench triggers`: what fires is said with the command that pauses it, recorded once, and paused where asked."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.ground import (
    HOSTILE,
    RECORDED,
    REGISTRY,
    a_registry_file,
    a_store,
    events,
    inert,
    refused,
    run,
    usage,
)
from workbench.control import open_control
from workbench.control.triggering import lasting, subjects_of
from workbench.records import Purpose
from workbench.settings import Settings
from workbench.store.documents import documents
from workbench.warehouse import Warehouse, Watermark

PAUSES = '\n[triggers.staging]\naction = "pause"\n'
IDS = ("invoice-triage", "ticket-reply", "order-sync", "price-lookup")


def load(
    statuses: dict[str, str], *, batch: str = "a", age: timedelta = timedelta(0), error: str = ""
) -> datetime:
    """Load a run a second for each letter (f failed, s succeeded) of each automation, and that this is all."""
    settings = Settings.from_environment()
    now = settings.clock().now()
    rows = []
    for automation_id, letters in statuses.items():
        for n, letter in enumerate(letters):
            at = now - timedelta(seconds=len(letters) - n)
            rows.append(
                {
                    "source_id": "engine", "run_id": f"{batch}-{automation_id}-{n}", "automation_id": automation_id,
                    "environment": "staging", "kind": "agent", "category": "commerce", "engine": "prefect",
                    "status": {"f": "failed", "s": "succeeded"}[letter], "first_seen_at": at, "started_at": at,
                    "finished_at": at + timedelta(milliseconds=1), "updated_at": at, "error_message": error or None,
                }
            )  # fmt: skip
    marks = [Watermark("engine", "run", now - age, now)]
    Warehouse.open(settings.home, settings.clock()).put_rows({"run": rows}, watermarks=marks)
    return now


def calm(**more: str) -> dict[str, str]:
    """Return a quiet half minute of all automations but those that are named."""
    return {**dict.fromkeys(IDS, "s" * 30), **{k.replace("_", "-"): v for k, v in more.items()}}


def told() -> list[tuple[str, str]]:
    """Return action and target of every event of a trigger."""
    return [(e.action, e.target) for e in events() if e.action.startswith("trigger.")]


def test_nothing_fires_and_nothing_is_recorded() -> None:
    """A quiet hour ends with 0, adds no event, and is not called quiet where it cannot be told."""
    a_store()
    load(calm())
    before = len(events())
    found = run("triggers", "--once")
    assert (found.code, found.err) == (0, "")
    assert "Nothing fires." in found.out
    assert found.out.splitlines()[-1].startswith("log head ")
    assert len(events()) == before


def test_what_fires_is_said_and_recorded_once() -> None:
    """Exit code 22; number, threshold, source, query, whom to tell; the second look adds no event, the end one."""
    a_store()
    load(calm(invoice_triage="s" * 10 + "f" * 5))
    first = run("triggers", "--once")
    assert first.code == 22
    for part in (
        "FIRES  automation=invoice-triage  failure_streak  since ",
        "5 runs failed in a row",
        "fires at 5 or more (chance: ",
        "query triggers.recent_runs",
        "tell: agent-owner, then ops-lead",
    ):
        assert part in first.out, first.out
    key = ("trigger.fire", "automation=invoice-triage/failure_streak")
    assert told() == [key]
    body = events("trigger.fire")[0].payload
    assert (body["number"], body["threshold"], body["query"]) == (
        "5",
        "5 or more",
        "triggers.recent_runs",
    )
    assert run("triggers", "--once").code == 22
    assert told() == [key]
    load(calm(), batch="b")
    assert run("triggers", "--once").code == 0
    assert told() == [key, ("trigger.clear", key[1])]
    control = open_control(Settings.from_environment())
    assert control.store.projection() == documents(control.state())
    assert run("audit", "verify").code == 0


def test_the_printed_command_pauses_as_it_is_typed() -> None:
    """Copied from the screen and typed as it stands, it places a guard hold with the reason filled in."""
    a_store()
    load(calm(ticket_reply="f" * 20))
    shown = run("triggers", "--once").out.splitlines()
    commands = [line.strip() for line in shown if line.strip().startswith("workbench pause ")]
    streak = next(c for c in commands if "failure_streak" in c)
    found = run(*shlex.split(streak)[1:], "--no-wait")
    assert found.code == 10, found.said
    (hold,) = open_control(Settings.from_environment()).holds()
    assert (hold.hold.scope, hold.hold.purpose) == ("automation=ticket-reply", Purpose.GUARD)
    assert (
        hold.hold.reason
        == "failure_streak: 20 runs failed in a row, the newest at "
        + (hold.hold.reason.split(" at ")[-1])
    )
    assert "held by H-1" in run("triggers", "--once").out


def test_late_data_is_cannot_tell_said_once_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An hour later nothing more was loaded: each automation is in doubt, once, and what fired still does."""
    monkeypatch.setenv("WORKBENCH_CLOCK", RECORDED)
    a_store()
    load(calm(invoice_triage="s" * 10 + "f" * 5))
    assert run("triggers", "--once").code == 22
    monkeypatch.setenv("WORKBENCH_CLOCK", "2026-11-20T10:30:00Z")
    late, again = run("triggers", "--once"), run("triggers", "--once")
    said = "evidence: engine was loaded until 2026-11-20 09:30:00 UTC (run); older than 900 s"
    assert (late.out.count(said), again.out.count(said)) == (len(IDS), 0)
    assert (late.code, again.code) == (22, 22)
    actions = [action for action, _ in told()]
    assert actions == ["trigger.fire", *["trigger.doubt"] * len(IDS)]
    load(calm(), batch="b")
    assert run("triggers", "--once").code == 0
    assert [a for a, _ in told()].count("trigger.clear") == len(IDS) + 1


def test_an_empty_warehouse_says_so_once_for_each() -> None:
    """Where nothing was ever loaded every automation cannot be told; the second look only counts them."""
    a_store()
    first, second = run("triggers", "--once"), run("triggers", "--once")
    assert (first.code, second.code) == (0, 0)
    assert first.out.count("no run of the last 7 days is loaded") == len(IDS)
    assert "Nothing that can be told fires." in first.out
    assert "no run of the last 7 days" not in second.out
    assert "cannot be told, as was said before" in second.out


def test_a_relapse_after_a_release_is_said_again() -> None:
    """What failed before a release is not held against it; what fails after it is an episode of its own."""
    a_store()
    load(calm(order_sync="f" * 6))
    assert run("triggers", "--once").code == 22
    assert run("pause", "automation=order-sync", "-r", "x", "-y", "--no-wait").code == 10
    assert run("resume", "H-1", "--full", "--break-glass", "fixed", "-y").code == 0
    assert run("triggers", "--once").code == 0
    time.sleep(0.01)
    settings = Settings.from_environment()
    now = settings.clock().now()
    rows = [
        {
            "source_id": "engine", "run_id": f"again-{n}", "automation_id": "order-sync", "environment": "staging",
            "kind": "workflow", "category": "commerce", "status": "failed", "first_seen_at": now,
            "started_at": now, "finished_at": now, "updated_at": now,
        }
        for n in range(5)
    ]  # fmt: skip
    marks = [Watermark("engine", "run", now, now)]
    Warehouse.open(settings.home, settings.clock()).put_rows({"run": rows}, watermarks=marks)
    assert run("triggers", "--once").code == 22
    streaks = [e for e in events("trigger.fire") if e.target.endswith("order-sync/failure_streak")]
    assert len(streaks) == 2


def test_where_the_registry_asks_for_it_a_guard_hold_is_placed_once() -> None:
    """The hold has reason, number, threshold, query and event; a second look, and a second rule, place none."""
    control = a_store(registry=REGISTRY + PAUSES)
    load(calm(invoice_triage="f" * 20))
    found = run("triggers", "--once")
    assert found.code == 22
    assert "Placed H-1" in found.out
    (hold,) = control.holds()
    fired = events("trigger.fire")
    assert hold.hold.purpose is Purpose.GUARD
    assert hold.hold.scope == "automation=invoice-triage"
    assert hold.hold.reason.startswith("trigger failure_rate_percent: 20 of the last 20 runs")
    (rate,) = [e for e in fired if e.target == "automation=invoice-triage/failure_rate_percent"]
    assert hold.hold.reason.endswith(f"query triggers.recent_runs, event {rate.seq}")
    assert run("gate", "invoice-triage").code == 20
    assert "Placed" not in run("triggers", "--once").out
    assert len(control.holds(include_released=True)) == 1


def test_a_released_guard_hold_is_not_placed_again_for_old_failures() -> None:
    """A person released it: the same failures pause nothing again."""
    control = a_store(registry=REGISTRY + PAUSES)
    load(calm(invoice_triage="f" * 20))
    run("triggers", "--once")
    assert run("resume", "H-1", "--full", "--break-glass", "fixed", "-y").code == 0
    run("triggers", "--once")
    assert len(control.holds(include_released=True)) == 1


def test_notify_places_no_hold() -> None:
    """Without `action = "pause"` a look only says and records."""
    control = a_store()
    load(calm(invoice_triage="f" * 20))
    assert run("triggers", "--once").code == 22
    assert control.holds() == ()


def test_never_on_a_recorded_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a demonstration it is said that the registry asks for a pause, and none is placed."""
    monkeypatch.setenv("WORKBENCH_CLOCK", RECORDED)
    control = a_store(registry=REGISTRY + PAUSES)
    load(calm(invoice_triage="f" * 20))
    found = run("triggers", "--once")
    assert found.out.startswith("DEMO, clock stands at ")
    assert "NOT PAUSED, though the registry asks for it: the clock is a recorded one." in found.out
    assert control.holds() == ()


def test_never_where_policy_keeps_pauses_for_persons(tmp_path: Path) -> None:
    """`is_pause_by_person` stands over the registry; to take it back weakens the policy."""
    people = REGISTRY.replace('"duty officer"', '"ann"')
    control = a_store(registry=people + PAUSES)
    public = run("key", "new").out.splitlines()[1]
    assert run("key", "enrol", public, "--person", "ann", "--role", "ops-lead", "-y").code == 0
    policy = tmp_path / "policy.toml"
    policy.write_text("[staging]\nis_pause_by_person = true\n", encoding="utf-8")
    assert run("policy", "apply", str(policy), "-y").code == 0
    load(calm(invoice_triage="f" * 20))
    found = run("triggers", "--once")
    assert (
        "NOT PAUSED, though the registry asks for it: policy keeps pauses for persons" in found.out
    )
    assert control.holds() == ()


def test_a_category_is_paused_only_where_its_own_table_says_so() -> None:
    """A pooled rate fires at the category; its hold covers all of it, when its table asks for a pause."""
    own = '\n[categories.support.triggers]\naction = "pause"\n'
    control = a_store(registry=REGISTRY + own)
    load(calm(ticket_reply="f" * 20, invoice_triage="f" * 20))
    run("triggers", "--once")
    assert {h.hold.scope for h in control.holds()} <= {
        "category=support",
        "automation=ticket-reply",
    }
    state = control.state()
    assert "category=support/failure_rate_percent" in lasting(state, subjects_of(state))


def test_json_tells_the_same() -> None:
    """One ASCII document with what fires and what cannot be told."""
    a_store()
    load(calm(invoice_triage="f" * 5))
    found = run("triggers", "--once", "--json")
    assert (found.code, found.err) == (22, "")
    assert found.out.isascii()
    rows = {f"{r['scope']}/{r['rule']}": r for r in found.document["findings"]}
    one = rows["automation=invoice-triage/failure_streak"]
    assert one["state"] == "fires"
    assert one["pause"].startswith("workbench pause automation=invoice-triage --purpose guard")


def test_words_that_say_nothing_are_refused() -> None:
    """Neither, or both, of --once and --watch is a usage error; without a store it is said as everywhere."""
    refused(run("triggers"), 2, "Say --once")
    refused(run("triggers", "--once", "--watch"), 2, "Say --once")
    usage(run("triggers", "--watch", "--period", "0"), "--period")
    refused(run("triggers", "--once"), 15, "store")


def test_hostile_text_is_inert() -> None:
    """What strangers wrote into runs moves no cursor."""
    a_store(registry=a_registry_file().read_text(encoding="utf-8"))
    load(calm(invoice_triage="f" * 5), error=HOSTILE)
    inert(run("triggers", "--once"))


def test_two_looks_at_once_record_one_episode() -> None:
    """Whoever comes second finds it recorded: the decision is made again under the store's lock."""
    from workbench.noticing import look_once

    a_store()
    load(calm(invoice_triage="f" * 5))
    settings = Settings.from_environment()
    first, second = open_control(settings), open_control(settings)
    stale = first.state()
    look_once(second, settings)
    first.state = lambda: stale  # type: ignore[method-assign]  # it looked before the other recorded
    look_once(first, settings)
    assert [e.target for e in events("trigger.fire")] == [
        "automation=invoice-triage/failure_streak"
    ]


def test_watch_says_what_is_new_until_it_is_stopped() -> None:
    """It looks again, says each episode once, and ends with 0 at a signal."""
    a_store()
    load(calm(invoice_triage="s" * 10 + "f" * 5))
    words = [sys.executable, "-m", "workbench", "triggers", "--watch", "--period", "1"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as watching:
        assert watching.stdout is not None
        lines = [watching.stdout.readline()]
        while not lines[-1].startswith("FIRES"):
            lines.append(watching.stdout.readline())
        load(calm(), batch="b")
        while not lines[-1].startswith("over"):
            lines.append(watching.stdout.readline())
        watching.send_signal(signal.SIGTERM)
        rest, _ = watching.communicate(timeout=60)
    assert watching.returncode == 0
    assert sum(line.startswith("FIRES") for line in lines) == 1
    assert "log head" in rest
    assert [action for action, _ in told()] == ["trigger.fire", "trigger.clear"]

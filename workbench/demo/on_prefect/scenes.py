"""The scenes of the live demo, each ending with figures that Prefect or the store gave."""

from __future__ import annotations

import json
from datetime import datetime

from workbench.clock import to_text
from workbench.control import open_control
from workbench.demo.crew import DemoFailed
from workbench.demo.on_prefect.desk import (
    AUTOMATIONS,
    OTHERS,
    PAUSED,
    RESTARTED,
    Desk,
    counted,
)
from workbench.demo.on_prefect.provider import PROVIDER
from workbench.demo.on_prefect.server import now
from workbench.records import Hold, Target

SCOPE = f"kind=agent,provider={PROVIDER}"
HOLD = "H-1"
RUNS = 5
WORK_SECONDS = 90.0
CONFIRM_SECONDS = 60.0
WATCH_SECONDS = 12.0
FAILURES = 3
AS_LEAD = "--as ops-lead --yes"


def show_work(desk: Desk) -> None:
    """Scene 2: the server starts runs of all four."""
    desk.screen.scene(2, "Four automations run on it, on schedules of its own")
    began = desk.began
    desk.wait(
        lambda: all(desk.server.ended_well(name, began) for name in AUTOMATIONS),
        seconds=WORK_SECONDS,
        why="Not every automation completed a run",
    )
    desk.screen.say(f"Runs started, as Prefect tells: {counted(desk.started(AUTOMATIONS, began))}.")


def show_failures(desk: Desk) -> None:
    """Scene 3: the provider degrades, and the runs of the agents that use it fail."""
    desk.screen.scene(3, f"The provider {PROVIDER} degrades")
    began = now()
    desk.provider.degrade()
    desk.screen.say(f"staged: {PROVIDER} answers 503 from now on; its neighbour goes on answering")
    desk.wait(
        lambda: all(desk.server.failed(name, began) >= FAILURES for name in PAUSED),
        seconds=WORK_SECONDS,
        why=f"The agents on {PROVIDER} did not fail {FAILURES} times each",
    )
    failed = {name: desk.server.failed(name, began) for name in AUTOMATIONS}
    desk.screen.say(f"Failed runs since then, as Prefect tells: {counted(failed)}.", colour="red")
    if sum(failed[name] for name in OTHERS):
        raise DemoFailed(f"Automations that do not use {PROVIDER} failed too: {counted(failed)}.")


def show_pause(desk: Desk) -> datetime:
    """Scene 4: one command stops exactly those agents; returns when the last had confirmed."""
    desk.screen.scene(4, "One command stops exactly the agents on that provider")
    desk.type(f'pause {SCOPE} --reason "{PROVIDER} answers 503" {AS_LEAD}', expected=(0, 10))
    # Exit code 10: recorded, and on a busy machine not confirmed within its 30 s; `serve` goes on.
    desk.wait(
        lambda: all(one.quiet_at for one in hold_and_targets(desk)[1]),
        seconds=CONFIRM_SECONDS,
        why="Not every agent was confirmed and quiet",
    )
    hold, targets = hold_and_targets(desk)
    if sorted(one.automation_id for one in targets) != sorted(PAUSED):
        raise DemoFailed(f"The hold covers {targets}, not exactly {', '.join(PAUSED)}.")
    for target in targets:
        desk.screen.say(f"{target.automation_id}: recorded, then {steps_of(hold, target)}")
    return max(target.confirmed_at for target in targets if target.confirmed_at)


def hold_and_targets(desk: Desk) -> tuple[Hold, tuple[Target, ...]]:
    """Read the hold and how far it has come from the store that the command wrote to."""
    control = open_control(desk.place.settings)
    return control.state().holds[HOLD], control.targets(HOLD)


def steps_of(hold: Hold, target: Target) -> str:
    """Write how long after the hold was recorded each step was reached."""
    return ", ".join(
        f"{name} +{(at - hold.placed_at).total_seconds():.1f} s" if at else f"{name} not yet"
        for name, at in (
            ("delivered", target.delivered_at),
            ("confirmed", target.confirmed_at),
            ("quiet", target.quiet_at),
        )
    )


def show_quiet(desk: Desk, confirmed_at: datetime) -> None:
    """Scene 5: nothing starts under the hold, everything else does, and a green alert is no reason."""
    desk.screen.scene(5, f"{WATCH_SECONDS:.0f} seconds under the pause")
    desk.let_pass(WATCH_SECONDS)
    watched = (now() - confirmed_at).total_seconds()
    paused, others = desk.started(PAUSED, confirmed_at), desk.started(OTHERS, confirmed_at)
    desk.screen.say(
        f"Started in the {watched:.0f} s since it was confirmed, as Prefect tells: {counted(paused)}; "
        f"not paused: {counted(others)}.",
        colour="red" if any(paused.values()) else "green",
    )
    if any(paused.values()):
        raise DemoFailed(f"Runs started under the pause: {counted(paused)}.")
    if idle := [name for name, count in others.items() if not count]:
        raise DemoFailed(f"{', '.join(idle)} stopped too, and should have gone on.")
    desk.screen.say(
        "0 runs, so 0 failures: the alert is green, and that is no evidence. A restart is refused:"
    )
    desk.type(f"resume {HOLD} --full --yes", expected=(3,))


def show_review(desk: Desk) -> None:
    """Scene 6: the provider is mended, what happened is loaded, the review says what it shows, a person decides."""
    desk.screen.scene(6, "The provider is mended; what does the evidence say?")
    desk.provider.mend()
    note_change(desk, f"{PROVIDER} was given capacity again (AC-1)")
    desk.screen.say(f"staged: {PROVIDER} answers again, and its status page says so")
    load_all(desk)
    desk.type(f"review {HOLD}")


def show_restart(desk: Desk) -> None:
    """Scene 7: one automation restarts for some runs under the same hold, and stops by itself."""
    desk.screen.scene(7, f"{RESTARTED} restarts for {RUNS} runs; the hold stays")
    desk.type(f"decide R-1 {AS_LEAD}")
    load_all(desk)
    began = now()
    narrow = f"resume {HOLD} --only automation={RESTARTED} --runs {RUNS} {AS_LEAD}"
    # Exit code 10: recorded, and `serve`, which is delivering just then, brings the engine back.
    if desk.type(narrow, expected=(0, 10)).code:
        desk.screen.say("`serve` was at work in Prefect just then, and brings it back there.")
    desk.wait(
        lambda: desk.server.worked(RESTARTED, began) >= RUNS,
        seconds=WORK_SECONDS,
        why=f"{RESTARTED} did not make {RUNS} runs",
    )
    desk.let_pass(WATCH_SECONDS)
    counts = {name: desk.server.worked(name, began) for name in PAUSED}
    others = desk.started(OTHERS, began)
    desk.screen.say(
        f"Runs at work since, as Prefect tells: {counted(counts)}; not paused: {counted(others)}.",
        colour="green",
    )
    if counts != {name: RUNS if name == RESTARTED else 0 for name in PAUSED}:
        raise DemoFailed(f"Exactly {RUNS} runs of {RESTARTED} were allowed: {counted(counts)}.")
    desk.screen.say(
        f"That was the limit: the gate and Prefect hold it again, under the same {HOLD}."
    )
    desk.type("status")
    if hold_and_targets(desk)[0].released_seq is not None:
        raise DemoFailed(f"{HOLD} does not stand any more.")


def show_record(desk: Desk) -> None:
    """Scene 8: the log verifies."""
    desk.screen.scene(8, "The record")
    desk.type("audit verify")


def load_all(desk: Desk) -> None:
    """Load what happened since: runs from Prefect, the rest from what its own sources wrote."""
    desk.type("sync prefect")
    until = to_text(now())
    export(desk)
    for table, source, file in (
        ("provider_status", "acme-status-page", "status-page.jsonl"),
        ("affected_record", "prefect", "drafts.jsonl"),
        ("audit_event", "agents", "agents-audit.jsonl"),
        ("change", "changes", "changes.jsonl"),
    ):
        desk.type(f"load --table {table} --source {source} --complete-until {until} {file}")


def export(desk: Desk) -> None:
    """Write what the sources know by now, each to a file: a file that still grows is not loaded."""
    desk.provider.write_status_page(desk.place.folder / "status-page.jsonl")
    for grown, file in (("records.jsonl", "drafts.jsonl"), ("audit.jsonl", "agents-audit.jsonl")):
        text = (desk.place.folder / grown).read_text(encoding="utf-8")
        whole = text[: text.rindex("\n") + 1]
        (desk.place.folder / file).write_text(whole, encoding="utf-8")


def note_change(desk: Desk, summary: str) -> None:
    """Note a change where the demo keeps its changes."""
    row = {
        "change_id": "CH-1",
        "changed_at": to_text(now()),
        "kind": "provider",
        "target": SCOPE,
        "actor": "provider",
        "summary": summary,
    }
    path = desk.place.folder / "changes.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")

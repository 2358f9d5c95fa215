"""The whole demo as a newcomer runs it; what it prints is compared with what the databases say."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.demo.played import ESCAPE, Played, left_running, play_once
from workbench.clock import SystemClock, from_text
from workbench.demo.world import World
from workbench.recordings import Recording, shipped_names
from workbench.store import open_store
from workbench.store.state import State
from workbench.tickets import TicketBook

pytestmark = [pytest.mark.slow]

AGENTS = ("invoice-triage", "ticket-reply")
OTHERS = ("order-sync", "stock-watch", "price-lookup", "refund-playbook")


@pytest.fixture(scope="module")
def recording() -> Recording:
    """Return the recording that the demo shows."""
    return Recording.open(shipped_names()[-1])


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Play the demo once, without a browser, in an empty folder."""
    return play_once(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def state(played: Played) -> State:
    """Return what the store says that the demo left."""
    return open_store(played.place.settings, SystemClock()).state()


@pytest.fixture(scope="module")
def world(played: Played) -> World:
    """Open the database that the six automations wrote to."""
    return World(played.place.world)


def confirmed_at(state: State) -> datetime:
    """Return when the last agent had confirmed, from the log and not from the screen."""
    return max(from_text(state.observed["H-1", name]["confirmed_at"]) for name in AGENTS)


def test_it_plays_to_the_end(played: Played) -> None:
    """The demo ends with exit code 0, complains about nothing, and writes no colours into a pipe."""
    assert (played.code, played.errors) == (0, ""), played.text + played.errors
    assert ESCAPE not in played.text
    assert [int(n) for n in re.findall(r"^(\d)  \w", played.text, re.MULTILINE)] == [*range(1, 8)]


def test_all_five_kinds_wrote_before_the_pause(played: Played, world: World, state: State) -> None:
    """Six automations of all five kinds really wrote to the database, each from a process of its own."""
    assert {a.kind for a in state.automations.values()} == {
        "workflow",
        "watcher",
        "agent",
        "playbook",
        "custom_tool",
    }
    before = world.counts(state.holds["H-1"].placed_at.replace(year=2000), confirmed_at(state))
    assert set(before) == {*AGENTS, *OTHERS}
    assert all(count.entries > 5 for count in before.values())
    seen = (played.place.settings.gate / "seen").glob("*.json")
    assert len({json.loads(path.read_text())["pid"] for path in seen}) >= 6


def test_the_pause_covers_exactly_the_agents(played: Played, state: State) -> None:
    """`pause kind=agent` froze the two agents and nothing else; each confirmed, and was quiet or is told not to be."""
    assert state.holds["H-1"].scope == "kind=agent"
    assert state.covered["H-1"] == set(AGENTS)
    for name in AGENTS:
        assert set(state.observed["H-1", name]) >= {"delivered_at", "confirmed_at"}
        line = next(t for t in played.text.splitlines() if t.split()[:2] == [name, "delivered"])
        assert ("quiet not yet" in line) is ("quiet_at" not in state.observed["H-1", name])


def test_no_write_came_after_the_receipt(played: Played, world: World, state: State) -> None:
    """It prints 0 writes after the receipt, and the database has none until the narrow restart."""
    assert played.number(r"Writes of the agents after the receipt: (\d+),") == 0
    counts = world.counts(confirmed_at(state), state.probations["P-1"].started_at)
    assert [name for name in AGENTS if name in counts] == []


def test_the_others_went_on(played: Played, world: World, state: State) -> None:
    """The other four wrote on while the agents stood still, at least as often as it says."""
    printed = played.number(r"Writes of the other 4 since then: (\d+)")
    counts = world.counts(confirmed_at(state), state.probations["P-1"].started_at)
    assert all(counts[name].entries > 0 for name in OTHERS)
    assert 0 < printed <= sum(counts[name].entries for name in OTHERS)


def test_the_last_write_is_told_in_milliseconds(played: Played, world: World, state: State) -> None:
    """The distance it prints between last write and receipt is the one between the two clocks' records."""
    before = world.counts(state.holds["H-1"].placed_at.replace(year=2000), confirmed_at(state))
    assert sum(before[name].entries for name in AGENTS) > 0
    printed = played.number(r"(\d+) ms before the receipt")
    assert 0 <= printed < 5_000


def test_the_alert_goes_green_and_the_resume_is_refused(played: Played) -> None:
    """The refusal on the screen is word for word what the command says on that store, exit code 3."""
    assert "alert: green" in played.flat
    again = played.command("resume", "H-1", "--full", "--yes")
    assert again.returncode == 3
    assert " ".join(again.stderr.split()) in played.flat
    assert "exit code 3: refused" in played.flat


def test_the_narrow_restart_stops_at_its_limit(played: Played, world: World, state: State) -> None:
    """One agent made exactly five runs, by the screen, the database and the tickets; the hold stands."""
    probation = state.probations["P-1"]
    entries, runs = world.count_since("invoice-triage", probation.started_at)
    assert (played.number(r"invoice-triage made (\d+) runs"), runs) == (5, 5)
    assert played.number(r"runs \((\d+) writes") == entries
    taken = TicketBook(played.place.settings.gate, "P-1", probation.max_runs).taken()
    assert len({ticket.run_id for ticket in taken}) == 5
    assert world.count_since("ticket-reply", probation.started_at) == (0, 0)
    assert state.holds["H-1"].released_seq is None
    assert played.command("gate", "invoice-triage").returncode == 20


def test_the_break_glass_is_flagged(played: Played, state: State) -> None:
    """Going without a decision is in the log with its reason, and `status` says so."""
    assert state.probations["P-1"].break_glass_reason.startswith("demo:")
    assert "break-glass" in played.command("status").stdout.lower()


def test_the_log_verifies_and_the_copy_does_not(played: Played, state: State) -> None:
    """`audit verify` passes on the store and names the altered row of the copy, on the screen as here."""
    assert played.command("audit", "verify").returncode == 0
    broken = played.command("audit", "verify", store=played.place.tampered)
    assert broken.returncode == 14
    placed = state.holds["H-1"].placed_seq
    assert f"broken at {placed}: event {placed} (hold.place H-1" in broken.stderr
    assert " ".join(broken.stderr.splitlines()[0].split()) in played.flat


def pages(played: Played) -> list[Path]:
    """Return the paths that stand on a line of their own."""
    return [Path(line) for line in played.text.splitlines() if line.endswith(".html")]


def test_both_reports_are_there_and_need_no_network(played: Played) -> None:
    """It ends with the paths of two whole HTML files that load nothing from anywhere."""
    found = pages(played)
    assert [path.name for path in found] == ["restart-decision.html", "post-incident-review.html"]
    for path in found:
        html = path.read_text(encoding="utf-8")
        assert "INCOMPLETE" not in html
        assert re.findall(r"""(?:src|href)=["']?(?:https?:)?//[^"' >]+""", html) == []
        assert re.findall(r"@import|url\(['\"]?https?:", html) == []
        assert html.count("<figure") >= 3
        assert "DEMO" in html


def verdict_of(played: Played) -> dict[str, Any]:
    """Return what the restart decision's verdict.json says."""
    path = pages(played)[0].with_name("verdict.json")
    document: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
    return document


def test_verdict_and_contrast_come_from_the_report(played: Played) -> None:
    """The verdict and the contrast between alert and evidence are the report's own words and numbers."""
    document = verdict_of(played)
    words = str(document["verdict"]).replace("_", " ").upper()
    assert f"Verdict of the recorded incident: {words}" in played.flat
    says = document["headline"]
    contrast = f"The alert says: {says['alert_says']} / The evidence says: {words}. {says['evidence_says']}"
    assert " ".join(contrast.split()) in played.flat


def test_the_recorded_verdict_is_escalate(played: Played) -> None:
    """At the instant the alert resolved the evidence says escalate, for the reasons that were recorded."""
    document = verdict_of(played)
    assert (document["verdict"], document["is_demo"]) == ("escalate", True)
    assert document["escalation_reasons"]


def test_what_is_recorded_says_demo_and_when(played: Played, recording: Recording) -> None:
    """Each line about the recorded incident says DEMO and the recorded time; no other line does."""
    lines = [line for line in played.text.splitlines() if "DEMO" in line]
    instants = [recording.as_of(name) for name in ("alert-resolved", "end")]
    marks = tuple(f"   DEMO {at:%Y-%m-%d %H:%M:%S} UTC  " for at in instants)
    assert len(lines) > 6
    assert [line for line in lines if not line.startswith(marks)] == []


def test_the_recorded_store_is_the_recording_s(played: Played, recording: Recording) -> None:
    """The store behind the report is the recorded log up to the instant, plus the report itself."""
    place = played.place.recorded("alert-resolved")
    restored = played.command("audit", "show", "--json", store=place / "store").stdout.splitlines()
    bodies = [line["body"] for line in recording.store_log_until("alert-resolved")]
    assert restored[: len(bodies)] == bodies
    assert [json.loads(body)["action"] for body in restored[len(bodies) :]] == ["report.record"]


def test_nothing_is_left_running(played: Played) -> None:
    """When the demo is over none of its processes lives."""
    assert left_running(played.place.settings.home) == []


def test_its_last_lines_lead_a_shell_to_its_store(played: Played) -> None:
    """The last three lines, the panel's left out, are pasted into a shell: the demo's hold is shown there."""
    export, status, lab = played.text.splitlines()[-3:]
    assert export.startswith("export WORKBENCH_")
    assert lab.endswith("lab")
    pasted = subprocess.run(
        ["bash", "-c", f"{export}\n{status}"], capture_output=True, text=True, check=False
    )
    assert pasted.returncode == 0, pasted.stderr
    assert str(played.place.settings.store) in pasted.stdout
    assert "H-1  kind=agent  paused" in pasted.stdout


@pytest.mark.browser
def test_the_reports_open_offline(played: Played, browser: Any) -> None:
    """In a browser without a network both pages draw their figures and ask for nothing but themselves."""
    for path in pages(played):
        context = browser.new_context(offline=True)
        page, asked = context.new_page(), []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(path.as_uri(), wait_until="load")
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        assert page.locator("figure svg").count() >= 3
        context.close()

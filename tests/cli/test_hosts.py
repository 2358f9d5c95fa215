"""Hosts on the command line: named in every receipt, UNREACHABLE where silent, struck off on the record."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.ground import HOSTILE, a_store, asking, events, inert, refused, run, usage
from tests.store.several_hosts import a_mirror
from tests.store.test_hosts import forge, row_of
from workbench.clock import SystemClock
from workbench.control import Control
from workbench.gate import Gate
from workbench.settings import Settings
from workbench.store import hosts


@pytest.fixture
def control() -> Iterator[Control]:
    """Return the way to command a store that a mirror on host `b` reports to."""
    yield a_store()


def report_from(name: str, root: Path, *asks: str) -> Settings:
    """Mirror once from another host, with gates that have asked there; returns its settings."""
    here = Settings.from_environment()
    own = type(here)(
        **{**vars(here), "gate": root / name / "gate", "home": root / name, "host": name}
    )
    mirror = a_mirror(own, SystemClock())
    mirror.once()
    for automation_id in asks:
        Gate(own.gate).check(automation_id)
    mirror._reporter._told_at = float("-inf")
    mirror.once()
    return own


def fall_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whatever has reported until now be silent."""
    monkeypatch.setattr(hosts, "SILENT_SECONDS", 0.05)
    time.sleep(0.1)


def test_a_receipt_names_hosts_that_were_not_told(
    control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 10 and a line for each such host, though every automation seen here has confirmed."""
    report_from("b", tmp_path)
    fall_silent(monkeypatch)
    with asking("order-sync"):
        found = run("pause", "automation=order-sync", "--reason", "x", "--yes")
    assert found.code == 10
    assert "1 of 1 automations confirmed" in found.out
    assert "NOT TOLD: host b is UNREACHABLE: last heartbeat 20" in found.out
    assert "gates there have event" in found.out


def test_the_json_of_hosts_has_exactly_these_fields(control: Control, tmp_path: Path) -> None:
    """Programs get each host's state, position, age and clock."""
    own = report_from("b", tmp_path)
    (host,) = run("status", "--json").document["hosts"]
    assert set(host) == {
        "host",
        "state",
        "seq",
        "wanted_seq",
        "last_heartbeat_at",
        "age_seconds",
        "skew_seconds",
        "gate_folder",
        "reported_by",
    }
    assert (host["host"], host["state"], host["gate_folder"]) == ("b", "told", str(own.gate))
    paused = run("pause", "*", "--reason", "x", "--yes", "--no-wait", "--json").document
    assert (paused["is_confirmed"], paused["hosts"][0]["state"]) == (False, "not told yet")


def test_status_doctor_and_card_show_hosts(
    control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that reports is well; a silent one is flagged, WRONG, and the way out is named."""
    report_from("b", tmp_path, "order-sync")
    assert "host" in run("status").out
    well = {f["about"]: f for f in run("doctor", "--json").document}
    assert well["host b"]["is_well"]
    heartbeat = r"last heartbeat 20\d\d-\d\d-\d\d [\d:]+ UTC \(\d+ s ago\)"
    assert re.search(heartbeat, well["host b"]["finding"])
    fall_silent(monkeypatch)
    said = run("status").out
    assert "UNREACHABLE" in said
    assert "flagged: host b is UNREACHABLE" in said
    wrong = {f["about"]: f for f in run("doctor", "--json").document}
    assert not wrong["host b"]["is_well"]
    assert re.search(heartbeat, wrong["host b"]["finding"])
    assert "workbench mirror forget b" in wrong["host b"]["next_step"]


def test_runs_that_were_cut_off_on_another_host_are_counted(
    control: Control, tmp_path: Path
) -> None:
    """A process that ended inside of its runs there makes them unknown here, by their number."""
    own = report_from("b", tmp_path)
    code = "import os, sys; from workbench.gate import Gate; g = Gate(sys.argv[1])\n"
    inside = "with g.run('order-sync', 'r1'), g.run('order-sync', 'r2'): os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code + inside, str(own.gate)]).returncode == 9
    report_from("b", tmp_path)
    assert "order-sync: 2 runs were cut off: what they did is unknown" in run("status").out


def test_a_wrong_clock_is_named(control: Control) -> None:
    """Doctor says how far a host's clock is from the store's."""
    forge(control, row_of("b", said_at="2001-01-01T00:00:00.000000Z"))
    found = [f for f in run("doctor", "--json").document if f["about"] == "host b"]
    assert not found[0]["is_well"]
    assert "s behind the store's" in found[0]["finding"]


def test_a_host_is_struck_off(
    control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused while it reports, without a reason or for an unknown name; then done once and recorded."""
    report_from("b", tmp_path)
    refused(run("mirror", "forget", "b", "-r", "gone"), 3, "Host b reported")
    fall_silent(monkeypatch)
    refused(run("mirror", "forget", "b"), 2, "needs a reason")
    refused(run("mirror", "forget", "c", "-r", "gone"), 4, "No host c reports")
    done = run("mirror", "forget", "b", "-r", "gone")
    assert (done.code, "is struck off" in done.out) == (0, True)
    refused(run("mirror", "forget", "b", "-r", "gone"), 4, "there are: none")
    (event,) = events("host.forget")
    assert event.reason == "gone"
    assert run("status", "--json").document["hosts"] == []


def test_a_hostile_host_is_shown_inertly(control: Control) -> None:
    """Names and folders come from other machines: nothing of them moves the cursor or poses as a line of ours."""
    forge(control, row_of(HOSTILE[:60], gate_folder=HOSTILE, report=HOSTILE))
    for words in (("status",), ("doctor",), ("pause", "*", "--reason", "x", "--yes", "--no-wait")):
        inert(run(*words))


def test_mirror_alone_says_what_it_needs(control: Control) -> None:
    """Neither option, and both, are refused with the usual way to call it."""
    usage(run("mirror"), "--watch or --once")
    usage(run("mirror", "--watch", "--once"), "--watch or --once")


def test_a_narrow_restart_names_its_hosts(control: Control, tmp_path: Path) -> None:
    """`--host a=1 --host b=2` stands in the print-out, in status with what was used, and in the event."""
    for name in "ab":
        report_from(name, tmp_path, "order-sync")
    run("pause", "automation=order-sync", "--reason", "x", "--yes", "--no-wait")
    words = ("resume", "H-1", "--only", "automation=order-sync", "--break-glass", "x", "--yes")
    refused(run(*words, "--runs", "3"), 3, "seen on several hosts: a, b")
    refused(run(*words, "--runs", "3", "--host", "c"), 4, "No host c reports")
    refused(run(*words, "--runs", "4", "--host", "a=1", "--host", "b=2"), 2, "have 3 runs together")
    done = run(*words, "--host", "a=1", "--host", "b=2")
    assert (done.code, "may run 3 times on a (1), b (2)" in done.out) == (0, True)
    assert [s["host"] for s in events("probation.start")[0].payload["shares"]] == ["a", "b"]
    assert "0 of 3 runs used on a 0 of 1 (heard" in run("status").out
    (hold,) = run("status", "--json").document["holds"]
    assert [(h["host"], h["runs"]) for h in hold["probations"][0]["hosts"]] == [("a", 1), ("b", 2)]
    refused(
        run("resume", "H-1", "--full", "--host", "a", "--break-glass", "x", "--yes"), 2, "--full"
    )

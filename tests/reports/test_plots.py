"""Figures are drawn from plain frames, in UTC, with colours that follow the page."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from workbench.plots import decision, incident
from workbench.plots.drawing import TOKENS, to_svg


def instant(text: str) -> pd.Timestamp:
    """Return an instant of the day of the tests."""
    return pd.Timestamp(f"2026-11-20T{text}Z")


MARKS = pd.DataFrame(
    {"occurred_at": [instant("09:20"), instant("09:40")], "what": ["onset", "H-1 placed"]}
)


BANDS = pd.DataFrame({"hold_id": ["H-1"], "placed_at": [instant("09:40")], "released_at": [pd.NaT]})


def gantt(hour: str = "09") -> str:
    """Draw two runs, one of them a leak, over an open hold."""
    runs = pd.DataFrame(
        {
            "automation_id": ["invoice-triage", "ticket-reply"],
            "started_at": [instant(f"{hour}:30"), instant(f"{hour}:41")],
            "finished_at": [instant(f"{hour}:31"), pd.NaT],
            "what": ["clean", "leak"],
            "leak_at": [pd.NaT, instant(f"{hour}:42")],
        }
    )
    bands = pd.DataFrame(
        {"hold_id": ["H-1"], "placed_at": [instant("09:40")], "released_at": [pd.NaT]}
    )
    return to_svg(
        decision.pause_gantt(runs, bands, since=instant(f"{hour}:00"), until=instant(f"{hour}:59"))
    )


def test_the_gantt_shows_hold_runs_and_leak() -> None:
    """The hold is a band with its id, the leak carries the colour of what is bad and a mark of its own."""
    svg = gantt()
    assert ">H-1 paused</text>" in svg
    assert "ticket-reply" in svg
    assert "var(--wb-ch-band," in svg
    assert svg.count("var(--wb-ch-bad,") >= 2


def test_a_figure_leaves_room_for_a_wider_font() -> None:
    """The frame is wider than measured on both sides by what long labels may need, and keeps its scale."""
    frame = re.search(
        r'width="([\d.]+)" height="([\d.]+)" viewBox="(-\d+) 0 ([\d.]+) ([\d.]+)"', gantt()
    )
    assert frame is not None
    assert (frame[1], frame[2]) == (frame[4], frame[5])
    assert -float(frame[3]) >= len("invoice-triage") * 1.3


def test_failed_has_one_colour_in_every_figure() -> None:
    """A failed run is drawn alike among the bars of runs and in the counts over time."""
    times = [instant("09:00"), instant("09:10")]
    buckets = pd.DataFrame(
        {"started_at": times, "outcome": ["clean", "failed"], "run_count": [3, 2]}
    )
    svg = to_svg(decision.runs_over_time(buckets, BANDS, onset_at=times[0], until=instant("09:59")))
    assert "var(--wb-ch-warn," in svg
    assert "var(--wb-ch-bad," not in svg


def test_times_are_utc_whatever_the_machine_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Axis labels are UTC also where the machine's zone is another."""
    monkeypatch.setenv("TZ", "America/New_York")
    words = set(re.findall(r">([^<>]*)</text>", gantt("21")))
    assert {"21:30", "2026-11-20, UTC"} <= words
    assert not words & {"09:30", "16:30"}


def test_every_colour_follows_the_page() -> None:
    """No colour of the palette stands in an SVG other than as a token with a fallback."""
    svg = gantt()
    for colour in TOKENS.values():
        assert not re.search(rf'(fill|stroke)="{colour}"', svg, re.IGNORECASE)


def test_a_rate_is_shown_with_its_interval_and_counts() -> None:
    """Each period says how many of how many."""
    rates = pd.DataFrame(
        {
            "period": ["baseline", "incident"],
            "failure_rate": [0.02, 0.5],
            "low_rate": [0.0, 0.3],
            "high_rate": [0.06, 0.7],
            "run_count": [200, 20],
            "failure_count": [4, 10],
        }
    )
    svg = to_svg(decision.rate_intervals(rates))
    assert "4 of 200" in svg
    assert "10 of 20" in svg


def test_a_pareto_says_the_share_explained() -> None:
    """Most frequent first, with the share that the bars so far explain."""
    failures = pd.DataFrame(
        {"error_signature": ["a", "b"], "failure_count": [1, 3], "seen": ["known before", "new"]}
    )
    svg = to_svg(decision.pareto(failures))
    assert svg.index("75%") < svg.index("100%")


def test_the_other_figures_are_drawn() -> None:
    """Provider bands, run counts, switch steps, phases, lanes and leads come out as well-formed SVG."""
    buckets = pd.DataFrame(
        {
            "started_at": [instant("09:00"), instant("09:10")],
            "outcome": ["clean", "failed"],
            "run_count": [3, 2],
        }
    )
    spans = pd.DataFrame(
        {"component": ["completions"], "since_at": [instant("09:00")], "until_at": [instant("10:00")],
         "status": ["partial_outage"]}
    )  # fmt: skip
    steps = pd.DataFrame({"automation_id": ["a"], "step": ["confirmed"], "elapsed_seconds": [1.4]})
    phases = pd.DataFrame(
        {"phase": ["onset to pause"], "started_at": [instant("09:20")], "finished_at": [instant("09:40")],
         "says": ["20 min"]}
    )  # fmt: skip
    events = pd.DataFrame(
        {
            "occurred_at": [instant("09:20")],
            "source": ["alerts"],
            "what": ["fired"],
            "weight": ["main"],
        }
    )
    leads = pd.DataFrame({"what": ["max_tokens raised"], "kind": ["config"], "lead_minutes": [3.0]})
    drawn = {
        "partial outage": decision.status_bands(spans, MARKS),
        "onset": decision.runs_over_time(
            buckets, BANDS, onset_at=instant("09:20"), until=instant("10:00")
        ),
        "confirmed": incident.switch_steps(steps),
        "onset to pause": incident.phase_lengths(phases),
        "alerts": incident.swim_lanes(events),
        "max_tokens raised": incident.change_leads(leads),
    }
    for word, chart in drawn.items():
        svg = to_svg(chart)
        assert svg.startswith("<svg")
        assert word in svg

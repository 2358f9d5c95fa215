"""A first-run hold that somebody reviewed and decided to keep: what makes it ready later answers that, and nothing else."""

from __future__ import annotations

import pytest

from tests.cli.ground import a_report, refused, run
from tests.cli.test_first_run import be, load_runs, register, two_people
from workbench.control import open_control
from workbench.records import VerdictKind
from workbench.settings import Settings
from workbench.store import folding

RELEASE = ("hold", "release", "H-1", "-y")
IDS = ("refund-bot",)


def decide(verdict: VerdictKind = VerdictKind.KEEP_PAUSED, *more: str) -> str:
    """Report about H-1 and decide on it as the present person; returns what was said."""
    report = a_report(verdict=verdict, ids=IDS, reason="not now")
    done = run("decide", report.report_id, "-y", *more)
    assert done.code == 0, done.said
    return done.out


def make_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load three dry runs and review them as bo; the present person is ann again afterwards."""
    be(monkeypatch, "bo")
    load_runs(d1="dry_run", d2="dry_run", d3="dry_run")
    for run_id in ("d1", "d2", "d3"):
        assert run("reviewed", run_id, "-r", "good").code == 0
    be(monkeypatch, "ann")


@pytest.fixture(autouse=True)
def held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with a new automation of production under H-1, as ann."""
    two_people(monkeypatch)
    register("--yes")


def test_what_was_kept_for_its_lacks_is_released_when_it_has_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A review said keep it paused while runs were lacking: once they were reviewed, a person releases it."""
    decide()
    make_ready(monkeypatch)
    named = ("resume", "H-1", "--full", "--decision", "D-1", "-y")
    refused(run(*named), 3, "D-1 decided keep_paused", "`workbench hold release H-1`")
    done = run(*RELEASE)
    assert "H-1 released" in done.out, done.said
    assert run("gate", "refund-bot").code == 0


def test_what_was_kept_although_ready_is_answered_by_a_decision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ready does not overrule a person who saw that; the refusal's own commands lead out of it."""
    make_ready(monkeypatch)
    decide()
    refused(
        run(*RELEASE),
        3,
        "D-1 decided keep_paused about H-1: not now; that it is ready is no answer to it",
        '`workbench review H-1`, then `workbench decide R-N --override restart_full --reason "TEXT"`',
    )
    decide(VerdictKind.KEEP_PAUSED, "--override", "restart_full", "-r", "the month is over")
    asked = run(*RELEASE)
    refused(
        asked, 3, "D-2 with a sign-off", "`workbench signoff request H-1 --full --decision D-2`"
    )
    assert run("signoff", "request", "H-1", "--full", "--decision", "D-2").code == 0
    be(monkeypatch, "bo")
    assert run("signoff", "give", "S-1", "-y").code == 0
    be(monkeypatch, "ann")
    stale = run(*RELEASE)
    refused(stale, 3, "H-1 is not resumed on D-2", "workbench load")


@pytest.mark.parametrize("verdict", [VerdictKind.ESCALATE, VerdictKind.RESTART_NARROW])
@pytest.mark.parametrize("is_ready_first", [True, False])
def test_what_says_more_than_that_it_lacked_is_not_answered_by_readiness(
    verdict: VerdictKind, is_ready_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Escalated, or decided on a part alone, before or after it was ready: it stays held until a newer decision."""
    if is_ready_first:
        make_ready(monkeypatch)
    decide(verdict)
    if not is_ready_first:
        make_ready(monkeypatch)
    refused(run(*RELEASE), 3, f"D-1 decided {verdict} about H-1", "that it is ready is no answer")
    assert run("gate", "refund-bot").code == 20
    decide(VerdictKind.RESTART_FULL)
    assert "that it is ready is no answer" not in run(*RELEASE).said


def test_the_panel_is_refused_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever releases without naming a decision, as the panel does, meets the same answer."""
    from workbench.control.resuming import ResumeRequest
    from workbench.errors import Refused

    make_ready(monkeypatch)
    decide()
    with pytest.raises(Refused, match="that it is ready is no answer"):
        open_control(Settings.from_environment()).resume_full(ResumeRequest("H-1"))


def test_a_fold_that_forgets_what_was_ready_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeded: no decision is noted as taken when ready, and a kept hold opens."""
    monkeypatch.setattr(folding, "keep_or_free", lambda *_: None)
    with pytest.raises(AssertionError):
        test_what_was_kept_although_ready_is_answered_by_a_decision(monkeypatch)

"""The verdicts of the shipped recording's named instants, computed from its rows as they were then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.golden.scene import make_scene
from workbench.clock import to_text
from workbench.recordings import Recording, shipped_names
from workbench.records import Check, CheckStatus, VerdictKind
from workbench.reports.opened import Opened, open_report
from workbench.reports.parameters import check_parameters
from workbench.review.check_steps import check_failed_steps
from workbench.review.ground import Ground
from workbench.review.incident import incident_queries
from workbench.review.milestones import milestones
from workbench.review.request import QueryCall, ReviewRequest
from workbench.review.restart import RestartReview, assess_restart, restart_queries
from workbench.review.switch import switch_section
from workbench.review.timeline import timeline

NAME = "agents-relapse"
REPOSITORY = Path(__file__).resolve().parents[2]
NAMED = ("alert-resolved", "relapse", "narrow-restart")


@pytest.fixture(scope="module")
def recording() -> Recording:
    """Return the shipped recording."""
    if NAME not in shipped_names():
        pytest.skip(f"no recording {NAME!r} is shipped; tests/record/README.md says how to make it")
    return Recording.open(NAME)


@pytest.fixture(scope="module")
def reviews(
    recording: Recording, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, RestartReview]:
    """Review each named instant on its own store and warehouse."""
    return {name: review_at(recording, name, tmp_path_factory.mktemp(name)) for name in NAMED}


def test_what_the_narrow_restart_let_through_is_no_leak_at_the_end(
    recording: Recording, tmp_path: Path
) -> None:
    """P-1 is obeyed as it was when it was recorded: 20 runs let through, no leak past H-2, each leak in its place."""
    opened = opened_at(recording, "end", tmp_path, queries_of=incident_queries)
    ground = Ground(opened.request, opened.tables)
    said = switch_section(ground).sentence
    assert "H-2 held" in said
    assert "; 20 runs let through by P-1." in said
    assert (
        timeline(ground)["what"].str.startswith("P-1: invoice-triage let through for 20 runs").any()
    )
    known = milestones(ground)
    assert known["last leak"].evidence.endswith("past H-1")
    assert [m.occurred_at for m in known.values()] == sorted(m.occurred_at for m in known.values())
    assert "nothing ran" not in check_failed_steps(ground).check.sentence


def opened_at(
    recording: Recording,
    name: str,
    root: Path,
    *,
    queries_of: Callable[[ReviewRequest], list[QueryCall]],
) -> Opened:
    """Return what a review of one instant reads, without a kernel."""
    settings = make_scene(root, recording, name)
    instant = recording.instant(name)
    given = {"hold_id": instant.hold_id, "only": instant.only, "as_of": to_text(instant.at)}
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in settings.as_environment().items():
            patch.setenv(variable, value)
        asked = check_parameters("restart-decision", given)
        return open_report("restart-decision", asked, queries_of=queries_of)


def review_at(recording: Recording, name: str, root: Path) -> RestartReview:
    """Return the restart review of one instant, without a kernel."""
    opened = opened_at(recording, name, root, queries_of=restart_queries)
    return assess_restart(opened.request, opened.tables)


def check_of(review: RestartReview, name: str) -> Check:
    """Return one check by its name."""
    return next(check for check in review.checks if check.name == name)


def test_a_green_alert_over_a_leaking_pause_escalates(
    reviews: Mapping[str, RestartReview],
) -> None:
    """With the alert resolved, the evidence of a leak and of unverified writes escalates."""
    review = reviews["alert-resolved"]
    pause = check_of(review, "pause_held")
    assert review.verdict.kind is VerdictKind.ESCALATE
    assert any("leaked" in reason for reason in review.verdict.escalation_reasons)
    assert pause.status is CheckStatus.FAIL
    assert pause.number is not None
    assert pause.number >= 2  # a run that started and a run that wrote, both after the receipt
    assert "ll" in review.headline.alert_says
    assert "resolved" in review.headline.alert_says


def test_after_the_relapse_it_stays_paused(reviews: Mapping[str, RestartReview]) -> None:
    """The second pause held, and the failures that returned keep everything paused."""
    review = reviews["relapse"]
    assert review.verdict.kind is VerdictKind.KEEP_PAUSED
    assert review.verdict.first_blocker
    assert not review.verdict.escalation_reasons
    assert check_of(review, "pause_held").status is not CheckStatus.FAIL
    assert check_of(review, "provider_status").status is CheckStatus.FAIL


def test_the_verified_agent_may_start_again_narrowly(
    reviews: Mapping[str, RestartReview],
) -> None:
    """Once one agent's records, approvals and provider are settled, it alone may restart, narrowly."""
    review = reviews["narrow-restart"]
    critical = [check for check in review.checks if check.is_critical]
    assert review.verdict.kind is VerdictKind.RESTART_NARROW
    assert critical
    assert {check.status for check in critical} == {CheckStatus.PASS}
    assert "invoice-triage" in review.verdict.narrow_scope
    assert review.verdict.narrow_run_count
    assert check_of(review, "run_history").status is CheckStatus.NO_EVIDENCE


def test_every_check_traces_to_its_query(reviews: Mapping[str, RestartReview]) -> None:
    """Each check of each instant names a query, a threshold and its source."""
    for review in reviews.values():
        assert len(review.checks) == 12
        for check in review.checks:
            assert check.query, check.name
            assert check.threshold, check.name
            assert check.threshold_source, check.name
            assert check.sentence, check.name


def test_the_readme_quotes_the_contrast_as_it_is_computed(
    reviews: Mapping[str, RestartReview],
) -> None:
    """The README's contrast line is the headline of the recorded instant, word for word."""
    headline = reviews["alert-resolved"].headline
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert f"> **The alert says:** {headline.alert_says}\n" in readme
    assert f"> **The evidence says:** ESCALATE. {headline.evidence_says}\n" in readme

"""From samples of probe work a drill says what a pause did to each class, and what was not seen stays unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from workbench.delivery.effects import (
    BEGUN,
    Sample,
    Watched,
    differences,
    last_start_at,
    late_starts,
    merged,
    observed_effects,
)
from workbench.delivery.judging import not_seen
from workbench.engines.rows import RunRow
from workbench.engines.switching import Effect, Evidence, OnPause, OnResume, ProbeWork, WorkClass

AT = datetime(2026, 11, 27, 9, tzinfo=UTC)
PAUSED = AT + timedelta(seconds=10)


def row(status: str, started: int | None = None, attempts: int | None = None) -> RunRow:
    """Return one probe run; `started` counts seconds from the beginning."""
    began = None if started is None else AT + timedelta(seconds=started)
    return RunRow("r", "probe", status, status, AT, AT, started_at=began, attempt_count=attempts)


def sample(seconds: int, one: RunRow | None, steps: int = 0) -> Sample:
    """Return a sample with this run, or without it."""
    rows = {"r": one} if one else {}
    return Sample(AT + timedelta(seconds=seconds), rows, {"r": steps})


def seen(
    work_class: WorkClass, before: Sample, during: list[Sample], after: list[Sample]
) -> tuple[OnPause, OnResume]:
    """Return what a drill would say of one run."""
    work = ProbeWork(work_class, "r")
    found = observed_effects([work], Watched(before, during, after, PAUSED), version="1")
    assert [effect.evidence for effect in found] == [Evidence.OBSERVED]
    return found[0].on_pause, found[0].on_resume


RUN = row("running", 1)


@pytest.mark.parametrize(
    ("work_class", "before", "during", "after", "wanted"),
    [
        (WorkClass.RUNNING, (RUN, 0), [(RUN, 1), (row("succeeded", 1), 3)], [], ("continues", "none")),
        (WorkClass.RUNNING, (RUN, 0), [(RUN, 0), (RUN, 2)], [], ("continues", "none")),
        (WorkClass.RUNNING, (RUN, 0), [(RUN, 0), (RUN, 1)], [(row("succeeded", 1), 3)], ("finishes_step_then_waits", "continues")),
        (WorkClass.RUNNING, (RUN, 0), [(RUN, 1), (row("held", 1), 1)], [(row("succeeded", 1), 4)], ("finishes_step_then_waits", "repeats_steps")),
        (WorkClass.RUNNING, (RUN, 0), [(RUN, 1), (RUN, 1)], [(row("held", 1), 1)], ("finishes_step_then_waits", "unknown")),
        (WorkClass.RUNNING, (RUN, 0), [(RUN, 1), (row("cancelled", 1), 1)], [(row("cancelled", 1), 1)], ("cancelled", "lost")),
        (WorkClass.RUNNING, (row("succeeded", 1), 3), [(row("succeeded", 1), 3)] * 2, [(row("succeeded", 1), 3)], ("unknown", "unknown")),
        (WorkClass.QUEUED, (row("queued"), 0), [(row("queued"), 0)] * 2, [(row("running", 40), 0)], ("waits", "continues")),
        (WorkClass.QUEUED, (row("queued"), 0), [(row("queued"), 0)] * 2, [(row("queued"), 0)], ("waits", "unknown")),
        (WorkClass.SCHEDULED, (row("scheduled"), 0), [(row("scheduled"), 0), (None, 0)], [(None, 0)], ("deleted", "lost")),
        (WorkClass.NEW_MANUAL, (row("queued"), 0), [(row("queued"), 0), (row("running", 15), 0)], [], ("continues", "none")),
        (WorkClass.RETRYING, (row("retrying", 1, 1), 0), [(row("retrying", 1, 1), 0), (row("retrying", 1, 2), 0)], [], ("continues", "none")),
        (WorkClass.RETRYING, (row("retrying", 1, 1), 0), [(row("retrying", 1, 1), 0)] * 2, [(row("running", 1, 2), 0)], ("waits", "continues")),
        (WorkClass.WAITING, (row("waiting", 1, 1), 0), [(row("waiting", 1, 1), 0)] * 2, [(None, 0)], ("waits", "lost")),
    ],
)  # fmt: skip
def test_each_story_has_its_words(work_class, before, during, after, wanted) -> None:  # type: ignore[no-untyped-def]
    """What the samples show is what the effect says."""
    found = seen(
        work_class,
        sample(5, *before),
        [sample(12 + i, *one) for i, one in enumerate(during)],
        [sample(50 + i, *one) for i, one in enumerate(after)],
    )
    assert found == wanted


def test_a_pause_that_was_never_read_back_shows_nothing() -> None:
    """Without a confirmed pause every effect is unknown."""
    watched = Watched(sample(5, RUN), [sample(12, RUN)], [sample(50, RUN)], None)
    found = observed_effects([ProbeWork(WorkClass.RUNNING, "r")], watched, version="1")
    assert (found[0].on_pause, found[0].on_resume) == (OnPause.UNKNOWN, OnResume.UNKNOWN)
    assert late_starts([ProbeWork(WorkClass.RUNNING, "r")], watched) == ()


def test_what_could_not_be_started_has_no_effect() -> None:
    """A class that the engine has none of is not in the result."""
    watched = Watched(sample(5, RUN), [sample(12, RUN)], [], PAUSED)
    works = [ProbeWork(WorkClass.WAITING, cannot="the engine has none of it")]
    assert observed_effects(works, watched, version="1") == ()


def test_a_start_after_the_pause_leaks() -> None:
    """A probe run whose start lies after the reading back is named, and the last start is told."""
    late = [sample(12, row("queued")), sample(20, row("running", 15))]
    watched, work = (
        Watched(sample(5, row("queued")), late, [], PAUSED),
        ProbeWork(WorkClass.NEW_MANUAL, "r"),
    )
    assert late_starts([work], watched) == ("r",)
    assert last_start_at([work], watched) == AT + timedelta(seconds=15)


def test_only_a_contradiction_is_a_difference() -> None:
    """Unknown contradicts nothing; another word does, and the observed one takes its place."""
    declared = Effect(WorkClass.QUEUED, OnPause.WAITS, OnResume.CONTINUES, Evidence.DOCUMENTED)
    same = replace(declared, evidence=Evidence.OBSERVED)
    unsure = replace(same, on_pause=OnPause.UNKNOWN)
    other = replace(same, on_pause=OnPause.CONTINUES, on_resume=OnResume.NONE)
    assert differences([declared], [same]) == differences([declared], [unsure]) == ()
    assert [d.observed for d in differences([declared], [other])] == [other]
    assert merged([declared], [other]) == (other,)
    assert merged([declared], []) == (declared,)
    assert merged([declared], [unsure])[0].on_pause is OnPause.WAITS


def test_what_was_never_at_work_was_not_held() -> None:
    """A run that no worker took shows nothing of the pause: unknown, not waits."""
    for work_class in BEGUN:
        idle = sample(20, row("queued"))
        assert (
            seen(work_class, sample(0, row("queued")), [idle, idle], [idle])[0] is OnPause.UNKNOWN
        )
    found = Effect(WorkClass.RUNNING, OnPause.UNKNOWN, OnResume.UNKNOWN, Evidence.OBSERVED)
    assert not_seen([found]) == (WorkClass.RUNNING,)

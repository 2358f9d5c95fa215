"""What a drill saw: effects worked out from samples of probe work, and how they differ from what was declared.

Pure: samples in, effects out. What was not seen is `unknown`, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from workbench.engines.rows import RunRow
from workbench.engines.switching import Effect, Evidence, OnPause, OnResume, ProbeWork, WorkClass
from workbench.records import RunStatus

ENDED = frozenset(
    {
        RunStatus.SUCCEEDED,
        RunStatus.FAILED,
        RunStatus.CRASHED,
        RunStatus.CANCELLED,
        RunStatus.SKIPPED,
    }
)
BEGUN = (WorkClass.RUNNING, WorkClass.RETRYING, WorkClass.WAITING)
"""Classes of work that has started once when the pause comes."""
_AT_WORK = frozenset({RunStatus.RUNNING, RunStatus.SUCCEEDED, RunStatus.CRASHED})


@dataclass(frozen=True)
class Sample:
    """Probe runs as they were at one instant.

    Attributes:
        rows: run id -> row; a run that the engine does not have any more is not in it.
        step_counts: run id -> steps that were done, a repeated step counted each time.
    """

    at: datetime
    rows: Mapping[str, RunRow]
    step_counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Watched:
    """The samples of one drill.

    Attributes:
        before: when the probe work had been started and nothing was paused.
        during: from the confirmed pause to the end of the watch, oldest first.
        after: from the resume on, oldest first.
        confirmed_at: when the pause had been read back; None where it never was.
        step_count: steps that a probe run has in all.
    """

    before: Sample
    during: Sequence[Sample]
    after: Sequence[Sample]
    confirmed_at: datetime | None
    step_count: int = 3


@dataclass(frozen=True)
class Difference:
    """A class of work that behaved otherwise than declared."""

    work_class: WorkClass
    declared: Effect
    observed: Effect


def observed_effects(
    works: Iterable[ProbeWork], watched: Watched, *, version: str
) -> tuple[Effect, ...]:
    """Return one effect for each class of work that the engine could start."""
    found = []
    for work in works:
        if work.cannot or not work.run_id:
            continue
        on_pause = _on_pause(work, watched)
        found.append(
            Effect(
                work.work_class,
                on_pause,
                _on_resume(work, watched, on_pause=on_pause),
                Evidence.OBSERVED,
                version,
                watched.before.at,
            )
        )
    return tuple(found)


def differences(declared: Iterable[Effect], seen: Iterable[Effect]) -> tuple[Difference, ...]:
    """Return where what was seen contradicts what was declared; `unknown` on either side contradicts nothing."""
    by_class = {effect.work_class: effect for effect in declared}
    found = []
    for effect in seen:
        known = by_class.get(effect.work_class)
        if known is not None and (
            _differs(known.on_pause, effect.on_pause) or _differs(known.on_resume, effect.on_resume)
        ):
            found.append(Difference(effect.work_class, known, effect))
    return tuple(found)


def merged(declared: Iterable[Effect], seen: Iterable[Effect]) -> tuple[Effect, ...]:
    """Return the declared effects with what was seen in their place; where nothing was, they stay as they are."""
    by_class = {effect.work_class: effect for effect in seen}
    found = []
    for effect in declared:
        own = by_class.get(effect.work_class)
        if own is None:
            found.append(effect)
            continue
        pause = effect.on_pause if own.on_pause is OnPause.UNKNOWN else own.on_pause
        resume = effect.on_resume if own.on_resume is OnResume.UNKNOWN else own.on_resume
        found.append(replace(own, on_pause=pause, on_resume=resume))
    return tuple(found)


def late_starts(works: Iterable[ProbeWork], watched: Watched) -> tuple[str, ...]:
    """Return probe runs that started after the pause had been read back: what leaks."""
    if watched.confirmed_at is None or not watched.during:
        return ()
    rows = watched.during[-1].rows
    return tuple(
        work.run_id
        for work in works
        if (row := rows.get(work.run_id))
        and row.started_at
        and row.started_at > watched.confirmed_at
    )


def last_start_at(works: Iterable[ProbeWork], watched: Watched) -> datetime | None:
    """Return when the last probe run started before the resume."""
    rows = watched.during[-1].rows if watched.during else watched.before.rows
    found = [row.started_at for w in works if (row := rows.get(w.run_id)) and row.started_at]
    return max(found, default=None)


def _on_pause(work: ProbeWork, watched: Watched) -> OnPause:
    if watched.confirmed_at is None or not watched.during:
        return OnPause.UNKNOWN
    first, last = watched.during[0], watched.during[-1]
    row = last.rows.get(work.run_id)
    if row is None:
        return OnPause.DELETED if work.run_id in watched.before.rows else OnPause.UNKNOWN
    if row.status == RunStatus.CANCELLED or row.status == RunStatus.FAILED:
        return OnPause.CANCELLED
    if row.status == RunStatus.SKIPPED and row.started_at is None:
        return OnPause.DROPPED
    if work.work_class in BEGUN and row.started_at is None:
        return OnPause.UNKNOWN  # it was never at work, so nothing held it
    if work.work_class is WorkClass.RUNNING:
        if row.status in ENDED:
            was_over = watched.before.rows[work.run_id].status in ENDED
            return OnPause.UNKNOWN if was_over else OnPause.CONTINUES
        done = last.step_counts.get(work.run_id, 0) - first.step_counts.get(work.run_id, 0)
        return OnPause.CONTINUES if done > 1 else OnPause.FINISHES_STEP_THEN_WAITS
    began_late = row.started_at is not None and row.started_at > watched.confirmed_at
    is_at_work = row.status in _AT_WORK and row.started_at is not None
    if work.work_class in (WorkClass.RETRYING, WorkClass.WAITING):
        went_on = (row.attempt_count or 0) > _attempts(first, work) or row.status in ENDED
        return OnPause.CONTINUES if went_on else OnPause.WAITS
    return OnPause.CONTINUES if began_late or is_at_work else OnPause.WAITS


def _on_resume(work: ProbeWork, watched: Watched, *, on_pause: OnPause) -> OnResume:
    if on_pause is OnPause.CONTINUES:
        return OnResume.NONE
    if not watched.after or on_pause is OnPause.UNKNOWN:
        return OnResume.UNKNOWN
    row = watched.after[-1].rows.get(work.run_id)
    if on_pause in (OnPause.CANCELLED, OnPause.DELETED, OnPause.DROPPED):
        is_back = row is not None and row.status in _AT_WORK
        return OnResume.CONTINUES if is_back else OnResume.LOST
    if row is None:
        return OnResume.LOST
    if watched.after[-1].step_counts.get(work.run_id, 0) > watched.step_count:
        return OnResume.REPEATS_STEPS
    return OnResume.CONTINUES if row.status in _AT_WORK else OnResume.UNKNOWN


def _attempts(sample: Sample, work: ProbeWork) -> int:
    row = sample.rows.get(work.run_id)
    return (row.attempt_count or 0) if row else 0


def _differs(declared: str, seen: str) -> bool:
    return "unknown" not in (declared, seen) and declared != seen

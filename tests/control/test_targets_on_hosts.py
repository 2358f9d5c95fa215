"""The judgement over several hosts, on any mixture of them: what is called confirmed was seen everywhere."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.ground import START, an_automation
from workbench.control.targets import Observer, Sight
from workbench.presence import Presence, read_presences
from workbench.records import Hold, Mode, Purpose, Target, TargetState
from workbench.store.hosts import SILENT_SECONDS, Host, Hosts
from workbench.store.state import State

PLACED = 10
NAME = "ticket-reply"


@dataclass(frozen=True)
class Seen:
    """One host as a test draws it: what its gates were told, and what its processes have seen."""

    seq: int
    is_silent: bool
    processes: tuple[tuple[int | None, bool], ...]


def a_hold() -> Hold:
    """Return a hold that was placed at event 10."""
    return Hold(
        hold_id="H-1",
        scope=f"automation={NAME}",
        purpose=Purpose.INCIDENT,
        mode=Mode.FREEZE,
        reason="why",
        incident_id="",
        placed_by="os:test",
        placed_at=START,
        placed_seq=PLACED,
        review_by=None,
        covered_at_placement=(NAME,),
    )


def a_presence(seq: int | None, is_alive: bool) -> Presence:
    """Return what a process said of itself."""
    at = START + timedelta(seconds=1)
    return Presence(NAME, 1, seq, at, at, (), is_alive)


def as_hosts(drawn: list[Seen]) -> Hosts:
    """Return what the store would know of hosts like these."""
    return Hosts(
        tuple(
            Host(
                name=f"h{number}",
                number="1",
                folder_id=f"gf-{number}",
                gate_folder="/gate",
                reported_by="test",
                beaten_at=datetime(2026, 11, 20, 9, 31, tzinfo=UTC),
                age_seconds=SILENT_SECONDS * 2 if seen.is_silent else 0.0,
                skew_seconds=0.0,
                seq=seen.seq,
                said={NAME: tuple(a_presence(*p) for p in seen.processes)}
                if seen.processes
                else {},
            )
            for number, seen in enumerate(drawn)
        )
    )


def judged(observer: type[Observer], drawn: list[Seen]) -> Target:
    """Return what is made of the hosts, on a host where nothing ever asked."""
    state = State(automations={NAME: an_automation(NAME)}, covered={"H-1": {NAME}})
    with tempfile.TemporaryDirectory() as folder:
        assert read_presences(Path(folder)) == {}
        (target,) = observer(state, Path(folder), {"H-1": START}, as_hosts(drawn)).targets(a_hold())
    return target


def check(target: Target, drawn: list[Seen]) -> None:
    """Compare with what each host's gates really have."""
    processes = [(host, p) for host in drawn for p in host.processes]
    asking_hosts = [host for host in drawn if host.processes]
    has_seen = [seq is not None and seq >= PLACED for _, (seq, _) in processes]
    is_late = any(
        is_alive and not seen for (_, (_, is_alive)), seen in zip(processes, has_seen, strict=True)
    )
    untold = [host for host in drawn if host.seq < PLACED]
    if target.confirmed_at is not None:
        assert any(has_seen)
        assert not is_late
        assert not [host for host in untold if not host.is_silent or host in asking_hosts]
    if any(has_seen) and not is_late and not untold:
        assert target.confirmed_at is not None
    if [host for host in untold if host.is_silent and host in asking_hosts]:
        assert target.state is TargetState.UNREACHABLE
        assert "last heartbeat" in target.note


HOSTS = st.lists(
    st.builds(
        Seen,
        seq=st.sampled_from((9, 10, 11)),
        is_silent=st.booleans(),
        processes=st.lists(
            st.tuples(st.sampled_from((None, 9, 10, 11)), st.booleans()), max_size=3
        ).map(tuple),
    ),
    min_size=1,
    max_size=4,
)


@given(HOSTS)
def test_what_is_called_confirmed_was_seen_everywhere(drawn: list[Seen]) -> None:
    """Told everywhere it is heard of, seen by all that run, and never over a silent host where it asks."""
    check(judged(Observer, drawn), drawn)


class PassesOverTheSilent(Observer):
    """A seeded fault: hosts that are silent are left out, as a list of living hosts would."""

    def _sights(self, hold: Hold, automation_id: str, here: Any) -> list[Sight]:
        return [s for s in super()._sights(hold, automation_id, here) if s.is_live]


class BelievesTheFirst(Observer):
    """A seeded fault: the first host that has seen the hold speaks for all."""

    def _sights(self, hold: Hold, automation_id: str, here: Any) -> list[Sight]:
        return super()._sights(hold, automation_id, here)[:1]


@pytest.mark.parametrize("observer", [PassesOverTheSilent, BelievesTheFirst])
def test_the_check_catches(observer: type[Observer]) -> None:
    """An observer that leaves a host out is found out."""
    found = []

    @given(HOSTS)
    def look(drawn: list[Seen]) -> None:
        try:
            check(judged(observer, drawn), drawn)
        except AssertionError:
            found.append(drawn)

    look()
    assert found

"""Instants are aware and ordered as text; settings come from the environment once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.clock import FixedClock, SystemClock, from_text, to_text
from workbench.errors import BadSettings
from workbench.settings import Settings, child_environment
from workbench.slug import SLUG

instants = st.datetimes(timezones=st.just(UTC))


@given(instants, instants)
def test_text_order_is_time_order(one: datetime, other: datetime) -> None:
    """Written instants compare as text exactly as they compare in time, from year 1 to 9999."""
    assert (to_text(one) < to_text(other)) == (one < other)
    assert len(to_text(one)) == len(to_text(other)) == 27


@given(instants)
def test_an_instant_is_read_as_written(instant: datetime) -> None:
    """Writing and reading an instant loses nothing."""
    assert from_text(to_text(instant)) == instant


def test_an_offset_is_turned_into_utc() -> None:
    """Another offset is the same instant in UTC."""
    berlin = datetime(2026, 11, 20, 10, 30, tzinfo=timezone(timedelta(hours=1)))
    assert to_text(berlin) == "2026-11-20T09:30:00.000000Z"
    assert from_text("2026-11-20T10:30:00+01:00") == datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T09:30:00",
        "2026-11-20",
        "yesterday",
        "",
        "2026-02-30T00:00:00Z",
        "2026-11-20T09:30:60Z",
        "2026-11-20T09:30:00+24:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    """A missing offset, an impossible date and what lies outside the calendar raise ValueError."""
    with pytest.raises(ValueError, match=r"."):
        from_text(text)


def test_a_naive_instant_is_never_written() -> None:
    """An instant without offset is not guessed to be local time."""
    with pytest.raises(ValueError, match="no offset"):
        to_text(datetime(2026, 11, 20))  # noqa: DTZ001 - the naive instant is what is refused


def test_the_clocks_tell_utc() -> None:
    """The machine's clock is aware and UTC; a fixed one stands."""
    assert SystemClock().now().tzinfo is UTC
    at = datetime(2026, 11, 20, tzinfo=UTC)
    assert FixedClock(at).now() == at


def test_settings_default_to_the_users_folder() -> None:
    """Without variables the store lies under the user's own folder and the gate beside it."""
    found = Settings.from_environment({"HOME": "/srv/ann"})
    assert found.store == Path("/srv/ann/.local/share/workbench/store")
    assert found.gate == Path("/srv/ann/.local/share/workbench/gate")
    assert found.home == Path("/srv/ann/.local/share/workbench")
    assert found.demo_clock_at is None
    assert not found.is_unattended


def test_the_gate_lies_beside_the_store() -> None:
    """Where only the store is named the gate folder is its neighbour."""
    found = Settings.from_environment({"HOME": "/h", "WORKBENCH_STORE": "/srv/wb/store"})
    assert found.gate == Path("/srv/wb/gate")


def test_a_child_sees_the_same_settings() -> None:
    """Settings written as variables are read back as the same settings."""
    at = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    own = Settings(Path("/s"), Path("/g"), Path("/h"), at, is_unattended=True)
    assert Settings.from_environment(own.as_environment()) == own
    assert child_environment(own, EXTRA="1")["EXTRA"] == "1"
    assert Settings.from_environment(child_environment(own)) == own


@pytest.mark.parametrize("name", ["Worker 1", "-a", "a/b", "x" * 64, "w\u043erker"])
def test_a_host_name_that_is_none_is_a_bad_setting(name: str) -> None:
    """WORKBENCH_HOST has the form of an id; without it the machine's own name is brought into that form."""
    with pytest.raises(BadSettings, match="WORKBENCH_HOST"):
        Settings.from_environment({"HOME": "/h", "WORKBENCH_HOST": name})
    assert Settings.from_environment({"HOME": "/h", "WORKBENCH_HOST": "w-1"}).host == "w-1"
    assert SLUG.fullmatch(Settings.from_environment({"HOME": "/h"}).host)


def test_a_recorded_clock_stands_at_its_instant() -> None:
    """WORKBENCH_CLOCK gives a clock that stands there; without it the machine's clock goes."""
    found = Settings.from_environment({"HOME": "/h", "WORKBENCH_CLOCK": "2026-11-20T09:30:00Z"})
    assert found.clock().now() == datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    assert isinstance(Settings.from_environment({"HOME": "/h"}).clock(), SystemClock)


@pytest.mark.parametrize("text", ["noon", "2026-11-20T09:30:00", "0001-01-01T00:00:00+14:00"])
def test_a_bad_clock_is_a_bad_setting(text: str) -> None:
    """A WORKBENCH_CLOCK that is no instant is refused with exit code 17 and named."""
    with pytest.raises(BadSettings, match="WORKBENCH_CLOCK") as caught:
        Settings.from_environment({"HOME": "/h", "WORKBENCH_CLOCK": text})
    assert caught.value.exit_code == 17

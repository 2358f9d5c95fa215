"""A recording says what it is, and says plainly what it has not."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import NotFound
from workbench.recordings import Recording, shipped_names

AT = datetime(2026, 11, 20, 9, 53, tzinfo=UTC)


def instant(minute: int, batches: list[str], seq: int, **other: Any) -> dict[str, Any]:
    """Return one instant as recording.json has it."""
    return {
        "at": f"2026-11-20T09:{minute}:00Z",
        "hold_id": "H-1",
        "batches": batches,
        "log_head": {"seq": seq, "hash": "f" * 64},
        **other,
    }


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with one recording of two instants and three events."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    body = {
        "title": "A tiny one",
        "recorded_on": "2026-11-20",
        "instants": {
            "alert-resolved": instant(53, ["01"], 2),
            "narrow-restart": instant(58, ["01", "02"], 3, only="automation=invoice-triage"),
        },
        "staged": ["the fault"],
        "real": ["the runs", "the log"],
    }
    (folder / "recording.json").write_text(json.dumps(body))
    lines = [{"seq": n, "prev_hash": "", "hash": "", "body": f"event {n}"} for n in (1, 2, 3)]
    with gzip.open(folder / "store_log.jsonl.gz", "wt") as out:
        out.writelines(json.dumps(line) + "\n" for line in lines)
    return tmp_path


def test_a_recording_tells_its_instants(place: Path) -> None:
    """Times come as aware instants, unshifted, with the hold and the part a review is about."""
    recording = Recording.open("tiny", place)
    assert (recording.title, recording.recorded_on) == ("A tiny one", "2026-11-20")
    assert recording.as_of("alert-resolved") == AT
    assert recording.instant("alert-resolved").only == ""
    narrow = recording.instant("narrow-restart")
    assert (narrow.hold_id, narrow.only) == ("H-1", "automation=invoice-triage")
    assert (recording.staged, recording.real) == (("the fault",), ("the runs", "the log"))


def test_batches_come_in_the_order_in_which_they_were_taken(place: Path) -> None:
    """The warehouse of an instant is made of its own batch and all before it."""
    recording = Recording.open("tiny", place)
    assert recording.batches_until("alert-resolved") == (place / "tiny" / "01",)
    assert [p.name for p in recording.batches_until("narrow-restart")] == ["01", "02"]


def test_the_log_ends_where_it_stood_at_the_instant(place: Path) -> None:
    """What our store recorded later is not in the log of an earlier instant."""
    recording = Recording.open("tiny", place)
    assert [line["body"] for line in recording.store_log_until("alert-resolved")] == [
        "event 1",
        "event 2",
    ]
    assert len(list(recording.store_log())) == 3


def test_opening_reads_only_the_description(place: Path) -> None:
    """A recording whose rows are not there yet can still be described."""
    (place / "tiny" / "store_log.jsonl.gz").unlink()
    assert Recording.open("tiny", place).instant("alert-resolved").log_seq == 2


def test_an_unknown_recording_names_those_there_are(place: Path) -> None:
    """Who asks for a wrong name learns the right ones."""
    with pytest.raises(NotFound, match="no recording 'tinny'; there are: tiny") as caught:
        Recording.open("tinny", place)
    assert caught.value.exit_code == 4


def test_an_empty_folder_says_that_there_is_none(tmp_path: Path) -> None:
    """Where no recording lies, the sentence says so instead of an empty list."""
    with pytest.raises(NotFound, match="there are: none"):
        Recording.open("tiny", tmp_path)


def test_an_unknown_instant_names_those_there_are(place: Path) -> None:
    """Who asks for a wrong instant learns the right ones."""
    with pytest.raises(NotFound, match="no instant 'relapse'; there are: alert-resolved, narrow"):
        Recording.open("tiny", place).instant("relapse")


def test_names_are_found_by_their_description(place: Path) -> None:
    """A folder without recording.json is no recording."""
    (place / "notes").mkdir()
    assert shipped_names(place) == ["tiny"]

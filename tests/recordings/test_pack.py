"""A run folder becomes a recording that anybody can open, check and load."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.record import pack as packing
from tests.record.commands import last_report, load
from tests.record.figures import figures, shortfalls
from tests.record.pack import finished, head_at, pack, read_log
from tests.recordings import tiny_run as story
from workbench.recordings import Recording
from workbench.settings import Settings
from workbench.sources.signature import error_signature
from workbench.store import restore_store
from workbench.warehouse import Warehouse


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder as the recorder leaves it; tests that change one copy it."""
    return story.make_run(tmp_path_factory.mktemp("recorded") / "run")


@pytest.fixture
def recording(run_folder: Path, tmp_path: Path) -> Recording:
    """Return the packed recording."""
    pack(run_folder, tmp_path / "tiny", title="Two holds")
    return Recording.open("tiny", tmp_path)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return the rows of one packed file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_each_instant_names_its_hold_its_batches_and_where_the_log_stood(
    recording: Recording,
) -> None:
    """The first instant stands after the first pause, the second after the release and the second pause."""
    first, second = recording.instant("alert-resolved"), recording.instant("relapse")
    assert (first.hold_id, second.hold_id) == ("H-1", "H-2")
    assert (first.batches, second.batches) == ((story.FIRST,), (story.FIRST, story.SECOND))
    assert first.at == story.BEGIN + timedelta(minutes=3)
    actions = [json.loads(line["body"])["action"] for line in recording.store_log()]
    assert actions[first.log_seq - 1] in ("hold.place", "hold.observe")
    assert "hold.release" in actions[first.log_seq : second.log_seq]
    assert second.log_seq == len(actions)


def test_the_log_is_the_store_s_own_byte_for_byte(run_folder: Path, recording: Recording) -> None:
    """Bodies and hashes are taken over as they stand, and a store made of them ends in the same hash."""
    connection = sqlite3.connect(run_folder / "store" / "store.sqlite")
    stored = connection.execute("select seq, prev_hash, hash, body from event order by seq")
    wanted = [tuple(row) for row in stored]
    connection.close()
    packed = [(x["seq"], x["prev_hash"], x["hash"], x["body"]) for x in recording.store_log()]
    assert packed == wanted


@pytest.mark.parametrize("instant", ["alert-resolved", "relapse"])
def test_a_store_made_of_the_log_stands_where_the_instant_says(
    recording: Recording, tmp_path: Path, instant: str
) -> None:
    """Restored up to an instant, the store has the named head and the hold that the review is about."""
    wanted = recording.instant(instant)
    settings = Settings(tmp_path / "s", tmp_path / "g", tmp_path / "h", demo_clock_at=wanted.at)
    lines = recording.store_log_until(instant)
    store = restore_store(settings, settings.clock(), lines=lines)
    assert store.head_row() == (wanted.log_seq, wanted.log_hash)
    assert store.state().holds[wanted.hold_id].released_at is None


def test_the_warehouse_is_as_it_was_at_each_instant(recording: Recording, tmp_path: Path) -> None:
    """A run in flight is running after the first batch and has ended after the second; nothing is rejected."""
    warehouse = Warehouse.open(tmp_path / "home")
    seen = []
    for folder in recording.batches_until("relapse"):
        reports = warehouse.load_folder(folder)
        assert [report.rejected_count for report in reports] == [0] * len(reports)
        with warehouse.snapshot() as snapshot:
            found = snapshot.sql("select run_id, status from run order by run_id")
            seen.append(dict(zip(found["run_id"], found["status"], strict=True)))
    assert seen == [
        {"r1": "succeeded", "r2": "failed", "r3": "running"},
        {"r1": "succeeded", "r2": "failed", "r3": "succeeded", "r4": "succeeded"},
    ]


def test_an_amount_kept_as_text_becomes_the_same_decimal(
    recording: Recording, tmp_path: Path
) -> None:
    """The exact six decimals that an automation reported are those in the warehouse."""
    warehouse = Warehouse.open(tmp_path / "home")
    warehouse.load_folder(recording.batches_until("alert-resolved")[0])
    with warehouse.snapshot() as snapshot:
        query = "select cast(cost_amount as varchar) as amount from run where run_id = 'r1'"
        assert list(snapshot.sql(query)["amount"]) == ["0.006144"]


@pytest.mark.parametrize("amount", ["0.000001", "0.100000", "123456789.123456", "0.000000"])
def test_no_decimal_is_lost_as_a_json_number(amount: str) -> None:
    """What is written as a JSON number reads back as the decimal it was."""
    assert f"{finished({'cost_amount': amount})['cost_amount']:.6f}" == amount


def test_an_amount_that_no_json_number_can_hold_is_refused() -> None:
    """Rather than round a cost, packing ends and names the run."""
    with pytest.raises(SystemExit, match=r"run r9: 98765432109876\.123457"):
        finished({"run_id": "r9", "cost_amount": "98765432109876.123457"})


def test_failures_get_their_signature_and_nothing_else_changes() -> None:
    """Packing adds the masked error text; a row without an error is the row it was."""
    packed = finished({"error_message": story.ERROR, "error_signature": None})
    assert packed["error_signature"] == error_signature(story.ERROR)
    assert "1a2b3c4d" not in packed["error_signature"]
    calm = {"run_id": "r1", "error_message": None, "error_signature": None}
    assert finished(calm) == calm


def test_packing_twice_gives_the_same_bytes(run_folder: Path, tmp_path: Path) -> None:
    """The recording depends on the run folder alone, not on when or where it was packed."""
    contents = []
    for name in ("one", "two"):
        pack(run_folder, tmp_path / name)
        files = sorted(p for p in (tmp_path / name).rglob("*") if p.is_file())
        contents.append([(str(p.relative_to(tmp_path / name)), p.read_bytes()) for p in files])
    assert contents[0] == contents[1]


def test_a_recording_under_way_is_packed_without_touching_its_store(
    run_folder: Path, tmp_path: Path
) -> None:
    """Packing opens a copy, and takes the instants there are so far."""
    root = shutil.copytree(run_folder, tmp_path / "under-way")
    (root / "instants.json").write_text(json.dumps({story.FIRST: story.at(3)}))
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in (root / "store").iterdir()}
    body = pack(root, tmp_path / "early")
    assert list(body["instants"]) == ["alert-resolved"]
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in (root / "store").iterdir()} == before


def test_a_changed_event_ends_the_packing(run_folder: Path, tmp_path: Path) -> None:
    """A log whose chain does not hold is not packed; the event is named."""
    root = shutil.copytree(run_folder, tmp_path / "changed")
    connection = sqlite3.connect(root / "store" / "store.sqlite")
    connection.execute("drop trigger event_no_update")
    connection.execute(
        "update event set body = replace(body, 'ops-lead', 'ops-load') where seq = 3"
    )
    connection.commit()
    connection.close()
    with pytest.raises(SystemExit, match="does not hold at event 3"):
        pack(root, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_recording_that_is_too_big_is_named_with_its_size(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of what ships is checked where the recording is made."""
    monkeypatch.setattr(packing, "SIZE_LIMIT_BYTES", 100)
    with pytest.raises(SystemExit, match="more than 100"):
        pack(run_folder, tmp_path / "big")


def test_the_head_at_an_instant_is_found_by_time_not_by_text(run_folder: Path) -> None:
    """An event at 08:00:00.5 comes after the instant 08:00:00, however its text is written."""
    log = read_log(run_folder / "store")
    early = {**log[0], "body": json.dumps({"occurred_at": "2026-11-20T08:00:00Z"})}
    late = {**log[1], "body": json.dumps({"occurred_at": "2026-11-20T08:00:00.500000Z"})}
    assert head_at([early, late], "2026-11-20T08:00:00.100000Z") is early
    assert head_at([early, late], "2026-11-20T08:00:01Z") is late


def test_the_figures_count_what_the_recording_holds(recording: Recording) -> None:
    """Runs, onset, leaks, signatures and missing steps are counted from the packed rows."""
    found = figures(recording)
    assert (found["runs"], found["runs before onset"]["invoice-triage"]) == (4, 1)
    assert found["onset"] == (story.BEGIN + timedelta(minutes=1)).isoformat()
    assert found["signatures of the held since onset"] == {error_signature(story.ERROR): 1}
    assert found["leaks"] == {"H-1": {"starts": 1, "writes": 1}, "H-2": {"starts": 0, "writes": 0}}
    assert found["open"]["alert-resolved"]["running"] == 1
    assert found["finished runs without steps"] == "4 of 4"
    assert found["break-glass"] == ["H-1"]


def test_what_is_short_is_said_in_words(recording: Recording) -> None:
    """Each figure below what a recording must hold is a sentence with the number in it."""
    said = " ".join(shortfalls(figures(recording)))
    assert "4 runs, fewer than 3000" in said
    assert "minutes, fewer than 90" in said
    assert "fewer than three signatures" in said
    assert "an instant without a pending approval" in said
    assert "under H-1" not in said
    assert "leaks under H-2" not in said


def test_the_operator_loads_what_was_taken_before_a_review(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recorder's own review finds the batches in the operator's warehouse, and loads none twice."""
    root = shutil.copytree(run_folder, tmp_path / "run")
    for name in ("store", "gate", "home"):
        monkeypatch.setenv(f"WORKBENCH_{name.upper()}", str(root / name))
    assert load(root) == 0
    version = Warehouse.open(root / "home").version
    assert load(root) == 0
    assert Warehouse.open(root / "home").version == version > 0
    assert last_report("H-2") == ""

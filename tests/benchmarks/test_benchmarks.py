"""Each benchmark runs, on a store of its own, and measures what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import cold, compare, gate, load, pause, propagation, verify, writers
from benchmarks.measure import in_words
from benchmarks.place import FOUR_KEYS, HELD, OPEN, hold_by_four_keys, make_place
from workbench.gate import Gate, GateState
from workbench.store.anchors import read_notes


def test_the_held_and_the_open_automation_differ_in_one_key_alone(tmp_path: Path) -> None:
    """The scope of four keys holds the one and not the other, for its last key."""
    settings, control = make_place(tmp_path, automation_count=10)
    hold_by_four_keys(control)
    known = control.state().automations
    keys = [k for k in FOUR_KEYS if getattr(known[HELD], k) != getattr(known[OPEN], k)]
    assert keys == [list(FOUR_KEYS)[-1]]
    gate.refuse_wrong_answers(Gate(settings.gate))


def test_a_gate_that_answers_wrongly_is_not_measured(tmp_path: Path) -> None:
    """Without the hold both automations are clear, and the benchmark refuses to compare."""
    settings, _ = make_place(tmp_path, automation_count=10)
    with pytest.raises(RuntimeError, match="nothing to compare"):
        gate.refuse_wrong_answers(Gate(settings.gate))


def test_the_pause_benchmark_syncs_as_many_bytes_as_a_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each round places a hold and appends the bytes of event, snapshot and checkpoint to the bare file."""
    monkeypatch.setattr(pause, "ROUNDS", 3)
    monkeypatch.setattr(pause, "AUTOMATION_COUNT", 12)
    published, whole, alone = pause.measure(tmp_path)
    size = (tmp_path / "bare").stat().st_size
    assert size % 3 == 0 and size // 3 > (tmp_path / "gate" / "snapshot.json").stat().st_size // 2
    assert f"{size // 3:,} bytes" in published.bare
    assert (published.value or 0) > 0 and (whole.value or 0) > 0
    assert (alone.value or 0) > 0
    left = {path.name: path.stat().st_size for path in (tmp_path / "alone").iterdir()}
    assert left == {
        "epoch": 8,
        "log": 3 * len(pause.PAGES),
        "checkpoints": 3 * pause.CHECKPOINT_BYTES,
        "snapshot.json": size // 3,
    }


def test_the_writers_are_counted_and_their_log_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes write for a moment; what they say they did is in the log, and the least is told."""
    monkeypatch.setattr(writers, "COUNTS", (2,))
    monkeypatch.setattr(writers, "SECONDS", 0.3)
    monkeypatch.setattr(writers, "BARE_SECONDS", 0.3)
    rate, fair = writers.measure(tmp_path)
    assert (rate.value or 0) > 0 and 0 <= (fair.value or 0) <= 1
    assert fair.target is not None and fair.target.is_least


def test_a_starved_writer_is_flagged() -> None:
    """One command against a thousand is far below half of the fastest."""
    fair = writers.figures_of(3, [1, 900, 1000], [500, 500, 500])[1]
    assert fair.is_reached is False
    assert "1, 900, 1000" in fair.note


def test_the_propagation_is_seen_by_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each pause is answered PAUSED by a gate of another process, after its commit and never before."""
    monkeypatch.setattr(propagation, "TRIALS", 4)
    middle, late = propagation.measure(tmp_path)
    assert 0 < (middle.value or 0) <= (late.value or 0) == late.high


def test_the_cold_starts_are_whole_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause from a shell is really placed, and the gate is really imported, each time in a new process."""
    monkeypatch.setattr(cold, "PAUSES", 2)
    monkeypatch.setattr(cold, "IMPORTS", 2)
    started, imported = cold.measure(tmp_path)
    assert (started.value or 0) > (imported.value or 0) > 0
    answer = Gate(tmp_path / "gate").check("a-1")
    assert answer.state is GateState.PAUSED


def test_a_cold_start_that_fails_is_no_quick_one(tmp_path: Path) -> None:
    """A command that ends with another code than it should stops the benchmark."""
    with pytest.raises(RuntimeError, match="ended with 3"):
        cold.run_as(["sh", "-c", "exit 3"], {})


def test_the_verified_log_has_its_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log that is verified holds pauses and releases, with a signed checkpoint for every so many events."""
    monkeypatch.setattr(verify, "EVENT_COUNT", 120)
    monkeypatch.setattr(verify, "ROUNDS", 1)
    found = verify.measure(tmp_path)[0]
    assert found.unit == "events/CPU-s" and (found.value or 0) > 0
    folder = tmp_path / "home" / "anchors"
    store_id = next(folder.iterdir()).name.removesuffix(".checkpoints")
    notes = list(read_notes([folder], store_id))
    assert len(notes) == (120 + 100) // verify.NOTE_EVERY
    assert all("\N{EM DASH}" in note for _, _, note in notes)


def test_without_the_clients_nothing_is_compared_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where their environment is not installed, the target counts as missed and the note says how to get it."""
    monkeypatch.setattr(compare, "PYTHON", tmp_path / "no" / "python")
    found = compare.measure(tmp_path)
    assert [in_words(one.value) for one in found] == ["not measured"] * 3
    assert [one.is_reached for one in found] == [False, None, None]
    assert "make bench" in found[0].note


@pytest.mark.skipif(not compare.PYTHON.exists(), reason="`make bench` installs the flag clients")
def test_the_clients_answer_as_the_gate_does(tmp_path: Path) -> None:
    """Each client tells the two contexts apart, and every one of them is measured beside the gate."""
    found = compare.measure(tmp_path)
    assert [one.bare for one in found] == ["gate, CLEAR"] * 3
    assert all((one.ratio or 0) > 1 and one.versions for one in found)


def test_the_load_benchmark_loads_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The load is measured on rows that are all accepted, so a quick refusal is no quick load."""
    monkeypatch.setattr(load, "ROW_COUNT", 40)
    monkeypatch.setattr(load, "ROUNDS", 1)
    found = load.measure(tmp_path)[0]
    assert (found.value or 0) > 0 and (found.bare_value or 0) > 0
    assert len(load.rows_file(tmp_path, row_count=40).read_text().splitlines()) == 40

"""A report is made, sealed, recorded and laid on the shelf; short of complete it says INCOMPLETE and exits 12."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import nbformat
import pytest

from tests.reports import little_incident as story
from tests.reports.conftest import Scene
from tests.reports.tiny import write_notebook
from workbench.control import open_control
from workbench.control.enrolling_keys import Enrolment, enrol_key
from workbench.errors import Refused
from workbench.records import VerdictKind
from workbench.reports.make import make_report
from workbench.reports.runner import execute, payload_of, read_notebook
from workbench.reports.shelf import PAYLOAD_MIME
from workbench.settings import KEY_FILE
from workbench.store.anchors import read_notes
from workbench.store.audit import verify_store
from workbench.store.keys import make_key
from workbench.store.witness import Witness

NAME = "restart-decision"


def test_a_report_is_complete_and_its_files_agree(scene: Scene) -> None:
    """One page, one notebook, one verdict and one seal; the verdict names the digest of the seal."""
    assert scene.made.incomplete_because is None
    names = sorted(path.name for path in scene.made.folder.iterdir())
    (point,) = (name for name in names if name.endswith(".checkpoints"))
    assert point == f"{scene.control.state().store_id}.checkpoints"
    assert set(names) - {point} == {f"{NAME}.html", f"{NAME}.ipynb", "seal.json", "verdict.json"}
    verdict = json.loads((scene.made.folder / "verdict.json").read_text())
    seal = json.loads((scene.made.folder / "seal.json").read_text())
    assert verdict["seal_digest"] == seal["seal_digest"]
    assert verdict["verdict"] in {str(kind) for kind in VerdictKind}
    assert {"name", "status", "number", "threshold", "rows", "query"} <= set(verdict["checks"][0])
    assert verdict["automation_ids"] == sorted(story.AGENTS)


def test_the_seal_names_the_positions_and_what_ran(scene: Scene) -> None:
    """The seal holds the snapshot pair, the digest of each query, versions, and what was asked."""
    seal = json.loads((scene.made.folder / "seal.json").read_text())
    log = scene.control.state()
    assert seal["log_head"]["store_id"] == log.store_id
    assert 0 < seal["log_head"]["seq"] < log.seq
    assert seal["manifest_version"] > 0
    assert "review.runs" in seal["query_digests"]
    assert seal["parameters"]["hold_id"] == "H-1"
    assert "run_ticket" not in seal["parameters"]
    assert seal["package_versions"]["duckdb"]


def test_the_report_is_a_witness_of_the_log(scene: Scene) -> None:
    """Its folder holds a checkpoint of the sealed position that fits, and its page the Merkle root and the head note."""
    seal = json.loads((scene.made.folder / "seal.json").read_text())["log_head"]
    store = scene.control.store
    said = Witness(seal["seq"], seal["hash"], seal["store_id"])
    found = verify_store(store, anchors=(scene.made.folder,), witnesses=(said,))
    assert (found.is_ok, found.anchored.size) == (True, seal["seq"])
    assert store.state(until_seq=seal["seq"]).head.root in scene.made.html.read_text()


@pytest.mark.parametrize("suffix", ["html", "ipynb"])
def test_a_mailed_copy_of_a_real_report_is_a_witness(
    scene: Scene, tmp_path: Path, suffix: str
) -> None:
    """The page alone, and the notebook alone, vouch for the sealed position; both carry the checkpoint beside them."""
    shutil.copy(scene.made.folder / f"{NAME}.{suffix}", tmp_path / f"copy.{suffix}")
    store, seal = scene.control.store, json.loads((scene.made.folder / "seal.json").read_text())
    found = verify_store(store, anchors=(tmp_path,))
    assert (found.is_ok, found.anchored.size) == (True, seal["log_head"]["seq"])
    assert found.anchored.note_count == 1
    (beside,) = read_notes([scene.made.folder], scene.control.state().store_id)
    assert beside[2].rstrip("\n") == seal["checkpoint"].rstrip("\n")


def test_a_signed_report_says_who_signed_it(tmp_path: Path) -> None:
    """Made by somebody with an enrolled key, its head note names key and person, and a copy of it is signed evidence."""
    settings, _ = story.set_up(tmp_path)
    key = make_key(settings.home / KEY_FILE)
    control = open_control(settings)
    enrol_key(control, Enrolment(key.public_hex, "ann", "ops-lead"))
    given = Scene(settings, control, {}).given()
    made = make_report(control, settings, name=NAME, given=given)
    assert made.incomplete_because is None
    assert f"signed by ops-lead (ann, key {key.key_id})" in made.html.read_text()
    (tmp_path / "mail").mkdir()
    shutil.copy(made.html, tmp_path / "mail")
    found = verify_store(control.store, anchors=(tmp_path / "mail",), trusted=[key.public_hex])
    assert found.anchored.signed_size == found.anchored.size > 0


def test_the_store_knows_the_report(scene: Scene) -> None:
    """The log has the report with the digest of its verdict, its positions and its automations."""
    ref = scene.control.state().reports[scene.made.report_id]
    assert scene.made.report_id == "R-1"
    assert (ref.name, ref.hold_id, ref.is_complete) == (NAME, "H-1", True)
    assert ref.automation_ids == tuple(sorted(story.AGENTS))
    assert str(ref.verdict) == scene.made.document["verdict"]
    assert len(ref.digest) == 64


def test_the_page_says_what_it_is(scene: Scene) -> None:
    """The page has its id, the DEMO strip with the recorded time, the verdict and the head note."""
    page = scene.made.html.read_text()
    assert "<title>R-1 Restart decision</title>" in page
    assert 'data-wb-strip="DEMO"' in page
    assert "2026-11-20 09:58:00 UTC" in page
    assert f'data-wb-verdict="{scene.made.document["verdict"]}"' in page
    assert f"of store {scene.control.state().store_id} (production), unsigned" in page
    assert 'data-wb-strip="BY HAND"' not in page
    assert "REPORT-" not in page


def test_the_page_asks_for_nothing(scene: Scene) -> None:
    """No script, no link out, no prompt of the notebook; a policy forbids all of it besides."""
    page = scene.made.html.read_text()
    for forbidden in ("<script", "src=", 'http-equiv="refresh"', "@import", "In [", "Out["):
        assert forbidden not in page
    assert "default-src 'none'" in page


def test_the_same_inputs_give_the_same_verdict(scene: Scene, tmp_path: Path) -> None:
    """Another report on the same positions, from a copy of everything, has the same bytes of verdict.json."""
    for part in ("store", "gate"):
        shutil.copytree(getattr(scene.settings, part), tmp_path / part)
    shutil.copytree(scene.settings.home / "warehouse", tmp_path / "home" / "warehouse")
    settings = dataclasses.replace(
        scene.settings, store=tmp_path / "store", gate=tmp_path / "gate", home=tmp_path / "home"
    )
    seal = json.loads((scene.made.folder / "seal.json").read_text())
    control = open_control(settings)
    pinned = {
        "manifest_version": seal["manifest_version"],
        "log_seq": seal["log_head"]["seq"],
    }
    again = make_report(control, settings, name=NAME, given={**scene.given(), **pinned})
    assert again.report_id == f"R-{len(control.state().reports)}" != scene.made.report_id
    first = (scene.made.folder / "verdict.json").read_bytes()
    assert (again.folder / "verdict.json").read_bytes() == first


def test_by_hand_the_numbers_are_the_same_and_the_page_says_so(
    scene: Scene, tmp_path: Path
) -> None:
    """The saved notebook, run again by hand, gives the same findings, marked as not recorded."""
    saved = scene.made.folder / f"{NAME}.ipynb"
    execution = execute(
        saved, tmp_path / "again.ipynb", parameters={}, sentinel="none", settings=scene.settings
    )
    recorded = payload_of(read_notebook(saved))
    assert payload_of(execution.notebook)["verdict"] == recorded["verdict"]
    shown = "".join(
        output.data.get("text/html", "")
        for cell in execution.notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "data" in output
    )
    assert "Run by hand, not recorded" in shown
    assert (
        execution.notebook.cells[-1].outputs[-1].data["text/plain"] == "run by hand, not recorded"
    )


def test_what_cannot_be_computed_is_kept_as_incomplete(scene: Scene, tmp_path: Path) -> None:
    """A failing notebook ends as files that say INCOMPLETE, without verdict, and the log says failure."""
    source = write_notebook(
        tmp_path, "raise ValueError('<script>no rows</script>')", parameters=True
    )
    made = make_report(
        scene.control, scene.settings, name=NAME, given=scene.given(), notebook=source
    )
    assert not made.is_complete
    names = sorted(path.name for path in made.folder.iterdir())
    assert names[:2] == [f"{NAME}.INCOMPLETE.html", f"{NAME}.INCOMPLETE.ipynb"]
    assert [Path(name).suffix for name in names[2:]] == [".checkpoints"]
    assert 'data-wb-state="INCOMPLETE"' in made.html.read_text()
    assert made.html.read_text().count('wb-note">workbench/') == 1
    assert "<script" not in made.html.read_text()
    assert not scene.control.state().reports[made.report_id].is_complete


def test_a_notebook_without_a_seal_is_incomplete(scene: Scene, tmp_path: Path) -> None:
    """A run that says the right last words and leaves no verdict is no report."""
    words = "print(f'REPORT-COMPLETE {run_ticket}')"
    source = write_notebook(tmp_path, words, parameters=True)
    made = make_report(
        scene.control, scene.settings, name=NAME, given=scene.given(), notebook=source
    )
    assert made.incomplete_because == "The last cell left no verdict and no seal."


def test_an_incomplete_report_cannot_be_decided_on(scene: Scene, tmp_path: Path) -> None:
    """The store refuses a decision about it."""
    from workbench.control.deciding import DecideRequest

    source = write_notebook(tmp_path, "import sys; sys.exit(0)", parameters=True)
    made = make_report(
        scene.control, scene.settings, name=NAME, given=scene.given(), notebook=source
    )
    with pytest.raises(Refused, match="INCOMPLETE"):
        scene.control.decide(DecideRequest(made.report_id))


def test_the_saved_notebook_is_valid_and_holds_no_secret_ticket(scene: Scene) -> None:
    """The executed copy is a valid notebook; its ticket names a run that is over."""
    notebook = nbformat.read(scene.made.folder / f"{NAME}.ipynb", as_version=4)
    nbformat.validate(notebook)
    ticket = notebook.metadata.papermill.parameters.run_ticket
    assert not list(scene.settings.home.glob(f"reports/*{ticket}*"))
    assert PAYLOAD_MIME in notebook.cells[-1].outputs[-1].data

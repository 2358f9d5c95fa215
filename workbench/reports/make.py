"""Makes a report: sync and seal, run, judge, render, record; everything short of complete says INCOMPLETE."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

import nbformat

from workbench.control.commands import Control
from workbench.control.deciding import ReportEntry
from workbench.errors import QueryError
from workbench.records import Automation, HeadNote, VerdictKind
from workbench.reports.page import stamp, to_html
from workbench.reports.parameters import ReportParameters, check_parameters
from workbench.reports.runner import Execution, RunLimits, execute
from workbench.reports.shelf import MakingPlace, Shelf, write_json
from workbench.reports.sync import load_store_rows, store_rows
from workbench.scope import Scope
from workbench.settings import Settings
from workbench.store.anchors import append_note
from workbench.warehouse import Warehouse


@dataclass(frozen=True)
class MadeReport:
    """A report that was made, complete or not.

    Attributes:
        document: content of verdict.json; empty when the report is incomplete.
        incomplete_because: None when it is complete.
    """

    report_id: str
    name: str
    folder: Path
    html: Path
    document: Mapping[str, Any]
    incomplete_because: str | None

    @property
    def is_complete(self) -> bool:
        """Tell whether anybody may decide on it."""
        return self.incomplete_because is None


@dataclass(frozen=True)
class Sealed:
    """The two positions a report is computed from, and the automations under the hold.

    Attributes:
        checkpoint: note of the log's position, kept beside the report: its folder is an anchor folder.
    """

    manifest_version: int
    head: HeadNote
    checkpoint: str
    covered_ids: tuple[str, ...]
    automations: Mapping[str, Automation]


@dataclass(frozen=True)
class Run:
    """One run of one report: its checked parameters, its positions, where and how long it may run."""

    name: str
    parameters: ReportParameters
    sealed: Sealed
    _: KW_ONLY
    settings: Settings
    limits: RunLimits


def notebooks_folder() -> Path:
    """Return the folder of the notebooks: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "notebooks", package / "_shipped" / "notebooks"):
        if folder.is_dir():
            return folder
    raise QueryError(
        f"There is no notebooks folder beside or inside {package.name}; the installation is not whole."
    )


def make_report(
    control: Control,
    settings: Settings,
    *,
    name: str,
    given: Mapping[str, Any],
    limits: RunLimits | None = None,
    notebook: Path | None = None,
) -> MadeReport:
    """Make one report from checked parameters and record it; raises only when nothing could be made at all.

    A report that could not be computed comes back as an incomplete one that says why.
    """
    asked = check_parameters(name, given)
    shelf = Shelf(settings.home, control.store.meta()["store_id"])
    subject = hashlib.sha256(f"{asked.hold_id} {asked.only}".encode()).hexdigest()[:12]
    with shelf.only_maker(f"{name}-{subject}"):
        sealed = take_positions(control, settings, asked=asked)
        place = shelf.begin(
            {
                "report": name,
                "log_head": _head_document(sealed.head),
                "checkpoint": sealed.checkpoint,
            }
        )
        pinned = {
            "manifest_version": sealed.manifest_version,
            "log_seq": sealed.head.seq,
            "run_ticket": place.ticket_id,
        }
        asked = check_parameters(name, {**asked.values(), **pinned})
        source = notebook or notebooks_folder() / f"{asked.notebook}.ipynb"
        run = Run(name, asked, sealed, settings=settings, limits=limits or RunLimits())
        try:
            return _keep(control, place, execution=_execute(run, source, place), run=run)
        except BaseException:
            # What was interrupted is no report, not even an incomplete one that somebody asked to keep.
            place.abandon()
            raise


def _execute(run: Run, source: Path, place: MakingPlace) -> Execution:
    return execute(
        source,
        place.folder / f"{run.name}.ipynb",
        parameters=run.parameters.values(),
        sentinel=place.sentinel,
        settings=run.settings,
        limits=run.limits,
    )


def take_positions(control: Control, settings: Settings, *, asked: ReportParameters) -> Sealed:
    """Bring the warehouse up to our own store and pin the pair that the report will be computed from."""
    state = control.store.state(until_seq=asked.log_seq or None)
    warehouse = Warehouse.open(settings.home, control.clock)
    version = asked.manifest_version or load_store_rows(warehouse, store_rows(state))
    covered = tuple(sorted(state.covered.get(asked.hold_id, ())))
    return Sealed(version, state.head, control.checkpoint(state), covered, state.automations)


def _head_document(head: HeadNote) -> dict[str, Any]:
    return {
        "store_id": head.store_id,
        "environment": head.environment,
        "seq": head.seq,
        "hash": head.hash,
    }


def _keep(control: Control, place: MakingPlace, *, execution: Execution, run: Run) -> MadeReport:
    """Write everything, record it, and give it its name; the page is drawn before the store hears of it."""
    because = execution.incomplete_because or _payload_fault(execution.payload)
    document: Mapping[str, Any] = {} if because else execution.payload["verdict"]
    digest = "" if because else _write_findings(place.folder, execution.payload)
    token = f"REPORT-{place.ticket_id}"
    append_note([place.folder], run.sealed.head.store_id, note=run.sealed.checkpoint)
    files = _write_page(place.folder, execution.notebook, run, token=token, because=because)
    ref = control.record_report(_entry(run, document, digest, because))
    for path in files:
        path.write_text(
            path.read_text(encoding="utf-8").replace(token, ref.report_id), encoding="utf-8"
        )
    folder = place.finish(ref.report_id)
    return MadeReport(ref.report_id, run.name, folder, folder / files[0].name, document, because)


def _payload_fault(payload: Mapping[str, Any]) -> str | None:
    if "verdict" in payload and "seal" in payload:
        return None
    return "The last cell left no verdict and no seal."


def _write_findings(folder: Path, payload: Mapping[str, Any]) -> str:
    write_json(folder / "seal.json", payload["seal"])
    text = write_json(folder / "verdict.json", payload["verdict"])
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _entry(run: Run, document: Mapping[str, Any], digest: str, because: str | None) -> ReportEntry:
    sealed = run.sealed
    ids = tuple(document.get("automation_ids", sealed.covered_ids))
    narrow = str(document.get("narrow_scope") or "")
    return ReportEntry(
        name=run.name,
        hold_id=run.parameters.hold_id,
        verdict=VerdictKind(document.get("verdict", VerdictKind.KEEP_PAUSED)),
        is_complete=because is None,
        digest=digest,
        automation_ids=ids,
        manifest_version=sealed.manifest_version,
        log_seq=sealed.head.seq,
        log_hash=sealed.head.hash,
        as_of=run.parameters.instant("as_of"),
        reason=because or str(document.get("reason", "")),
        narrow_ids=_covered_of(narrow, ids, sealed.automations) if narrow else None,
        narrow_run_count=document.get("narrow_run_count"),
    )


def _covered_of(
    scope_text: str, ids: tuple[str, ...], automations: Mapping[str, Automation]
) -> tuple[str, ...]:
    """Return which of the reviewed automations a proposed scope lets through, as of the sealed log."""
    scope = Scope.parse(scope_text)
    return tuple(
        i for i in ids if scope.names(i) or (i in automations and scope.covers(automations[i]))
    )


def _write_page(
    folder: Path, notebook: nbformat.NotebookNode, run: Run, *, token: str, because: str | None
) -> tuple[Path, Path]:
    """Stamp the notebook and write page and notebook; both names say INCOMPLETE when it is."""
    stamp(
        notebook,
        title=f"{token} {run.parameters.title}",
        incomplete_because=because,
        checkpoint=run.sealed.checkpoint,
    )
    stem = f"{run.name}.INCOMPLETE" if because else run.name
    (folder / f"{run.name}.ipynb").unlink(missing_ok=True)
    source, page = folder / f"{stem}.ipynb", folder / f"{stem}.html"
    nbformat.write(notebook, source)  # type: ignore[no-untyped-call] # nbformat is half typed
    page.write_text(to_html(notebook), encoding="utf-8")
    return page, source

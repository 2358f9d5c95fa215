"""Makes the page of a monthly review for a scheduler: run the notebook, keep page, notebook and measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from workbench.clock import to_text
from workbench.control.commands import Control
from workbench.reports.make import notebooks_folder
from workbench.reports.monthly import NAME, check_month
from workbench.reports.page import stamp, to_html
from workbench.reports.runner import Execution, RunLimits, execute
from workbench.reports.shelf import MakingPlace, Shelf, write_json
from workbench.reports.sync import load_store_rows, store_rows
from workbench.settings import Settings
from workbench.warehouse import Warehouse


@dataclass(frozen=True)
class MadeMonth:
    """A monthly review that was made, complete or not.

    Attributes:
        document: what was found; empty where it is incomplete.
        incomplete_because: None when it is complete.
    """

    page: Path
    document: Mapping[str, Any]
    incomplete_because: str | None


def make_month(
    control: Control,
    settings: Settings,
    *,
    month: str,
    limits: RunLimits | None = None,
    notebook: Path | None = None,
) -> MadeMonth:
    """Make the review of a month and keep it in a folder of its own beside the other reports.

    Nothing is recorded: it decides nothing. Raises UsageFault for a month that is none or has not begun, and Refused
    where the same is being made right now.
    """
    now = to_text(control.clock.now())
    check_month({"month": month, "as_of": now})
    shelf = Shelf(settings.home, control.store.meta()["store_id"])
    with shelf.only_maker(f"{NAME}-{month}"):
        state = control.state()
        version = load_store_rows(Warehouse.open(settings.home, control.clock), store_rows(state))
        place = shelf.begin({"report": NAME, "log_seq": state.head.seq})
        sealed = {"manifest_version": version, "log_seq": state.head.seq}
        try:
            done = execute(
                notebook or notebooks_folder() / "monthly_review.ipynb",
                place.folder / f"{NAME}.ipynb",
                parameters={"month": month, "as_of": now, "run_ticket": place.ticket_id, **sealed},
                sentinel=place.sentinel,
                settings=settings,
                limits=limits or RunLimits(),
            )
            return _keep(place, done, month=month, checkpoint=control.checkpoint(state))
        except BaseException:
            # What was interrupted is no report, not even an incomplete one that somebody asked to keep.
            place.abandon()
            raise


def _keep(place: MakingPlace, done: Execution, *, month: str, checkpoint: str) -> MadeMonth:
    """Write page, notebook and measures, and give the folder its name; an incomplete one says so in its name."""
    because = done.incomplete_because
    if because is None and "monthly" not in done.payload:
        because = "The last cell left no measures."
    stem = f"{NAME}.INCOMPLETE" if because else NAME
    stamp(
        done.notebook,
        title=f"Monthly review {month}",
        incomplete_because=because,
        checkpoint=checkpoint,
    )
    (place.folder / f"{NAME}.ipynb").unlink(missing_ok=True)
    nbformat.write(done.notebook, place.folder / f"{stem}.ipynb")  # type: ignore[no-untyped-call] # nbformat is half typed
    (place.folder / f"{stem}.html").write_text(to_html(done.notebook), encoding="utf-8")
    document = {} if because else dict(done.payload["monthly"])
    if document:
        write_json(place.folder / f"{NAME}.json", document)
    folder = place.finish(f"{NAME}-{month}-{place.ticket_id[:8]}")
    return MadeMonth(folder / f"{stem}.html", document, because)

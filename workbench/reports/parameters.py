"""What each report may be asked: one model per notebook, checked before a kernel starts and again inside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from workbench.clock import from_text, to_text
from workbench.errors import UsageFault
from workbench.plots.text import label
from workbench.scope import Scope

HOLD_ID = r"^H-[1-9][0-9]{0,8}$"
RUN_TICKET = r"^(?:[0-9a-f]{32})?$"


def _instant(text: str) -> str:
    return to_text(from_text(text))


def _scope(text: str) -> str:
    return str(Scope.parse(text))


Instant = Annotated[str, Field(max_length=40), AfterValidator(_instant)]
"""ISO 8601 text with an offset; kept as UTC text, because papermill would guess at anything else."""

OptionalInstant = Annotated[
    str, Field(max_length=40), AfterValidator(lambda text: _instant(text) if text else "")
]
"""As `Instant`, or empty: then it is derived from the data."""

OptionalScope = Annotated[
    str, Field(max_length=600), AfterValidator(lambda text: _scope(text) if text else "")
]
"""A scope in its canonical form, or empty: then it is the hold's own."""


class ReportParameters(BaseModel):
    """What every report is asked.

    Attributes:
        hold_id: the hold under review, as text.
        only: a narrower scope inside the hold's; empty for all of it.
        as_of: nothing that happened at or after it is looked at.
        onset: when the trouble began; empty when it is to be found in the data.
        since: where the time before the trouble begins; empty for a fixed time before the onset.
        manifest_version: the sealed state of the warehouse; 0 takes the newest.
        log_seq: the sealed position of the store's log; 0 takes the newest.
        run_ticket: names the recorded run that this is; empty when a person runs the notebook by hand.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    notebook: ClassVar[str]
    title: ClassVar[str]

    hold_id: Annotated[str, Field(pattern=HOLD_ID)]
    as_of: Instant
    only: OptionalScope = ""
    onset: OptionalInstant = ""
    since: OptionalInstant = ""
    manifest_version: Annotated[int, Field(ge=0)] = 0
    log_seq: Annotated[int, Field(ge=0)] = 0
    run_ticket: Annotated[str, Field(pattern=RUN_TICKET)] = ""

    def instant(self, name: str) -> datetime:
        """Return one of the instants as a UTC datetime."""
        return from_text(getattr(self, name))

    def optional_instant(self, name: str) -> datetime | None:
        """Return one of the instants as a UTC datetime, or None where it is to be derived."""
        text = getattr(self, name)
        return from_text(text) if text else None

    def values(self) -> dict[str, str | int]:
        """Return the checked values under their names, as papermill takes them."""
        return self.model_dump()

    def asked(self) -> dict[str, str | int]:
        """Return what was asked, without the ticket of the run: the seal covers these."""
        return self.model_dump(exclude={"run_ticket"})


class RestartDecisionParameters(ReportParameters):
    """May what is held start again, and how much of it?"""

    notebook: ClassVar[str] = "restart_decision"
    title: ClassVar[str] = "Restart decision"


class PostIncidentParameters(ReportParameters):
    """What happened, how long did each phase take, what worked, and what is to be done?"""

    notebook: ClassVar[str] = "post_incident_review"
    title: ClassVar[str] = "Post-incident review"


ReportName = Literal["restart-decision", "post-incident-review"]
MODELS: Mapping[str, type[ReportParameters]] = {
    "restart-decision": RestartDecisionParameters,
    "post-incident-review": PostIncidentParameters,
}


def check_parameters(name: str, given: Mapping[str, Any]) -> ReportParameters:
    """Return the checked parameters of a report; raises UsageFault that names each fault on one line."""
    model = MODELS.get(name)
    if model is None:
        raise UsageFault(
            f"There is no report {label(name)!r}; there are {', '.join(sorted(MODELS))}."
        )
    try:
        return model.model_validate(dict(given))
    except ValidationError as exc:
        raise UsageFault(f"The report {name} was not started: {faults_of(exc)}.") from exc


def faults_of(exc: ValidationError) -> str:
    """Return every fault of some parameters on one line."""
    return "; ".join(
        _fault(error["type"], error["loc"], error["msg"])
        for error in exc.errors(include_input=False)
    )


def _fault(kind: str, where: tuple[int | str, ...], message: str) -> str:
    name = label(".".join(str(part) for part in where) or "parameters")
    if kind == "extra_forbidden":
        return f"{name} is not a parameter of it"
    if kind == "missing":
        return f"{name} is missing"
    return f"{name}: {label(re.sub('^Value error, ', '', message), 200)}"

"""Let part of a hold through, or release it whole: with a decision, or by a recorded break-glass reason."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import traitlets

from workbench.control.resuming import ResumeRequest
from workbench.control.views import HoldView
from workbench.errors import NotFound, Refused, UsageFault
from workbench.panels.guard import NOTHING, GuardedModel, Message, guarded
from workbench.panels.pause_model import SETTLE_SECONDS
from workbench.panels.ports import PanelControl
from workbench.restarts import Probation
from workbench.scope import Scope

DEFAULT_RUN_COUNT = 5
FIELDS = (
    "way",
    "only",
    "runs",
    "hosts",
    "catch_up",
    "rate_per_minute",
    "decision_id",
    "break_glass_reason",
)
"""What a person fills in; an edit of any disarms."""


class ResumeWay(StrEnum):
    """How far a hold is opened."""

    NARROW = "narrow"
    FULL = "full"

    @property
    def in_plain_words(self) -> str:
        """Say in one sentence what happens to the hold."""
        return {
            ResumeWay.NARROW: "Narrow restart: the hold stays; one part gets through for so many runs.",
            ResumeWay.FULL: "Full restart: the hold is released; everything it alone holds runs again.",
        }[self]


class CatchUpChoice(StrEnum):
    """What engines do with starts that fell into the pause; the values are those of the request."""

    OWN_WAY = ""
    SKIP = "skip"
    LATEST = "latest"
    ALL = "all"

    @property
    def in_plain_words(self) -> str:
        """Say what becomes of the missed starts."""
        return {
            CatchUpChoice.OWN_WAY: "each engine's own way, as the forecast says",
            CatchUpChoice.SKIP: "skip them all",
            CatchUpChoice.LATEST: "make up for the latest one",
            CatchUpChoice.ALL: "make up for all of them",
        }[self]


def only_example(view: HoldView | None) -> str:
    """Return a part of a hold as one would type it, from what it covers."""
    named = view.automations[:1] if view is not None else ()
    return f"automation={named[0]}" if named else "automation=NAME"


@dataclass(frozen=True)
class ResumePlan:
    """What a resume would let run, and what it would not.

    Attributes:
        lets_run: ids that may run afterwards.
        still_held: id and the other holds on it: those keep it paused.
        stays: ids that stay under the hold itself.
        starts: what engines would start at once, a sentence for each target.
    """

    lets_run: tuple[str, ...]
    still_held: tuple[tuple[str, str], ...]
    stays: tuple[str, ...]
    starts: tuple[str, ...] = ()


@dataclass(frozen=True)
class ArmedResume:
    """One resume that waits for its confirmation; the token is the id of the command it becomes."""

    token: str
    way: ResumeWay
    request: ResumeRequest
    plan: ResumePlan

    @property
    def sentence(self) -> str:
        """Say what confirming does, in the words of the button."""
        asked = self.request
        grounds = f"on {asked.decision_id}" if asked.decision_id else "by BREAK-GLASS"
        if not asked.decision_id and not asked.break_glass_reason:
            grounds = "ready for its first run"
        if self.way is ResumeWay.FULL:
            return f"Confirm: release {asked.hold_id} whole, {grounds}"
        noun = "run" if asked.runs == 1 else "runs"
        return f"Confirm: {asked.runs} {noun} of {asked.only} through {asked.hold_id}, {grounds}"


class ResumeModel(GuardedModel):
    """State of the resume form of one hold; any edit after arming disarms it.

    Attributes:
        hold: the hold chosen from the list, or None: then there is no form.
        shown_at: the hold at whose row form and message stand; it stays when the form is closed.
        only: the part that a narrow restart lets through, as a scope.
        runs: after so many runs a narrow restart ends by itself.
        hosts: which host lets them through, as `--host` has it; empty for the one where they were seen.
        has_engine: an engine runs some of what the hold covers, so that starts were missed and may come at once.
        catch_up: what becomes of the missed starts.
        rate_per_minute: runs that an engine is let go in a minute at most; 0 for no limit.
        armed: the resume that waits for its confirmation, or None.
        opened_count: how many resumes this form has carried out.
    """

    hold = traitlets.Instance(HoldView, allow_none=True)
    shown_at = traitlets.Unicode()
    way = traitlets.UseEnum(ResumeWay, default_value=ResumeWay.NARROW)
    only = traitlets.Unicode()
    runs = traitlets.Int(DEFAULT_RUN_COUNT)
    hosts = traitlets.Unicode()
    has_engine = traitlets.Bool()
    catch_up = traitlets.UseEnum(CatchUpChoice, default_value=CatchUpChoice.OWN_WAY)
    rate_per_minute = traitlets.Int(0)
    decision_id = traitlets.Unicode()
    break_glass_reason = traitlets.Unicode()
    armed = traitlets.Instance(ArmedResume, allow_none=True)
    opened_count = traitlets.Int()

    def __init__(self, control: PanelControl) -> None:
        """Take the control layer that answers and carries out."""
        super().__init__()
        self._control = control

    @property
    def hold_id(self) -> str:
        """Return the short id of the chosen hold, empty when none is."""
        return "" if self.hold is None else str(self.hold.hold.hold_id)

    @property
    def blocked_because(self) -> Message | None:
        """Return the first thing missing, with the command that gets it, or None."""
        if self.hold is None:
            return Message("Choose a hold from the list first.", is_alert=True)
        if self.way is ResumeWay.NARROW and not self.only.strip():
            return Message(
                f"Say which part of {self.hold_id} may run, for example `{only_example(self.hold)}`.",
                is_alert=True,
            )
        if self.way is ResumeWay.NARROW and self.runs < 1:
            return Message(
                "Give at least 1 run; the narrow restart ends by itself after that many.",
                is_alert=True,
            )
        if self.rate_per_minute < 0:
            return Message("Give a rate of runs a minute, or 0 for no limit.", is_alert=True)
        if not self.decision_id.strip() and not self.break_glass_reason.strip():
            if self.hold.hold.is_first_run and self.way is ResumeWay.FULL:
                return self._unready(self.hold)
            return Message(
                f"{self.hold_id} opens on a decision; that the alert stopped is no ground to restart.",
                f"type `workbench review {self.hold_id}`, then `workbench decide`, and give the decision's "
                "id here; or give a break-glass reason, which is recorded and flagged",
                is_alert=True,
            )
        return None

    def _unready(self, view: HoldView) -> Message | None:
        if not view.lacks:
            return None
        return Message(
            f"{self.hold_id} is {view.state_in_words}.",
            f"{view.way_out}; or give a break-glass reason, which is recorded and flagged",
            is_alert=True,
        )

    def choose(self, view: HoldView | None) -> None:
        """Open an empty form for a hold, or close the form with None."""
        with self.hold_trait_notifications():
            self.armed = None
            self.only = self.decision_id = self.break_glass_reason = self.hosts = ""
            self.runs, self.way = DEFAULT_RUN_COUNT, ResumeWay.NARROW
            self.rate_per_minute, self.catch_up = 0, CatchUpChoice.OWN_WAY
            self.has_engine = view is not None and self._is_run_by_an_engine(view)
            self.hold, self.message = view, NOTHING
        self.shown_at = self.hold_id or self.shown_at

    def follow(self, holds: tuple[HoldView, ...]) -> None:
        """Take over what changed at the chosen hold since the form was opened; an armed form disarms."""
        if self.hold is None:
            return
        hold_id, seen_seq = self.hold_id, self.hold.changed_seq
        now = next((view for view in holds if view.hold.hold_id == hold_id), None)
        if now is None:
            self.choose(None)
            self.message = Message(f"{hold_id} stands no longer.")
        elif now.changed_seq != seen_seq:
            self.hold = now

    @guarded
    def arm(self) -> None:
        """Ask for the confirmation, or say what is missing and how to get it."""
        if self.armed is not None:
            return
        threading.Event().wait(SETTLE_SECONDS)
        hold, why_not = self.hold, self.blocked_because
        if hold is None or why_not is not None:
            self.message = why_not or NOTHING
            return
        request = self._request(hold)
        plan = replace(self._plan(hold), starts=self._control.forecast(request))
        self.message = Message("Read what would run, then confirm. Nothing runs yet.")
        self.armed = ArmedResume(uuid.uuid4().hex, self.way, request, plan)

    @guarded
    def confirm(self) -> None:
        """Open the hold, once: the token is spent before the command goes out, and a refusal is shown."""
        armed, self.armed = self.armed, None
        if armed is None:
            return
        try:
            self._carry_out(armed)
        except (UsageFault, Refused, NotFound):
            raise
        except Exception:
            # Recorded or not is not known; the same id pressed again cannot open twice.
            self.armed = armed
            raise

    @guarded
    def cancel(self) -> None:
        """Take the armed resume back; nothing was recorded."""
        self.armed = None
        self.message = Message("Cancelled; nothing was recorded.")

    def _request(self, view: HoldView) -> ResumeRequest:
        is_narrow = self.way is ResumeWay.NARROW
        return ResumeRequest(
            view.hold.hold_id,
            only=self.only.strip() if is_narrow else None,
            runs=self.runs if is_narrow else None,
            hosts=self.hosts.strip() if is_narrow else "",
            catch_up=str(self.catch_up),
            rate_per_minute=self.rate_per_minute or None,
            decision_id=self.decision_id.strip(),
            break_glass_reason=self.break_glass_reason.strip(),
            based_on=view.changed_seq,
        )

    def _is_run_by_an_engine(self, view: HoldView) -> bool:
        rows = self._control.status().automations
        run = {row.automation.automation_id for row in rows if row.automation.engine}
        return bool(run & set(view.automations))

    def _plan(self, view: HoldView) -> ResumePlan:
        """Say what would run; a scope that lets nothing through is refused before the confirmation."""
        asked, status = set(view.automations), self._control.status()
        if self.way is ResumeWay.NARROW:
            known = [row.automation for row in status.automations]
            part = Scope.parse(view.hold.scope) & Scope.parse(self.only, known)
            covered = self._control.preview(str(part), view.hold.mode).automations
            asked &= {automation.automation_id for automation in covered}
        others = _other_holds(status.holds, view.hold.hold_id)
        return ResumePlan(
            lets_run=tuple(sorted(i for i in asked if not others.get(i))),
            still_held=tuple(sorted((i, others[i]) for i in asked if others.get(i))),
            stays=tuple(sorted(set(view.automations) - asked)),
        )

    def _carry_out(self, armed: ArmedResume) -> None:
        if armed.way is ResumeWay.FULL:
            released = self._control.resume_full(armed.request, command_id=armed.token)
            done = f"{released.hold_id} is released; what no other hold covers may run again."
        else:
            probation = self._control.resume_narrow(armed.request, command_id=armed.token)
            done = _let_through(probation, stays=armed.plan.stays)
        self.choose(None)
        self.message = Message(done)
        self.opened_count += 1

    @traitlets.observe(*FIELDS, "hold")
    def _disarm(self, change: Any) -> None:
        if self.armed is not None:
            self.armed = None
            self.message = Message("The form was changed: no longer armed. Press Resume again.")


def _let_through(probation: Probation, *, stays: tuple[str, ...]) -> str:
    """Say what may pass, and what the hold goes on pausing."""
    noun = "run" if probation.max_runs == 1 else "runs"
    passes = f"{probation.max_runs} {noun} of {', '.join(probation.automation_ids)} may pass"
    if stays:
        return f"{passes}; {probation.hold_id} stays for the rest: {', '.join(stays)}."
    return f"{passes}; {probation.hold_id} stays, and pauses them again afterwards."


def _other_holds(holds: tuple[HoldView, ...], hold_id: str) -> dict[str, str]:
    """Return automation id -> the other holds on it that let none of its runs through now."""
    found: dict[str, list[str]] = {}
    for view in holds:
        through = {i for p in view.probations if p.is_live for i in p.probation.automation_ids}
        for automation_id in set(view.automations) - through:
            if view.hold.hold_id != hold_id:
                found.setdefault(automation_id, []).append(view.hold.hold_id)
    return {automation_id: ", ".join(sorted(ids)) for automation_id, ids in found.items()}

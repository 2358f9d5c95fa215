"""The one command path that the command line, panels and Python share."""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from workbench.clock import Clock
from workbench.control import reading
from workbench.control.deciding import DecideRequest, ReportEntry, decide_decision, decide_report
from workbench.control.ending import with_endings
from workbench.control.enrolling import decide_registry, known_registry, registry_command
from workbench.control.placing import PauseRequest, covered_by, decide_pause, standing_hold
from workbench.control.resuming import ResumeRequest, decide_narrow, decide_release, trusted
from workbench.control.signing import (
    Signer,
    Who,
    file_signer,
    identify,
    own_key,
    unsigned,
)
from workbench.control.signoff import with_signoff
from workbench.control.spooling import Asker, Intake
from workbench.control.targets import Observer, observation, watch
from workbench.control.views import Card, HoldView, PauseReceipt, Preview, Status
from workbench.errors import NoMatch, NotFound, StorageUnavailable, WorkbenchError
from workbench.records import Decision, HeadNote, Hold, Mode, Probation, ReportRef, Target
from workbench.registry import Difference, Registry, compare
from workbench.scope import Proposal, Scope, propose, why_no_match
from workbench.settings import KEY_FILE, Settings
from workbench.store.anchors import append_note
from workbench.store.checkpoint import note_of
from workbench.store.log import Draft
from workbench.store.state import State
from workbench.store.store import Change, Command, Committed, Store, open_store
from workbench.tickets import TicketBook

CONFIRM_WAIT_SECONDS = 30.0
"""How long a pause waits for its automations to have seen it (SEMANTICS 5)."""


class Control:
    """Gives commands to one store; each call opens and closes its own connection, so any thread may call."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        role: str | None = None,
        signer: Signer = unsigned,
        anchor_folders: Sequence[Path] = (),
    ) -> None:
        """Act on a store as this process's user, for a role where one is named, signing where one can."""
        self.anchor_folders = anchor_folders
        self.intake = Intake(store, (store.gate_folder,))
        self.anchor_key: Path | None = None
        self._said: set[str] = set()
        self.signer = signer
        self.store = store
        self.clock = clock
        self.role = role

    def head_note(self) -> HeadNote:
        """Return where the log stands."""
        return self.store.head_note()

    def state(self) -> State:
        """Return the fold of the log."""
        return self.store.state()

    def preview(self, scope_text: str, mode: Mode = Mode.FREEZE) -> Preview:
        """Return what a pause of the scope would cover; raises NoMatch when that is nothing."""
        state = self.store.state()
        known = state.automations.values()
        scope = Scope.parse(scope_text, known)
        covered = covered_by(scope, state)
        if not covered and not scope.is_everything:
            raise NoMatch(f"The scope {scope} covers no automation: {why_no_match(scope, known)}")
        return self._preview(state, scope, mode)

    def find(self, text: str) -> list[Proposal]:
        """Propose the smallest scopes for a few words, best first."""
        return propose(text, self.store.state().automations.values())

    def pause(
        self,
        request: PauseRequest,
        *,
        command_id: str | None = None,
        wait_seconds: float = CONFIRM_WAIT_SECONDS,
        on_progress: Callable[[tuple[Target, ...]], None] | None = None,
    ) -> PauseReceipt:
        """Place a hold, publish it, and watch until every automation that asks the gate has seen it.

        Needs one person and a reason; checks nothing that could be in the way. What was seen is recorded
        in the log. Raises NoMatch when the scope covers nothing, UsageFault without a reason, and Spooled
        where the store could not take it and gates hold it all the same.
        """
        now, used_id = self.clock.now(), self.new_id(command_id)
        try:
            done = self.transact(
                request.command(used_id),
                lambda s, who: decide_pause(s, request, actor=who.text, now=now),
            )
        except StorageUnavailable as exc:
            asker = Asker(self.role, now)
            raise self.intake.keep(request, used_id, asker=asker, cause=exc) from exc
        hold = done.state.holds[_result(done, "hold.place")]
        observer = self._observer(self.store.state())
        targets = watch(
            lambda: observer.targets(hold), wait_seconds=wait_seconds, on_progress=on_progress
        )
        self._record_observation(hold, targets)
        return PauseReceipt(
            hold=hold,
            preview=self._preview(
                done.state, Scope.parse(hold.scope), hold.mode, except_hold=hold.hold_id
            ),
            targets=targets,
            head=self.head_note(),
            publication_fault=done.publication_fault,
            is_repeat=done.is_repeat,
            gate_folder=str(self.store.gate_folder),
        )

    def targets(self, hold_id: str) -> tuple[Target, ...]:
        """Return how far a hold has come at each automation, those not yet there first."""
        state = self.store.state()
        if hold_id not in state.holds:
            raise NotFound(
                f"There is no hold {hold_id}.", next_step="try `workbench hold list --all`"
            )
        return self._observer(state).targets(state.holds[hold_id])

    def observe(self, hold_id: str) -> tuple[Target, ...]:
        """Look at a standing hold again and record what is new, so that it can be proved later."""
        hold = standing_hold(self.store.state(), hold_id)
        targets = self.targets(hold_id)
        self._record_observation(hold, targets)
        return targets

    def resume_narrow(self, request: ResumeRequest, *, command_id: str | None = None) -> Probation:
        """Let part of a hold through for a number of runs; the hold stays.

        Raises Refused without a decision or break-glass reason, and when the decision does not cover it.
        """
        now = self.clock.now()
        done = self.transact(
            request.command(self.new_id(command_id)),
            lambda s, who: with_signoff(
                s,
                decide_narrow(
                    self._trusted(s),
                    request,
                    actor=who.text,
                    now=now,
                    prepare_tickets=self._make_tickets,
                ),
                who=who,
                now=now,
            ),
        )
        return done.state.probations[_result(done, "probation.start")]

    def resume_full(self, request: ResumeRequest, *, command_id: str | None = None) -> Hold:
        """Release a hold; other holds on the same automations stay. Raises Refused as narrow does."""
        now = self.clock.now()
        done = self.transact(
            request.command(self.new_id(command_id)),
            lambda s, who: with_signoff(
                s,
                decide_release(self._trusted(s), request, actor=who.text, now=now),
                who=who,
                now=now,
            ),
        )
        return done.state.holds[_result(done, "hold.release")]

    def decide(self, request: DecideRequest, *, command_id: str | None = None) -> Decision:
        """Record a person's decision about a report; raises Refused when it cannot be decided on."""
        now = self.clock.now()
        done = self.transact(
            request.command(self.new_id(command_id)),
            lambda s, who: decide_decision(s, request, actor=who.text, now=now),
        )
        return done.state.decisions[_result(done, "decision.record")]

    def record_report(self, entry: ReportEntry, *, command_id: str | None = None) -> ReportRef:
        """Record a report that was made, complete or not, and return it with its id."""
        now = self.clock.now()
        done = self.transact(
            entry.command(self.new_id(command_id)),
            lambda s, who: decide_report(s, entry, actor=who.text, now=now),
        )
        return done.state.reports[_result(done, "report.record")]

    def registry_differences(self, registry: Registry) -> list[Difference]:
        """Return what applying a registry would record."""
        return compare(registry, known_registry(self.store.state()))

    def apply_registry(self, registry: Registry, *, command_id: str | None = None) -> int:
        """Record what a registry changes and return the number of events."""
        now = self.clock.now()
        command = registry_command(registry, self.new_id(command_id))
        return len(
            self.transact(
                command, lambda s, who: decide_registry(s, registry, who=who, now=now)
            ).events
        )

    def holds(self, *, include_released: bool = False) -> tuple[HoldView, ...]:
        """Return the holds as screens show them, newest first."""
        state = self.store.state()
        return reading.hold_views(
            state, self.store.gate_folder, now=self.clock.now(), include_released=include_released
        )

    def status(self) -> Status:
        """Return the state of every automation, the holds, and what is flagged."""
        return reading.status(self.store, self.clock.now())

    def card(self, scope_text: str) -> Card:
        """Return the page about stopping and restarting a scope; raises NoMatch when it covers nothing."""
        preview = self.preview(scope_text)
        return reading.card(self.store, preview, now=self.clock.now())

    def transact(self, command: Command, decide: Callable[[State, Who], Change]) -> Committed:
        """Give one command, signed where this user has a key: what it decides is recorded, once."""
        now = self.clock.now()
        self.take_in_spooled()

        def decided(state: State) -> Change:
            who = identify(command, state, signer=self.signer, role=self.role, now=now)
            change = with_endings(
                state, decide(state, who), gate_folder=self.store.gate_folder, now=now
            )
            return replace(change, seal=who.seal)

        return self.store.transact(command, decided, after_commit=self._anchor)

    def checkpoint(self, state: State) -> str:
        """Return the note of where the log stood, signed where this user has a key."""
        head = state.head
        root, signer = bytes.fromhex(head.root), own_key(self.anchor_key)
        return note_of(head.store_id, state.event_count, root=root, signer=signer)

    def take_in_spooled(self) -> None:
        """Record the pauses that wait in the spool; what cannot be recorded now, gates go on holding."""
        with contextlib.suppress(OSError, WorkbenchError):
            for done in self.intake.take_in(self.clock.now()):
                if not done.is_repeat:
                    self._anchor(done.state)

    def _anchor(self, state: State) -> None:
        """Copy the new head outside of the store; a copy that fails fails nothing, and is said once."""
        if not self.anchor_folders:
            return
        try:
            note = self.checkpoint(state)
            faults = append_note(self.anchor_folders, state.store_id, note=note)
        except OSError as exc:
            faults = [f"no checkpoint could be made: {exc}"]
        for fault in sorted(set(faults) - self._said):
            logging.getLogger(__name__).warning("%s; the command itself is recorded.", fault)
        self._said.update(faults)

    def _observer(self, state: State) -> Observer:
        return Observer(state, self.store.gate_folder, self.store.deliveries())

    def _record_observation(self, hold: Hold, targets: Iterable[Target]) -> None:
        found = tuple(targets)
        new = observation(found, self.store.state().observed, hold_id=hold.hold_id)
        if not new:
            return
        now = self.clock.now()
        content = {"name": "observe", "hold_id": hold.hold_id, "targets": new}
        draft = Draft(
            now,
            "system",
            "hold.observe",
            hold.hold_id,
            correlation_id=hold.hold_id,
            payload={"targets": new},
        )
        # The pause itself is durable already; what was seen of it can be looked at again.
        with contextlib.suppress(OSError, WorkbenchError):
            command, change = Command(self.new_id(None), content), Change([draft])
            self.store.transact(command, lambda _: change, after_commit=self._anchor)

    def _preview(self, state: State, scope: Scope, mode: Mode, *, except_hold: str = "") -> Preview:
        covered = covered_by(scope, state)
        held = tuple(
            a.automation_id
            for a in covered
            if any(hold.hold_id != except_hold for hold in state.holds_on(a.automation_id))
        )
        return Preview(scope, mode, covered, held)

    def _make_tickets(self, probation_id: str, runs: int) -> None:
        try:
            TicketBook(self.store.gate_folder, probation_id, runs).create()
        except OSError as exc:
            raise StorageUnavailable(
                f"Tickets cannot be counted in {self.store.gate_folder} ({exc.strerror}); "
                "nothing was restarted.",
                next_step="make the gate folder writable",
            ) from exc

    def _trusted(self, state: State) -> State:
        return trusted(state, copy_fault=self.store.copy_fault(state))

    @staticmethod
    def new_id(command_id: str | None) -> str:
        """Return the id that was given, or a fresh one."""
        return command_id or uuid.uuid4().hex


def _result(done: Committed, action: str) -> str:
    """Return the id that a command made; endings of narrow restarts may stand beside it."""
    return next(event.target for event in done.events if event.action == action)


def open_control(
    settings: Settings, clock: Clock | None = None, *, role: str | None = None
) -> Control:
    """Open the shared store for commands; raises StoreMissing when there is none."""
    used = clock or settings.clock()
    control = Control(
        open_store(settings, used),
        used,
        role=role,
        signer=file_signer(settings.home),
        anchor_folders=settings.anchor_folders,
    )
    control.anchor_key = settings.home / KEY_FILE
    control.intake = Intake(control.store, (settings.gate, *settings.spool_folders))
    control.take_in_spooled()
    return control


__all__ = ["CONFIRM_WAIT_SECONDS", "Control", "open_control"]

"""The one command path that the command line, panels and Python share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Set

from workbench.clock import FixedClock
from workbench.control import reading
from workbench.control.commanding import Commander
from workbench.control.deciding import DecideRequest, ReportEntry, decide_decision, decide_report
from workbench.control.desk import SignoffDesk
from workbench.control.enrolling import decide_registry, known_registry, registry_command
from workbench.control.freshness import opening_of, question_about, with_evidence
from workbench.control.observing import Lookout, head_after, lookout_after, observation_command
from workbench.control.placing import PauseRequest, covered_by, decide_pause, standing_hold
from workbench.control.resuming import ResumeRequest, decide_resume
from workbench.control.sharing import TicketOffice
from workbench.control.sighting import record_sightings
from workbench.control.signing import (
    Who,
)
from workbench.control.signoff import with_signoff
from workbench.control.spooling import Asker, Told
from workbench.control.targets import watch
from workbench.control.usage import Counter
from workbench.control.views import Card, HoldView, PauseReceipt, Preview, Status
from workbench.errors import (
    NotFound,
    Refused,
    StorageUnavailable,
    UsageFault,
    WorkbenchError,
)
from workbench.records import Decision, Hold, Mode, ReportRef, Target
from workbench.registry import Difference, Registry, compare
from workbench.restarts import Probation
from workbench.scope import Proposal, Scope, no_match, propose
from workbench.store.state import State
from workbench.store.store import Change, Committed

CONFIRM_WAIT_SECONDS = 30.0
"""How long a pause waits for its automations to have seen it (SEMANTICS 5)."""


class Control(Commander):
    """Gives commands to one store; each call opens and closes its own connection, so any thread may call."""

    @property
    def desk(self) -> SignoffDesk:
        """The sign-offs that wait, and the way to give one."""
        return SignoffDesk(self)

    def preview(self, scope_text: str, mode: Mode = Mode.FREEZE) -> Preview:
        """Return what a pause of the scope would cover; raises NoMatch when that is nothing."""
        state = self.store.state()
        known = state.automations.values()
        scope = Scope.parse(scope_text, known)
        covered = covered_by(scope, state)
        if not covered and not scope.is_everything:
            raise no_match(scope, known)
        return self._preview(state, scope, mode)

    def told(self, scope_text: str, *, cause: StorageUnavailable) -> Told:
        """Return what a pause by the spool would cover; raises NoMatch, and `cause` where no gate was ever told."""
        return self.intake.told(scope_text, cause=cause)

    def spool_words(self) -> str:
        """Say which pauses the spools hold while the store cannot record them; empty where none waits."""
        return self.intake.words()

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
        except (StorageUnavailable, MemoryError) as exc:
            asker = Asker(self.role, now)
            raise self.intake.keep(request, used_id, asker=asker, cause=exc) from exc
        hold = done.state.holds[_result(done, "hold.place")]
        lookout = lookout_after(self.store, done, hold=hold, now=now)
        targets = self._follow(lookout, hold, wait_seconds=wait_seconds, on_progress=on_progress)
        self._record_observation(hold, targets)
        return PauseReceipt(
            hold=hold,
            preview=self._preview_of(done.state, hold),
            targets=targets,
            head=head_after(self.store, done),
            publication_fault=done.publication_fault,
            is_repeat=done.is_repeat,
            gate_folder=str(self.store.gate_folder),
            hosts=reading.host_views(lookout.elsewhere(), hold.placed_seq),
            has_more_hosts=lookout.hosts.is_cut,
        )

    def _follow(
        self,
        lookout: Lookout,
        hold: Hold,
        *,
        wait_seconds: float,
        on_progress: Callable[[tuple[Target, ...]], None] | None,
    ) -> tuple[Target, ...]:
        """Deliver to engines and look at gates until all that can confirm have."""
        with self.fleet.following(is_waiting=wait_seconds > 0) as look:
            return watch(
                lambda: look(lookout.targets(), hold),
                wait_seconds=wait_seconds,
                on_progress=on_progress,
            )

    def targets(self, hold_id: str) -> tuple[Target, ...]:
        """Return how far a hold has come at each automation, those not yet there first."""
        state = self.store.state()
        if hold_id not in state.holds:
            raise NotFound(
                f"There is no hold {hold_id}.", next_step="try `workbench hold list --all`"
            )
        hold = state.holds[hold_id]
        return self.fleet.joined(Lookout(self.store, state, hold=hold).targets(), hold)

    def observe(self, hold_id: str) -> tuple[Target, ...]:
        """Look at a standing hold again and record what is new, so that it can be proved later."""
        hold = standing_hold(self.store.state(), hold_id)
        targets = self.targets(hold_id)
        self._record_observation(hold, targets)
        return self.targets(hold_id) if any(t.unrecorded for t in targets) else targets

    def look(self) -> str:
        """Record what gates say of the standing holds and the log does not yet; returns why not, or nothing.

        A process asks when it asks: often after the pause has ended, when nobody watches any more. On a
        recorded clock nothing is recorded, for gates go by the machine's own.
        """
        if isinstance(self.clock, FixedClock):
            return ""
        return record_sightings(
            self.store,
            self.fleet,
            clock=self.clock,
            command_id=self.new_id(None),
            anchor=self.anchor,
        )

    def resume_narrow(self, request: ResumeRequest, *, command_id: str | None = None) -> Probation:
        """Let part of a hold through for a number of runs; the hold stays.

        Raises Refused without a decision or break-glass reason, when the decision does not cover it, and when
        what it rests on was not loaded since.
        """
        done = self._resume(request, command_id, is_full=False)
        return done.state.probations[_result(done, "probation.start")]

    def resume_full(self, request: ResumeRequest, *, command_id: str | None = None) -> Hold:
        """Release a hold; other holds on the same automations stay. Raises Refused as narrow does."""
        done = self._resume(request, command_id, is_full=True)
        return done.state.holds[_result(done, "hold.release")]

    def _resume(
        self, request: ResumeRequest, command_id: str | None, *, is_full: bool
    ) -> Committed:
        if (request.only is None) is not is_full:
            raise UsageFault("A narrow restart names a part with `only`; a full one names none.")
        now, found, tickets = self.clock.now(), None, TicketOffice(self.store)
        command = request.command(self.new_id(command_id))
        state = self.store.state()
        if command.command_id not in state.commands:
            self._refuse_catch_up(request)
        if request.decision_id and command.command_id not in state.commands:
            looked_at = decide_resume(self.trusted_state(state), request, now=now, tickets=tickets)
            opening = opening_of(looked_at)
            question = question_about(state, opening, now=now)
            found = self.evidence(question) if question else None

        def decided(state: State, who: Who) -> Change:
            change = decide_resume(
                self.trusted_state(state),
                request,
                now=now,
                tickets=tickets,
                actor=who.text,
            )
            signed = with_signoff(state, change, who=who, now=now)
            return with_evidence(state, signed, found=found, now=now)

        return self.transact(command, decided)

    def decide(self, request: DecideRequest, *, command_id: str | None = None) -> Decision:
        """Record a person's decision about a report; raises Refused when it cannot be decided on."""
        now = self.clock.now()
        done = self.transact(
            request.command(self.new_id(command_id)),
            lambda s, who: decide_decision(s, request, who=who, now=now),
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

    def apply_registry(
        self, registry: Registry, *, already_running: str = "", command_id: str | None = None
    ) -> int:
        """Record what a registry changes and return the number of events.

        What is new in production and not ready is held, or taken over as `already_running`, with that reason.
        """
        now, told = self.clock.now(), {"already_running": already_running}
        command = registry_command(registry, self.new_id(command_id), **told)
        done = self.transact(
            command, lambda s, who: decide_registry(s, registry, who=who, now=now, **told)
        )
        return len(done.events)

    def forecast(self, request: ResumeRequest) -> tuple[str, ...]:
        """Say what a resume would start in engines, a sentence for each target; nothing without engines."""
        return self.fleet.forecast(
            self._named(request), request.catch_up, rate=request.rate_per_minute
        )

    def _named(self, request: ResumeRequest) -> list[str]:
        state = self.store.state()
        ids: Set[str] = state.covered.get(request.hold_id, frozenset())
        if request.only is not None:
            only = Scope.parse(request.only, state.automations.values())
            ids = {i for i in ids if i in state.automations and only.covers(state.automations[i])}
        return sorted(ids)

    def _refuse_catch_up(self, request: ResumeRequest) -> None:
        """Refuse a choice that an engine says it cannot carry out, before anything is recorded."""
        if not request.catch_up:
            return
        named, known = self._named(request), self.store.state().automations
        if named and not any(i in known and known[i].engine for i in named):
            raise Refused(
                f"No engine runs {', '.join(named)}: who only asks the gate starts by itself, and nothing there skips "
                "or makes up starts.",
                next_step="leave `--catch-up` out",
            )
        if why := self.fleet.catch_up_faults(named, request.catch_up):
            raise Refused(
                f"This cannot be had where it runs: {'; '.join(why)}.",
                next_step="choose another `--catch-up`, or leave it out for the engine's own way",
            )

    def left_out(self, probation: Probation) -> tuple[str, ...]:
        """Return what a narrow restart names and does not let through: automations that do not ask the gate."""
        state = self.store.state()
        named, scope = state.covered[probation.hold_id], Scope.parse(probation.scope)
        found = [
            a for a in state.automations.values() if a.automation_id in named and scope.covers(a)
        ]
        return tuple(sorted(a.automation_id for a in found if not a.asks_gate and not a.is_retired))

    def bring_back(self) -> tuple[str, ...]:
        """Deliver to engines what a resume opened, and say what is not there yet."""
        return self.fleet.bring_back()

    def holds(self, *, include_released: bool = False) -> tuple[HoldView, ...]:
        """Return the holds as screens show them, newest first."""
        state = self.store.state()
        return reading.hold_views(
            state,
            Counter.of(self.store, state),
            now=self.clock.now(),
            include_released=include_released,
        )

    def status(self) -> Status:
        """Return the state of every automation, the holds, and what is flagged."""
        return reading.status(self.store, self.clock.now())

    def card(self, scope_text: str) -> Card:
        """Return the page about stopping and restarting a scope; raises NoMatch when it covers nothing."""
        preview = self.preview(scope_text)
        return reading.card(self.store, preview, now=self.clock.now())

    def _record_observation(self, hold: Hold, targets: Iterable[Target]) -> None:
        # The pause itself is durable already; what was seen of it can be looked at again.
        with contextlib.suppress(OSError, WorkbenchError):
            found = observation_command(
                self.store.state(),
                targets,
                hold=hold,
                command_id=self.new_id(None),
                now=self.clock.now(),
            )
            if found is not None:
                command, decided = found
                self.store.transact(command, decided, after_commit=self.anchor)

    def _preview_of(self, state: State, hold: Hold) -> Preview:
        return self._preview(state, Scope.parse(hold.scope), hold.mode, except_hold=hold.hold_id)

    def _preview(self, state: State, scope: Scope, mode: Mode, *, except_hold: str = "") -> Preview:
        covered = covered_by(scope, state)
        held = tuple(
            a.automation_id
            for a in covered
            if any(hold.hold_id != except_hold for hold in state.holds_on(a.automation_id))
        )
        stopped, notes = self.fleet.stopped(covered, mode), self.fleet.notes(covered, mode)
        return Preview(scope, mode, covered, held, stopped, notes)


def _result(done: Committed, action: str) -> str:
    """Return the id that a command made; endings of narrow restarts may stand beside it."""
    return next(event.target for event in done.events if event.action == action)

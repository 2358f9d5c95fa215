"""Pauses that the store cannot take: kept in the spool, held by gates at once, recorded when the store can."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.clock import from_text, to_text
from workbench.control.actor import actor_text
from workbench.control.ending import with_endings
from workbench.control.placing import PauseRequest, decide_pause, reasonless
from workbench.errors import (
    Conflict,
    NothingPaused,
    Spooled,
    StorageUnavailable,
    WorkbenchError,
)
from workbench.records import Automation, Mode, Purpose
from workbench.scope import Scope, no_match
from workbench.snapshot import SnapshotFault, read_snapshot, store_digest
from workbench.spool import Spool, SpooledPause, SpoolFault, tell_gates
from workbench.store.state import State
from workbench.store.store import Change, Command, Committed, Store

_SHOWN = 12

NO_MEMORY = "There was no memory left to record it."


@dataclass(frozen=True)
class Asker:
    """Who asks for a pause, and when; the role is not checked, for that the store would be needed."""

    role: str | None
    now: datetime

    @property
    def text(self) -> str:
        """How the log names the person."""
        who = actor_text(None, {}, note="spooled")
        return f"{self.role} ({who})" if self.role else who


@dataclass(frozen=True)
class Emergency:
    """A pause that the store did not take.

    Attributes:
        folders: where spools are: the gate folder first, then others.
        automations: what is registered, where the store could still be read; else None.
    """

    request: PauseRequest
    command_id: str
    folders: Sequence[Path]
    asker: Asker
    automations: Sequence[Automation] | None = None


@dataclass(frozen=True)
class Told:
    """What a pause would cover by what gates were told last: all that is known while the store cannot be asked.

    Attributes:
        scope: as it was understood.
        cause: why the store cannot be used.
    """

    gate_folder: Path
    store_id: str
    scope: Scope
    automation_ids: tuple[str, ...]
    cause: str


def told_by_gates(gate_folder: Path, scope_text: str, *, cause: StorageUnavailable) -> Told:
    """Return what gates say that a scope covers; raises `cause` where nothing was ever published to them."""
    store_id, known = published_automations(gate_folder)
    if not store_id:
        raise nothing_paused(cause) from cause
    scope = Scope.parse(scope_text, known)
    ids = tuple(a.automation_id for a in scope.select(known))
    return Told(gate_folder, store_id, scope, ids, cause.message)


def spooled(asked: Emergency, cause: StorageUnavailable) -> WorkbenchError:
    """Keep a pause in the first spool that takes it, and return what to raise: Spooled, or why nothing holds.

    Raises NoMatch where the scope covers nothing that is known.
    """
    gate_folder = asked.folders[0]
    store_id, told = published_automations(gate_folder)
    known = told if asked.automations is None else asked.automations
    if not store_id:
        return nothing_paused(cause)  # nothing can be read here, so no gate would read a spool
    pause = _pause_of(asked, known)
    faults = []
    for folder in asked.folders:
        spool = Spool(folder, store_digest(store_id))
        try:
            spool.make()
            spool.write(pause)
        except SpoolFault as exc:
            faults.append(str(exc))
            continue
        tell_gates(gate_folder)
        return Spooled(
            f"The pause is spooled, NOT recorded: {cause.message} Gates of {gate_folder} read "
            f"{spool.path} and now hold {_names(pause)}.",
            next_step=f"{cause.then}; the next command that works records it as a hold. "
            "What does not ask a gate of this folder is NOT stopped",
        )
    return nothing_paused(cause, f" No spool took it either: {'; '.join(faults)}.")


def nothing_paused(cause: StorageUnavailable, more: str = "") -> NothingPaused:
    """Return what is said where neither the store nor a spool took a pause."""
    return NothingPaused(
        f"NOTHING is paused: {cause.message}{more}",
        next_step=f"stop by hand what must not run, then {cause.then}",
    )


def published_automations(gate_folder: Path) -> tuple[str, tuple[Automation, ...]]:
    """Return store id and automations as gates were told them; empty where nothing can be read."""
    try:
        published = read_snapshot(gate_folder)
    except SnapshotFault:
        return "", ()
    return published.store_id, tuple(
        _automation(name, values) for name, values in published.scopes.items()
    )


def _automation(automation_id: str, values: Mapping[str, list[str]]) -> Automation:
    """Return what a scope needs to know of an automation, as it was published."""
    one = {key: found[0] for key, found in values.items() if found}
    return Automation(
        automation_id,
        kind=one.get("kind", ""),
        category=one.get("category", ""),
        environment=one.get("environment", ""),
        owner=one.get("owner", ""),
        engine=one.get("engine", ""),
        provider=one.get("provider", ""),
        tools=tuple(values.get("tool", ())),
    )


def _pause_of(asked: Emergency, known: Sequence[Automation]) -> SpooledPause:
    request = asked.request
    if not request.reason.strip():
        raise reasonless(request.scope)
    command = request.command(asked.command_id)
    scope = Scope.parse(request.scope, known)
    ids = [a.automation_id for a in scope.select(known)]
    named = dict(scope.terms).get("automation") if len(scope.terms) == 1 else None
    if not ids and named and (request.is_unregistered or not known):
        ids = [named]
    if not ids and not scope.is_everything:
        raise no_match(scope, known)
    return SpooledPause(
        command_id=asked.command_id,
        request=command.content,
        automation_ids=tuple(ids),
        is_everything=scope.is_everything,
        actor=asked.asker.text,
        written_at=to_text(asked.asker.now),
    )


def _names(pause: SpooledPause) -> str:
    if pause.is_everything:
        return "everything"
    ids = pause.automation_ids
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return f"{', '.join(ids[:_SHOWN])}{more}"


def waiting_words(folders: Sequence[Path]) -> str:
    """Say which pauses wait in the spools of a store that cannot be used: gates hold them all the same."""
    store_id, _ = published_automations(folders[0])
    found = [Spool(folder, store_digest(store_id)).read() for folder in folders if store_id]
    pauses = {pause.command_id: pause for one in found for pause in one.pauses}
    said = [f"{_names(pause)} since {pause.written_at[:19]}Z" for pause in pauses.values()]
    doubts = [one.doubt for one in found if one.doubt]
    words = f"The spool holds, and gates obey, a pause of {'; of '.join(said)}." if said else ""
    return " ".join([*([words] if words else []), *(f"{doubt}." for doubt in doubts)])


class Intake:
    """Takes into one store what waits in its spools."""

    def __init__(self, store: Store, folders: Sequence[Path]) -> None:
        """Remember store and folders; nothing is read yet."""
        self._store = store
        self._folders = folders
        self._spools: list[Spool] | None = None
        self._seen: dict[Path, int] = {}

    def keep(
        self,
        request: PauseRequest,
        command_id: str,
        *,
        asker: Asker,
        cause: StorageUnavailable | MemoryError,
    ) -> WorkbenchError:
        """Keep a pause that the store did not take; returns what to raise, as `spooled` does.

        A slot needs next to no memory; where the pause was recorded all the same, its id makes one of both.
        """
        why = cause if isinstance(cause, StorageUnavailable) else StorageUnavailable(NO_MEMORY)
        known = None
        # Without a store or the memory for it, what gates were told names the automations.
        with contextlib.suppress(StorageUnavailable, MemoryError):
            known = tuple(self._store.state().automations.values())
        asked = Emergency(request, command_id, self._folders, asker, known)
        return spooled(asked, why)

    def told(self, scope_text: str, *, cause: StorageUnavailable) -> Told:
        """Return what gates here say that a scope covers; raises NoMatch where that is nothing they know."""
        told = told_by_gates(self._folders[0], scope_text, cause=cause)
        if not told.automation_ids and not told.scope.is_everything:
            raise no_match(told.scope, published_automations(told.gate_folder)[1])
        return told

    def words(self) -> str:
        """Say which pauses wait in the spools; empty where none does."""
        return waiting_words(self._folders)

    def waiting(self) -> list[tuple[Spool, SpooledPause]]:
        """Return the pauses that wait, each with the spool it is in."""
        return [(spool, pause) for spool in self.spools() for pause in spool.read().pauses]

    def spools(self) -> list[Spool]:
        """Return the spools of the store; raises StorageUnavailable where it cannot be read."""
        if self._spools is None:
            digest = store_digest(self._store.meta()["store_id"])
            self._spools = [Spool(folder, digest) for folder in self._folders]
        return self._spools

    def take_in(self, now: datetime) -> list[Committed]:
        """Record each pause that waits, once, and free its slot when gates have the hold.

        What cannot be recorded now stays where it is, and gates go on holding it.
        """
        done = []
        for spool in self._changed():
            for pause in spool.read().pauses:
                with contextlib.suppress(SpoolFault, WorkbenchError):
                    committed = self._record(pause, now)
                    done.append(committed)
                    if not committed.publication_fault:
                        spool.free(pause.command_id)
                        tell_gates(self._store.gate_folder)
            if not spool.read().pauses:
                self._seen[spool.path] = spool.change_count()
        return done

    def _changed(self) -> Iterator[Spool]:
        """Give the spools that have changed since they were last seen empty.

        Each is looked at once: a power loss may leave a pause on the disk without the count that told of it.
        """
        for spool in self.spools():
            if spool.change_count() != self._seen.get(spool.path):
                yield spool

    def _record(self, pause: SpooledPause, now: datetime) -> Committed:
        def decide(state: State) -> Change:
            change = decide_spooled(state, pause, now=now)
            return with_endings(state, change, store=self._store, now=now)

        try:
            return self._store.transact(Command(pause.command_id, pause.request), decide)
        except Conflict:
            # Somebody used the id for another command meanwhile; what was asked for stands all the same.
            other = Command(f"spooled-{pause.command_id}", pause.request)
            return self._store.transact(other, decide)


def decide_spooled(state: State, pause: SpooledPause, *, now: datetime) -> Change:
    """Return the event of a hold that gates have held since it was spooled; it covers what it covered then."""
    request = request_of(pause.request)
    change = decide_pause(
        state, request, actor=pause.actor, now=now, also_covered=pause.automation_ids
    )
    when = {"spooled_at": pause.written_at}
    return replace(
        change, drafts=[replace(d, payload={**(d.payload or {}), **when}) for d in change.drafts]
    )


def request_of(content: Mapping[str, Any]) -> PauseRequest:
    """Return the request that a pause command was made of."""
    review_by = content.get("review_by") or ""
    return PauseRequest(
        scope=str(content["scope"]),
        reason=str(content["reason"]),
        mode=Mode(content["mode"]),
        purpose=Purpose(content["purpose"]),
        incident_id=str(content.get("incident_id", "")),
        review_by=from_text(review_by) if review_by else None,
        is_unregistered=content.get("is_unregistered") is True,
    )

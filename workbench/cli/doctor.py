"""`workbench doctor`: what is wrong with this set-up, and what to do about each thing."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from workbench.cli.doctor_anchors import behind_words
from workbench.cli.doctor_clock import clock_words
from workbench.cli.doctor_engines import engine_words, named_engines
from workbench.cli.doctor_moved import left_gate_words
from workbench.cli.doctor_telling import telling_words
from workbench.cli.present import (
    as_json,
    demo_words,
    head_line,
    printable,
    say_unrecorded,
    table,
)
from workbench.control import open_control
from workbench.control.flagging import ENROL_ANOTHER, why_alone, why_unsigned
from workbench.control.reading import host_views
from workbench.errors import WorkbenchError
from workbench.presence import read_presences
from workbench.records import HeadNote
from workbench.settings import Settings
from workbench.store import open_store
from workbench.store.anchors import read_notes
from workbench.store.audit import AuditResult, verify_store
from workbench.store.connection import library_version
from workbench.store.descent import WAY_OUT
from workbench.store.place import filesystem_type
from workbench.store.state import State
from workbench.store.store import MOVED_TO, Store

SQLITE_FIXED = (
    ((3, 44, 6), (3, 45)),
    ((3, 50, 7), (3, 51)),
    ((3, 51, 3), (3, 52)),
    ((3, 53), (4,)),
)
"""Versions from and below, that have no WAL-reset bug: it is in 3.7.0 to 3.51.2 and loses committed writes
(sqlite.org, release history, 3.53.0 item 1, with its back-ports)."""


ASKED_WITHIN = timedelta(minutes=1)
"""How long ago an automation may have asked to count as asking now."""


MOST_SKEW_SECONDS = 5.0
"""How far a host's clock may be from the store's before it is named."""


_MEND_STORE = (
    "see that the disk has room and that the folder and its files can be read and written; "
    "else restore from a copy"
)
"""What to do about a store whose error names no step of its own: asking the doctor again is none."""


_WARNING = "WARNING, "
"""Begins a finding that stops nothing and should be mended all the same."""


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: what was looked at, whether it is well, and what to do."""

    about: str
    is_well: bool
    finding: str
    next_step: str = ""

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """What the table shows: one word for how it is, so that nothing reads as well with a warning behind it."""
        if not self.is_well:
            return self.about, "WRONG", self.finding, self.next_step
        said = self.finding.removeprefix(_WARNING)
        return self.about, "well" if said == self.finding else "WARNING", said, self.next_step


@click.command()
@click.option("--json", "is_json", is_flag=True, help="Machine-readable output.")
def command(is_json: bool) -> int:
    """Look at store, gate, registry, engines and warehouse. Exit code 15 where something is wrong."""
    settings = Settings.from_environment()
    found, head = examine(settings)
    if head is not None:
        with contextlib.suppress(WorkbenchError):  # what is wrong is said below
            say_unrecorded(open_control(settings).look())
    if is_json:
        click.echo(as_json([finding.__dict__ for finding in found]))
    else:
        click.echo(f"{demo_words(settings)}store {printable(settings.place)}")
        click.echo(printable(table(["about", "is", "finding", "next"], [f.cells for f in found])))
        if head is not None:
            head_line(head)
    return 0 if all(finding.is_well for finding in found) else 15


def examine(settings: Settings) -> tuple[list[Finding], HeadNote | None]:
    """Return what was found, worst things included, and the log head where there is a store."""
    found = [] if settings.store_url else [_library_finding()]
    try:
        store = open_store(settings, settings.clock())
        result = verify_store(store, anchors=settings.anchor_folders)
    except WorkbenchError as exc:
        then = _MEND_STORE if exc.then == WorkbenchError.next_step else exc.then
        return [*found, Finding("store", False, exc.message, then)], None
    found += [
        _place_finding(settings, store),
        Finding(
            "audit log",
            result.is_ok,
            result.finding,
            "" if result.is_ok else "keep the store as it is; `audit verify --head` compares",
        ),
        _schema_finding(result),
        *_rights_findings(store),
        *_file_findings(store, is_server=settings.store_url is not None),
        Finding("clock", *clock_words(settings, store)),
        _anchor_finding(settings, store, result),
        _gate_finding(settings, store),
        *(Finding(*words) for words in left_gate_words(settings, store)),
        *_host_findings(store),
        _keys_finding(store.state(), settings.clock().now()),
        *_registry_findings(settings, store),
        *(Finding(*words) for words in engine_words(settings, store)),
        Finding("notifications", *telling_words(settings, store)),
        _warehouse_finding(settings.home / "warehouse"),
    ]
    return found, result.head


def _place_finding(settings: Settings, store: Store) -> Finding:
    """Say where the store is, and whether it is somewhere else by now."""
    if moved_to := store.meta().get(MOVED_TO):
        gone = f"{settings.place} was moved to {moved_to}; nothing is recorded here any more"
        return Finding("store", False, gone, "let WORKBENCH_STORE name the new place")
    if settings.store_url is not None:
        return Finding("store", True, settings.place)
    kind = filesystem_type(settings.store) or "an unknown file system"
    return Finding("store", True, f"{settings.store} on {kind}")


def _library_finding() -> Finding:
    version = library_version()
    mend = "" if has_wal_fix(version) else "install apsw 3.51.3 or newer"
    return Finding("SQLite", not mend, f"version {version}", mend)


def _schema_finding(result: AuditResult) -> Finding:
    """Say whether triggers, columns, indexes and rights are those that the migrations made."""
    if result.broken_at is not None:
        return Finding("schema", True, "not looked at: the log comes first")
    weak = "; ".join(result.weakened_by)
    beside = "; ".join(one.finding for one in result.drift if one.is_harmless)
    if weak:
        mend = "find out who did it, then `workbench store migrate --to PLACE` makes it whole"
        return Finding("schema", False, weak, mend)
    return Finding("schema", True, f"WARNING, {beside}" if beside else "as the migrations made it")


def _rights_findings(store: Store) -> list[Finding]:
    """Say who may change the log on a server; that commands are given as one of them is a warning."""
    found = store.changers()
    if not found:
        return []
    said = ", ".join(map(str, found))
    own = [who.role for who in found if who.is_own]
    if not own:
        return [Finding("who may change the log", True, said)]
    mend = "give commands as a member of workbench_writer, who may add events and nothing else"
    return [Finding("who may change the log", True, f"WARNING, also you as {own[0]}: {said}", mend)]


def _file_findings(store: Store, *, is_server: bool) -> list[Finding]:
    """Say what the database finds wrong with itself: the file's rows, or the server's settings."""
    faults = "; ".join(store.faults())
    if is_server:
        mend = "turn them on: a commit there may not outlive a power loss" if faults else ""
        return [Finding("store server", not faults, faults or "syncs what it acknowledges", mend)]
    mend = "restore from a copy" if faults else ""
    return [Finding("store file", not faults, faults or "SQLite finds it whole", mend)]


def has_wal_fix(version: str) -> bool:
    """Tell whether a version of SQLite is free of the WAL-reset bug; what cannot be read is not."""
    try:
        found = tuple(int(part) for part in version.split("."))
    except ValueError:
        return False
    return any(since <= found < below for since, below in SQLITE_FIXED)


def _anchor_finding(settings: Settings, store: Store, result: AuditResult) -> Finding:
    """Say whether checkpoints lie where who may write the store cannot change them at the same time."""
    folders = [folder for folder in settings.anchor_folders if folder.exists()]
    where = ", ".join(str(folder) for folder in settings.anchor_folders)
    vouched = result.anchored
    if result.broken_at is not None and (count := _note_count(settings, store)):
        said = f"{count} checkpoint{'' if count == 1 else 's'} in {where} saw the log before"
        return Finding("anchors", True, said, "keep them: they show what the log was")
    if not folders or not vouched.note_count:
        said = f"WARNING, none yet in {where}; nothing outside of the store vouches for it"
        mend = "any command that records something makes one, where the folder can be written"
        return Finding("anchors", True, said, mend)
    if vouched.size < result.event_count:
        return Finding("anchors", *behind_words(settings, store, result=result))
    device = None if settings.store_url else settings.store.stat().st_dev
    if all(folder.stat().st_dev == device for folder in folders):
        mend = "let WORKBENCH_ANCHORS name a folder on another disk or host as well"
        return Finding("anchors", True, f"WARNING, all on the disk of the store: {where}", mend)
    missing = len(settings.anchor_folders) - len(folders)
    lost = f", {missing} of these folders not there" if missing else ""
    return Finding("anchors", not missing, f"{where}: {vouched.note_count} checkpoints{lost}")


def _note_count(settings: Settings, store: Store) -> int:
    """Count the checkpoints of a log that is broken, with which they were not compared."""
    notes = read_notes(settings.anchor_folders, store.meta().get("store_id", ""))
    return len({note for _, _, note in notes})


def _gate_finding(settings: Settings, store: Store) -> Finding:
    """Say which gate folder this store publishes to, whether it has all, and who asks there."""
    state = store.state()
    copied, fault = store.copy_fault(state), store.publication_fault(state)
    since = datetime.now(UTC) - ASKED_WITHIN  # processes report by the machine's own clock
    said = read_presences(settings.gate)
    asked = sum(any(p.asked_at >= since for p in found) for found in said.values())
    position = fault or f"{settings.gate} at event {state.seq}"
    mend = "make the gate folder writable, then run any command" if fault else ""
    asking = f"{asked} automation{'' if asked == 1 else 's'} asked there in the last minute"
    return Finding("gate", not fault, f"{position}; {asking}", WAY_OUT if copied else mend)


def _host_findings(store: Store) -> list[Finding]:
    """Say which hosts report, which have fallen silent, and whose clock is wrong."""
    state = store.state()
    hosts = store.hosts(state)
    found = []
    for view in host_views(hosts, state.seq):
        host, skew = view.host, view.host.skew_seconds
        about = f"host {view.label}"
        mend = f"start `workbench mirror --watch` there, or `workbench mirror forget {view.label} --reason TEXT`"
        if abs(skew) > MOST_SKEW_SECONDS:
            side = "ahead of" if skew > 0 else "behind"
            said = f"its clock is {abs(skew):.0f} s {side} the store's"
            found.append(Finding(about, False, said, "let the host keep its time (NTP, chrony)"))
        found.append(Finding(about, not host.is_silent, view.sentence, mend * host.is_silent))
    if hosts.is_cut:
        said = "there are more hosts than can be looked at, so no pause can be confirmed"
        found.append(Finding("hosts", False, said, "strike off those that are gone"))
    return found


def _keys_finding(state: State, now: datetime) -> Finding:
    """Say who can sign, and where policy asks for it and nobody can."""
    live = [key for key in state.keys.values() if key.is_live(max(now, state.newest_at or now))]
    if why := why_unsigned(state, now=now):
        mend = (
            "`workbench key new`, then `workbench key enrol PUBLIC-KEY --person NAME --role ROLE`"
        )
        return Finding("keys", False, why, mend)
    if why := why_alone(state, now=now):
        return Finding("keys", True, f"WARNING, {why}", ENROL_ANOTHER)
    persons = len({key.person for key in live})
    said = f"{len(live)} of {persons} person{'' if persons == 1 else 's'}" if live else "none"
    return Finding("keys", True, f"{said}; {len(state.keys) - len(live)} revoked or expired")


def _registry_findings(settings: Settings, store: Store) -> list[Finding]:
    known = [a for a in store.state().automations.values() if not a.is_retired]
    if not known:
        return [
            Finding(
                "registry",
                False,
                "no automation is registered",
                "run `workbench registry apply FILE`",
            )
        ]
    reached = named_engines(settings)
    deaf = sorted(a.automation_id for a in known if not a.asks_gate and a.engine not in reached)
    orphans = sorted(a.automation_id for a in known if not a.restart_owner)
    return [
        Finding("registry", True, f"{len(known)} automations"),
        Finding(
            "reach of a pause",
            not deaf,
            f"not stopped by a hold: {', '.join(deaf) or 'none'}",
            "let them ask the gate, or name their engine in the file of engines" if deaf else "",
        ),
        Finding(
            "restart owners",
            not orphans,
            f"unclear for: {', '.join(orphans) or 'none'}",
            "name a restart_owner" if orphans else "",
        ),
    ]


def _warehouse_finding(folder: Path) -> Finding:
    manifest = folder / "manifest.json"
    if not manifest.exists():
        return Finding(
            "warehouse", True, "nothing loaded yet", "run `workbench load` or `workbench sync`"
        )
    try:
        version = json.loads(manifest.read_bytes())["version"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as exc:
        return Finding(
            "warehouse",
            False,
            f"{manifest} cannot be read: {type(exc).__name__} {exc}",
            "load again into an empty folder",
        )
    return Finding("warehouse", True, f"version {version} in {folder}")

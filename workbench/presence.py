"""Which processes ask the gate, which log position they have seen, and what they have in flight.

Each process keeps one small file per automation in the gate folder. A hold on an automation that is
stopped only by the gate is confirmed by these files: the process has seen the hold's position. A process
of another pid namespace (a container that shares the folder) cannot be looked up here: it counts as alive.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workbench.clock import from_text
from workbench.slug import SLUG
from workbench.snapshot import SEEN_FOLDER

REFRESH_SECONDS = 1.0
"""How often a process that keeps asking renews the time of its file."""

KEEP_DEAD_SECONDS = 600.0
"""How long the file of a process that ended is kept: it may still prove that the process had seen a hold."""

KEEP_CUT_OFF_SECONDS = 86_400.0
"""How long it is kept where the process ended inside of a run: somebody has to see what that run did."""


@dataclass(frozen=True)
class Presence:
    """What one process said of one automation.

    Attributes:
        seen_seq: newest log position it has read; None while it could read none.
        seen_at: when it first read that position.
        asked_at: when it last asked (to about a second).
        in_flight: ids of the runs that it is inside of; of a process that ended, those that were cut off.
        is_alive: the process, or one that carries out its run, still runs here, or nobody here can tell.
        unnamed_count: runs in flight besides, where another host told their number alone.
    """

    automation_id: str
    pid: int
    seen_seq: int | None
    seen_at: datetime
    asked_at: datetime
    in_flight: tuple[str, ...]
    is_alive: bool
    unnamed_count: int = 0

    @property
    def in_flight_count(self) -> int:
        """How many runs it is inside of."""
        return len(self.in_flight) + self.unnamed_count


class Reporter:
    """Writes this process's presence; never lets a failure reach the automation.

    There is one for each folder (`reporter_of`), whatever the number of gate objects: a second one would
    write over what the first one has in flight.
    """

    def __init__(self, folder: Path) -> None:
        """Report into a gate folder."""
        self._folder = folder / SEEN_FOLDER
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[int | None, str]] = {}
        self._runs: dict[str, list[str]] = {}
        self._hands: dict[str, list[tuple[int, str]]] = {}
        self._written_at: dict[str, float] = {}
        self._own = _NOBODY
        self.last_fault = ""

    def start_again(self) -> None:
        """Forget everything, in a forked child: it speaks for itself, not for its parent's runs."""
        self._lock = threading.Lock()
        self._seen, self._runs, self._hands, self._written_at = {}, {}, {}, {}
        self._own = _NOBODY

    def asked(self, automation_id: str, seq: int | None) -> None:
        """Note that an automation asked, writing only when there is something new to say."""
        known = self._seen.get(automation_id)
        is_same = known is not None and known[0] == seq
        if (
            is_same
            and time.monotonic() - self._written_at.get(automation_id, 0.0) < REFRESH_SECONDS
        ):
            return
        with self._lock:
            if not is_same:
                self._seen[automation_id] = (seq, datetime.now(UTC).isoformat())
            self._write(automation_id)

    def started(self, automation_id: str, run_id: str, *, seq: int | None) -> None:
        """Note that a run is in flight."""
        with self._lock:
            if automation_id not in self._seen or self._seen[automation_id][0] != seq:
                self._seen[automation_id] = (seq, datetime.now(UTC).isoformat())
            self._runs.setdefault(automation_id, []).append(run_id)
            self._write(automation_id)

    def finished(self, automation_id: str, run_id: str) -> None:
        """Note that a run has ended."""
        with self._lock:
            with contextlib.suppress(ValueError):
                self._runs.get(automation_id, []).remove(run_id)
            if not self._runs.get(automation_id):
                self._hands.pop(automation_id, None)
            self._write(automation_id)

    def carried_out_by(self, automation_id: str, pid: int) -> None:
        """Note a process that carries out a run for this one: it may outlive it, and is in flight then."""
        with self._lock:
            self._hands.setdefault(automation_id, []).append((pid, started_ticks(pid)))
            self._write(automation_id)

    def _write(self, automation_id: str) -> None:
        if not SLUG.fullmatch(automation_id):
            self.last_fault = f"{automation_id!r:.80} is not an id"
            return  # such a name can lead out of the folder, and no hold can name it
        if self._own[0] != os.getpid():
            self._own = _own()
        pid, started, namespace = self._own
        seq, seen_at = self._seen.get(automation_id, (None, datetime.now(UTC).isoformat()))
        body = {
            "automation_id": automation_id,
            "pid": pid,
            "started": started,
            "pid_namespace": namespace,
            "seen_seq": seq,
            "seen_at": seen_at,
            "asked_at": datetime.now(UTC).isoformat(),
            "in_flight": self._runs.get(automation_id, []),
            "carried_out_by": self._hands.get(automation_id, []),
        }
        who = f"{automation_id}.{pid}-{namespace}"
        path = os.path.join(self._folder, f"{who}.json")
        temporary = os.path.join(self._folder, f".{who}")
        try:
            if automation_id not in self._written_at:
                _forget_the_dead(self._folder, automation_id)
            with open(temporary, "wb") as file:
                file.write(json.dumps(body).encode())
            os.replace(temporary, path)
            self.last_fault = ""
        except OSError as exc:
            # The gate must answer even where it may not write; the automation then stays UNCONFIRMED.
            self.last_fault = f"{path}: {exc.strerror}"
        self._written_at[automation_id] = time.monotonic()


_NOBODY = (0, "", "")
_reporters: dict[Path, Reporter] = {}


def reporter_of(folder: Path) -> Reporter:
    """Return the one reporter of this process for a gate folder."""
    return _reporters.setdefault(Path(os.path.realpath(folder)), Reporter(folder))


def pid_namespace() -> str:
    """Return the number of this process's pid namespace; empty where the kernel tells none."""
    try:
        found = os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    return "".join(c for c in found if c.isdecimal())


def _own() -> tuple[int, str, str]:
    """Return what this process is known by, which changes with a fork alone: asked once, not at each report."""
    pid = os.getpid()
    return pid, started_ticks(pid), pid_namespace()


def _forget_the_dead(folder: Path, automation_id: str) -> None:
    """Take away what processes said that ended a while ago, so that an automation run by cron leaves little."""
    now = time.time()
    for path in folder.glob(f"{automation_id}.*.json"):
        pid, _, namespace = path.name[len(automation_id) + 1 : -len(".json")].partition("-")
        if not pid.isdecimal():
            continue  # of an automation whose id begins with this one
        if namespace and namespace != pid_namespace():
            continue  # nobody here can tell whether it ended
        with contextlib.suppress(OSError):
            age = now - path.stat().st_mtime
            if age < KEEP_DEAD_SECONDS or is_alive(int(pid), ""):
                continue
            was_inside, is_carried_on = _what_it_left(path)
            if not is_carried_on and (age >= KEEP_CUT_OFF_SECONDS or not was_inside):
                path.unlink()


def started_ticks(pid: int) -> str:
    """Return when a process started, in the kernel's ticks, so that a reused pid is not mistaken for it."""
    return (_stat(pid) or [""] * 20)[19]


def _stat(pid: int) -> list[str]:
    """Return what the kernel tells of a process after its name, from its state on; empty where it tells nothing."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def is_alive(pid: int, started: str) -> bool:
    """Tell whether the process that reported still runs here; one that only waits to be buried does not."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it runs under another user
    found = _stat(pid)
    if found[:1] in (["Z"], ["X"]):
        return False
    return not found or not started or found[19] == started


def read_presences(folder: Path) -> dict[str, list[Presence]]:
    """Return what all processes said, by automation; files that are not well-formed are left out."""
    found: dict[str, list[Presence]] = {}
    for path in _files_in(folder / SEEN_FOLDER):
        try:
            entry = _presence(json.loads(path.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
        found.setdefault(entry.automation_id, []).append(entry)
    return found


def _files_in(folder: Path) -> list[Path]:
    """Return what processes wrote; a folder that cannot be looked into confirms nothing, and stops no pause."""
    try:
        return sorted(folder.glob("*.json"))
    except OSError:
        return []


def cut_off_runs(said: Iterable[Presence]) -> tuple[str, ...]:
    """Return the ids of the runs that were cut off, and that no living process carries on."""
    known = list(said)
    going_on = {run_id for p in known if p.is_alive for run_id in p.in_flight}
    lost = [run_id for p in known if not p.is_alive for run_id in p.in_flight]
    return tuple(run_id for run_id in dict.fromkeys(lost) if run_id not in going_on)


def _presence(body: dict[str, Any]) -> Presence:
    seq, pid, runs = body["seen_seq"], body["pid"], body["in_flight"]
    is_whole = isinstance(pid, int) and pid > 0 and (seq is None or isinstance(seq, int))
    if not is_whole or not isinstance(runs, list):
        raise ValueError("not what a process says of itself")
    return Presence(
        automation_id=str(body["automation_id"]),
        pid=pid,
        seen_seq=seq,
        seen_at=from_text(body["seen_at"]),
        asked_at=from_text(body["asked_at"]),
        in_flight=tuple(str(run_id) for run_id in runs),
        is_alive=_may_be_alive(body, pid),
    )


def _may_be_alive(body: dict[str, Any], pid: int) -> bool:
    """Tell whether the process runs; one of another pid namespace cannot be looked up, so it may."""
    namespace = str(body.get("pid_namespace", ""))  # absent in files of earlier versions
    if namespace and namespace != pid_namespace():
        return True
    return is_alive(pid, str(body["started"])) or _carried_on(body)


def _carried_on(body: dict[str, Any]) -> bool:
    """Tell whether a process lives that carries out a run for the one that reported."""
    hands = body.get("carried_out_by", [])  # absent in files of earlier versions
    return any(int(pid) > 0 and is_alive(int(pid), str(started)) for pid, started in hands)


def _what_it_left(path: Path) -> tuple[bool, bool]:
    """Tell whether a process ended inside of a run, and whether another one carries that out."""
    try:
        body = json.loads(path.read_bytes())
        return bool(body.get("in_flight")), _carried_on(body)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False, False

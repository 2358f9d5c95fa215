"""The kernel lock in front of a store or a gate folder: fair between writers, and released when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from workbench.errors import StorageUnavailable
from workbench.store.backend import WAIT_SECONDS
from workbench.store.turns import Turn

LOCK_FILE = "store.lock"
GATE_LOCK_FILE = ".publish.lock"
STOPPED_SECONDS = 1.0
"""How long a holder that was stopped is waited for: it frees nothing before somebody lets it go on."""
_STEP_SECONDS = 0.1


@contextlib.contextmanager
def store_lock(
    folder: Path, wait_seconds: float = WAIT_SECONDS, *, what_then: str = "nothing was recorded"
) -> Iterator[None]:
    """Hold the store's lock; raises StorageUnavailable naming who holds it when it is not free in time.

    SQLite's own busy handler sleeps and retries, which let one writer commit 9,456 times while another
    got one commit; behind this lock they take turns.
    """
    words = f"The store in {folder}", what_then
    with _held(folder / LOCK_FILE, wait_seconds, words):
        yield


@contextlib.contextmanager
def gate_lock(folder: Path, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold a gate folder, so that the publications of writers and of the mirror on one host take turns."""
    words = f"The gate folder {folder}", "gates there were not told"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise StorageUnavailable(f"{words[0]} cannot be made: {exc.strerror}; {words[1]}.") from exc
    with _held(folder / GATE_LOCK_FILE, wait_seconds, words):
        yield


@contextlib.contextmanager
def lease(folder: Path, name: str) -> Iterator[bool]:
    """Hold a lease named by a slug while the block lasts; gives False where another process has it."""
    try:
        descriptor = os.open(folder / f"{name}.lease", os.O_RDWR | os.O_CREAT, 0o664)
    except OSError as exc:
        raise StorageUnavailable(
            f"The lease {name} in {folder} cannot be taken ({exc.strerror})."
        ) from exc
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _held(path: Path, wait_seconds: float, words: tuple[str, str]) -> Iterator[None]:
    about, what_then = words
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o664)
    except OSError as exc:
        raise StorageUnavailable(
            f"{about} cannot be locked ({exc.strerror}); {what_then}.",
            next_step="make the folder writable, or use another account",
        ) from exc
    with contextlib.ExitStack() as stack:
        stack.callback(_let_go, descriptor)
        if not _is_taken(descriptor, words):
            turn = Turn(path)
            stack.callback(turn.leave)
            _wait(turn, descriptor, wait_seconds, words)
        with contextlib.suppress(
            OSError
        ):  # on a full disk the name of the holder is not worth a pause
            os.pwrite(descriptor, f"{os.getpid():<15}\n".encode(), 0)
        yield


def _let_go(descriptor: int) -> None:
    # Unlocked by name: a forked child has the descriptor, too, and would keep the lock.
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _is_taken(descriptor: int, words: tuple[str, str]) -> bool:
    """Take the lock where nobody has it; raises StorageUnavailable where there are no locks."""
    about, what_then = words
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as exc:
        raise StorageUnavailable(
            f"{about} cannot be locked ({exc.strerror}); {what_then}.",
            next_step="put the folder on a local disk",
        ) from exc
    return True


def _wait(turn: Turn, descriptor: int, wait_seconds: float, words: tuple[str, str]) -> None:
    """Wait until the lock is ours, by our turn or because nobody has it."""
    begun = time.monotonic()
    about, what_then = words
    # Besides queueing it is tried now and then: a woken waiter without a processor holds up those behind it.
    while not turn.has_come(min(_STEP_SECONDS, wait_seconds)) and not _is_taken(descriptor, words):
        waited = time.monotonic() - begun
        is_in_vain = waited >= STOPPED_SECONDS and _is_stopped(_pid(descriptor))
        if waited >= wait_seconds or is_in_vain:
            raise StorageUnavailable(
                f"{about} has been locked for {waited:.0f} s by {_holder(descriptor)}; {what_then}.",
                next_step=_way_out(descriptor),
            )


def _way_out(descriptor: int) -> str:
    pid = _pid(descriptor)
    if _is_stopped(pid):
        return f"let it go on with `kill -CONT {pid}`, or end it with `kill -9 {pid}`: what it acknowledged stays"
    return "end that command if it hangs, then run this one again"


def _is_stopped(pid: str) -> bool:
    """Tell whether a process was stopped (SIGSTOP, Ctrl-Z, a debugger): it holds the lock until it goes on."""
    try:
        fields = Path(f"/proc/{int(pid)}/stat").read_text(encoding="ascii", errors="replace")
    except (OSError, ValueError):
        return False
    return fields.rpartition(")")[2].split()[:1] in (["T"], ["t"])


def _pid(descriptor: int) -> str:
    return os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()


def _holder(descriptor: int) -> str:
    pid = _pid(descriptor)
    try:
        command = (
            Path(f"/proc/{int(pid)}/cmdline")
            .read_bytes()
            .replace(b"\0", b" ")
            .decode("utf-8", "replace")
            .strip()
        )
    except (OSError, ValueError):
        return f"pid {pid or 'unknown'}"
    stopped = ", which is stopped" if _is_stopped(pid) else ""
    return f"pid {pid} ({command[:120]}){stopped}"

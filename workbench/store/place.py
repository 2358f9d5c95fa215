"""Where a store may live: a local file system with locks and shared memory."""

from __future__ import annotations

from pathlib import Path

from workbench.errors import Refused, StorageUnavailable, in_words

_NETWORK_TYPES = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "9p",
        "afs",
        "ceph",
        "glusterfs",
        "fuse.sshfs",
        "fuse.s3fs",
        "lustre",
    }
)
"""Write-ahead logging needs shared memory and locks of one host (sqlite.org/wal.html)."""


def filesystem_type(path: Path, mounts: str | None = None) -> str:
    """Return the type of the file system that a path lies on, or an empty text where it cannot be told."""
    text = _mounts() if mounts is None else mounts
    best, found = "", ""
    where = str(_existing(path))
    for line in text.splitlines():
        left, dash, right = line.partition(" - ")
        fields = left.split()
        if not dash or len(fields) < 5:
            continue
        mount = fields[4].replace("\\040", " ")
        is_above = where == mount or where.startswith(mount.rstrip("/") + "/")
        if is_above and len(mount) >= len(best):
            best, found = mount, right.split()[0]
    return found


def size_of(path: Path) -> int | None:
    """Return the bytes of a file, None where there is none; raises StorageUnavailable where that cannot be told."""
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError as exc:
        raise StorageUnavailable(
            f"{path} cannot be looked at: {in_words(exc)}.",
            next_step="let whoever owns the folder give you the right to read and write it, or set WORKBENCH_STORE",
        ) from exc


def refuse_network_place(folder: Path) -> None:
    """Raise Refused when the folder lies on a network file system."""
    kind = filesystem_type(folder)
    if kind in _NETWORK_TYPES:
        raise Refused(
            f"{folder} lies on a network file system ({kind}), where the store's locks do not hold.",
            next_step="use a local disk of the one host that runs the workbench",
        )


def _existing(path: Path) -> Path:
    found = path.absolute()
    while not found.exists() and found != found.parent:
        found = found.parent
    return found.resolve()


def _mounts() -> str:
    try:
        return Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

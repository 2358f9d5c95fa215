"""The seal: everything that a verdict was computed from, so that it can be computed again and compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from workbench import review
from workbench.records import HeadNote

SEALED_PACKAGES = (
    "workbench",
    "duckdb",
    "numpy",
    "pandas",
    "ruptures",
    "scipy",
    "altair",
    "papermill",
    "nbconvert",
    "vl-convert-python",
)


def canonical(value: Any) -> str:
    """Return a value as sorted compact JSON, so that equal content has equal bytes."""
    return json.dumps(
        value,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=True,
        default=str,
        allow_nan=False,
    )


def digest(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()


@dataclass(frozen=True)
class Seal:
    """What a report was computed from.

    Attributes:
        report: name of the report, such as `restart-decision`.
        manifest_version: the warehouse's state; versions that a seal names are never deleted.
        log_head: where the store's log stood.
        query_digests: SHA-256 of each query's text, by dotted name.
        code_digest: SHA-256 over the source of the judgement, `workbench.review`.
        package_versions: of what computes and draws.
        parameters: what was asked (without the run's ticket).
        warehouse_digest: SHA-256 over the digests of the warehouse's files at that version; older seals have none.
        checkpoint: note of the log's position, signed where its maker had a key; empty for a run by hand.
            It proves itself, so the digest leaves it out: another signer's report of the same is the same.
    """

    report: str
    manifest_version: int
    log_head: HeadNote
    query_digests: Mapping[str, str]
    code_digest: str
    package_versions: Mapping[str, str]
    parameters: Mapping[str, str | int]
    checkpoint: str = ""
    warehouse_digest: str = ""

    def content(self) -> dict[str, Any]:
        """Return the seal as plain JSON values, its own digest not included."""
        digests = {"warehouse_digest": self.warehouse_digest} if self.warehouse_digest else {}
        return {
            **digests,
            "report": self.report,
            "manifest_version": self.manifest_version,
            "log_head": {
                "store_id": self.log_head.store_id,
                "environment": self.log_head.environment,
                "seq": self.log_head.seq,
                "hash": self.log_head.hash,
            },
            "query_digests": dict(sorted(self.query_digests.items())),
            "code_digest": self.code_digest,
            "package_versions": dict(sorted(self.package_versions.items())),
            "parameters": dict(sorted(self.parameters.items())),
            "parameters_digest": digest(dict(self.parameters)),
        }

    @property
    def digest(self) -> str:
        """SHA-256 over the whole content."""
        return digest(self.content())

    def as_json(self) -> dict[str, Any]:
        """Return the content of `seal.json`."""
        return {**self.content(), "seal_digest": self.digest, "checkpoint": self.checkpoint}


def code_digest(folder: Path | None = None) -> str:
    """Return the SHA-256 over every source file of the judgement, by name and content."""
    found = hashlib.sha256()
    for path in sorted((folder or Path(review.__file__).parent).glob("*.py")):
        found.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()


def package_versions() -> dict[str, str]:
    """Return the versions of what computes and draws a report."""
    return {name: _version(name) for name in SEALED_PACKAGES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "from a checkout"

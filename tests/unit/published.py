"""Publishes what a store would, by hand, so that gates can be asked about any state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.snapshot import Publisher

PROBATION = {"probation_id": "P-1", "max_runs": 1, "started_at": "2026-11-20T09:30:00Z"}


def a_document(seq: int = 1, **more: Any) -> dict[str, Any]:
    """Return what the store publishes when nothing is held."""
    return {
        "store_id": "st-1",
        "environment": "staging",
        "seq": seq,
        "head_hash": "ab",
        "published_at": "2026-11-20T09:30:00.000000Z",
        "automations": {"a": []},
        "everything": [],
        "named": {},
        **more,
    }


def a_hold(**more: Any) -> dict[str, Any]:
    """Return one hold as it is published."""
    return {"hold_id": "H-1", "mode": "freeze", "probation": None, **more}


def publish(folder: Path, seq: int = 1, store_id: str = "st-1", **more: Any) -> Publisher:
    """Publish a document as the store does."""
    publisher = Publisher(folder, store_id)
    publisher.prepare()
    publisher.begin(seq)
    publisher.complete(a_document(seq, store_id=store_id, **more))
    return publisher

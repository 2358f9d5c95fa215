"""The audited store: one append-only log, its projection, and the publication to gates."""

from workbench.store.making import init_store, restore_store
from workbench.store.store import Store, open_store

__all__ = ["Store", "init_store", "open_store", "restore_store"]

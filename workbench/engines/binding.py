"""Finds the automation for what an engine runs, by the registry's binding."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.engines.rows import Bound
from workbench.records import Automation

UNKNOWN_KIND = "unknown"
"""Kind of what an engine runs and the registry does not name."""


class RegistryBinding:
    """Finds automations by the registry's binding: `engine_ref`, the tag `automation:<id>`, or the id as a name."""

    def __init__(self, automations: Sequence[Automation], engine: str) -> None:
        """Bind the automations that run on this engine, or name none."""
        self._by_id = {one.automation_id: one for one in automations if one.engine in ("", engine)}
        self._by_ref = {one.engine_ref: one for one in self._by_id.values() if one.engine_ref}

    def find(self, names: Sequence[str], tags: Sequence[str]) -> Bound:
        """Return the bound automation; without one the first and widest name stands in, of unknown kind."""
        tagged = [tag.removeprefix("automation:") for tag in tags if tag.startswith("automation:")]
        for found in (
            *(self._by_id.get(tag) for tag in tagged),
            *(self._by_ref.get(name) for name in names),
            *(self._by_id.get(name) for name in names),
        ):
            if found is not None:
                return Bound(
                    automation_id=found.automation_id,
                    kind=found.kind,
                    category=found.category or None,
                    environment=found.environment or None,
                    provider=found.provider or None,
                )
        return Bound(automation_id=names[-1], kind=UNKNOWN_KIND, is_known=False)

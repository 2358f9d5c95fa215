"""The tables `[triggers]` of a registry file: defaults, those of an environment, a category and an automation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from workbench.records import Automation
from workbench.slug import SLUG
from workbench.trigger_rules import NAMES, OWN_ONLY, why_wrong

Note = Callable[[str, str | None, str], None]
"""Takes a complaint down: where, key, why."""


class TriggerTables:
    """What a file states, later tables over earlier ones: all, environment, category, automation."""

    def __init__(self, body: Mapping[str, Any], note: Note) -> None:
        """Check every table and note what is wrong; a table that is none counts as empty."""
        self._note = note
        top = body.get("triggers", {})
        if not isinstance(top, dict):
            note("triggers", None, "must be a table")
            top = {}
        self._usual = {k: v for k, v in top.items() if k in NAMES}
        self._environments = {k: v for k, v in top.items() if k not in NAMES}
        self._check("triggers", self._usual)
        for name, table in self._environments.items():
            if not isinstance(table, dict) or not SLUG.fullmatch(name):
                note("triggers", name, why_wrong(name, table))
            else:
                self._check(f"triggers.{name}", table)
        self._environments = {k: v for k, v in self._environments.items() if isinstance(v, dict)}
        self._categories = self._below(body, "categories")
        self._automations = self._below(body, "automations")

    def of_category(self, category_id: str) -> dict[str, Any]:
        """Return what a category is watched for as a whole; it pauses only where its own table says so."""
        usual = {k: v for k, v in self._usual.items() if k not in (*OWN_ONLY, "action")}
        return {**usual, **self._categories.get(category_id, {})}

    def of_automation(self, automation_id: str, record: Automation) -> dict[str, Any]:
        """Return what an automation is watched for; the budget of its category is not its own."""
        category = self._categories.get(record.category, {})
        return {
            **self._usual,
            **self._environments.get(record.environment, {}),
            **{k: v for k, v in category.items() if k not in OWN_ONLY},
            **self._automations.get(automation_id, {}),
        }

    def _below(self, body: Mapping[str, Any], table: str) -> dict[str, dict[str, Any]]:
        rows = body.get(table, {})
        found = {}
        for key, row in rows.items() if isinstance(rows, dict) else ():
            stated = row.get("triggers") if isinstance(row, dict) else None
            if stated is None:
                continue
            if not isinstance(stated, dict):
                self._note(f"{table}.{key}", "triggers", "triggers must be a table")
                continue
            self._check(f"{table}.{key}.triggers", stated)
            found[key] = stated
        return found

    def _check(self, where: str, stated: Mapping[str, Any]) -> None:
        for name, value in stated.items():
            if why := why_wrong(name, value):
                self._note(where, name, why)

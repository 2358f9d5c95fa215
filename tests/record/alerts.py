"""Alert rules over what the automations report; green when nothing fails, also when nothing runs."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.record.place import from_text, now_text, to_text
from tests.record.world import World

ERROR_RATE_LIMIT = 0.35


class Alerts(threading.Thread):
    """Fires and resolves alerts over a sliding window."""

    def __init__(
        self, world: World, *, window: timedelta, every_seconds: float, runs_needed: int
    ) -> None:
        super().__init__(name="alerts", daemon=True)
        self.world = world
        self.window = window
        self.every_seconds = every_seconds
        self.runs_needed = runs_needed
        self.ended = threading.Event()
        self.seen_seq = 0
        self.recent: list[tuple[datetime, str, str]] = []
        self.firing: dict[tuple[str, str], str] = {}
        self.count = 0

    def run(self) -> None:
        """Evaluate until ended."""
        while not self.ended.wait(self.every_seconds):
            self.evaluate()

    def evaluate(self) -> None:
        """Look once at the newest outcomes."""
        until = self.world.last_seq()
        for row in self._newer_events(until):
            if row["action"] in ("run.completed", "run.failed", "run.retried"):
                self.recent.append((from_text(row["occurred_at"]), row["actor"], row["action"]))
        self.seen_seq = until
        since = datetime.now(UTC) - self.window
        self.recent = [item for item in self.recent if item[0] >= since]
        counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for _, actor, action in self.recent:
            counts[actor][action] += 1
        for automation_id in {*counts, *(key[0] for key in self.firing)}:
            found = counts[automation_id]
            ended = found["run.completed"] + found["run.failed"]
            rate = found["run.failed"] / ended if ended else 0.0
            self._judge(
                automation_id,
                "error-rate",
                ended >= self.runs_needed and rate > ERROR_RATE_LIMIT,
                rate,
            )
            retried = found["run.retried"] / ended if ended else 0.0
            self._judge(
                automation_id, "retry-rate", ended >= self.runs_needed and retried > 0.6, retried
            )

    def _newer_events(self, until: int) -> Iterable[dict[str, Any]]:
        return self.world.latest("audit_event", until_seq=until, after_seq=self.seen_seq).values()

    def _judge(self, automation_id: str, rule: str, is_bad: bool, rate: float) -> None:
        key = (automation_id, rule)
        if is_bad and key not in self.firing:
            self.count += 1
            self.firing[key] = alert_id = f"AL-{self.count}"
            self.world.add(
                "alert",
                alert_id,
                {
                    "alert_id": alert_id,
                    "fired_at": now_text(),
                    "automation_id": automation_id,
                    "rule": rule,
                    "severity": "high" if rule == "error-rate" else "medium",
                    "resolved_at": None,
                    "acknowledged_at": None,
                    "acknowledged_by": None,
                    "summary": f"{rule} of {automation_id} is {rate:.0%} over {self.window.total_seconds() / 60:.3g} minutes",
                },
            )
        elif key in self.firing and rate < ERROR_RATE_LIMIT / 3:
            self.world.revise("alert", self.firing.pop(key), resolved_at=now_text())

    def acknowledge(self, automation_id: str, by: str) -> str | None:
        """Acknowledge the newest unacknowledged alert of an automation."""
        mine = [
            r
            for r in self.world.latest("alert").values()
            if r["automation_id"] == automation_id and not r["acknowledged_at"]
        ]
        if not mine:
            return None
        alert_id = str(max(mine, key=lambda r: r["fired_at"])["alert_id"])
        self.world.revise(
            "alert", alert_id, acknowledged_at=to_text(datetime.now(UTC)), acknowledged_by=by
        )
        return alert_id


def describe(alerts: Alerts) -> dict[str, Any]:
    """Return what fires at present, for the log."""
    return {f"{a}/{r}": alert_id for (a, r), alert_id in alerts.firing.items()}

"""What each beat of the story does."""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.record.alerts import Alerts
from tests.record.catalog import HELD
from tests.record.operations import Operator
from tests.record.people import Deciders, settle_approvals, verify_records
from tests.record.place import now_text, to_text
from tests.record.provider import CALM, DEGRADED, RELAPSED, Provider
from tests.record.snapshot import Collector
from tests.record.world import Row, World

if TYPE_CHECKING:  # it imports Prefect, which reads its settings when it is imported
    from tests.record.loops import Loop

logger = logging.getLogger("record")
SCOPE = "kind=agent,provider=acme-llm"
NARROW = "automation=invoice-triage"
AS_LEAD = ("--as", "ops-lead", "--yes")


@dataclass(frozen=True)
class Cast:
    """Everybody on the stage: the parts of a recording that the script moves."""

    world: World
    provider: Provider
    operator: Operator
    collector: Collector
    loops: dict[str, Loop]
    alerts: Alerts
    deciders: Deciders


class Stage:
    """Carries out beats; every beat may fail without ending the recording."""

    def __init__(self, cast: Cast, *, pace: float) -> None:
        self.world, self.provider = cast.world, cast.provider
        self.operator, self.collector = cast.operator, cast.collector
        self.loops, self.alerts, self.deciders = cast.loops, cast.alerts, cast.deciders
        self.pace = pace
        self.began = datetime.now(UTC)
        self.onset = ""
        self.open_status: str | None = None
        self.instants: dict[str, str] = {}
        self.change_count = 0

    def change(self, kind: str, target: str, actor: str, summary: str) -> None:
        """Record one change."""
        self.change_count += 1
        change_id = f"CH-{self.change_count}"
        self.world.add(
            "change",
            change_id,
            {
                "change_id": change_id,
                "changed_at": now_text(),
                "kind": kind,
                "target": target,
                "actor": actor,
                "summary": summary,
            },
        )

    def provider_status(
        self, status: str, component: str, ref: str, title: str, impact: str
    ) -> None:
        """Publish a line on the provider's status page; ends the line before it."""
        now = now_text()
        if self.open_status:
            self.world.revise("provider_status", self.open_status, until_at=now)
        self.open_status = f"{component}/{now}"
        self.world.add(
            "provider_status",
            self.open_status,
            {
                "provider": "acme-llm",
                "component": component,
                "since_at": now,
                "until_at": None,
                "status": status,
                "impact": impact,
                "incident_ref": ref,
                "title": title,
            },
        )

    def limit_caller(self, caller: str) -> None:
        """Let the provider refuse one caller with 429: the small earlier incident."""
        self.provider.faults.limited_callers.add(caller)
        self.world.add(
            "incident",
            "I-1",
            {
                "incident_id": "I-1",
                "title": "acme-llm limits ticket-reply",
                "severity": "low",
                "started_at": now_text(),
                "detected_at": None,
                "acknowledged_at": None,
                "paused_at": None,
                "mitigated_at": None,
                "resolved_at": None,
                "scope": "automation=ticket-reply",
            },
        )

    def free_callers(self) -> None:
        """End the small incident."""
        self.provider.faults.limited_callers.clear()
        self.world.revise("incident", "I-1", mitigated_at=now_text(), resolved_at=now_text())

    def acknowledge(self, automation_id: str, by: str) -> None:
        """Acknowledge the newest alert of an automation."""
        alert_id = self.alerts.acknowledge(automation_id, by)
        logger.info(
            "acknowledged %s of %s by %s; firing %s",
            alert_id,
            automation_id,
            by,
            sorted(self.alerts.firing),
        )
        if alert_id:
            self.world.audit(by, "alert.acknowledged", ("alert", alert_id))
        if automation_id == "ticket-reply":
            self.world.revise("incident", "I-1", detected_at=now_text(), acknowledged_at=now_text())
        else:
            self.world.revise("incident", "I-2", acknowledged_at=now_text())

    def raise_max_tokens(self) -> None:
        """Make the config change that precedes the onset."""
        self.world.put("config", "acme-llm", {"max_tokens": 2048})
        self.change(
            "config",
            SCOPE,
            "agent-owner",
            "max_tokens raised from 512 to 2048 for all acme-llm agents",
        )

    def revert_max_tokens(self) -> None:
        """Take the config change back, as prevention."""
        self.world.put("config", "acme-llm", {"max_tokens": 512})
        self.change(
            "config",
            SCOPE,
            "agent-owner",
            "max_tokens back to 512; answers are checked against the schema before use",
        )
        self.world.audit(
            "ops-lead",
            "incident.note",
            ("incident", "I-2"),
            reason="provider operational again; invoice-triage verified; ticket-reply and product-copy are not",
        )

    def degrade(self) -> None:
        """Let the provider degrade: the staged fault."""
        self.onset = now_text()
        self.provider.faults.shares = dict(DEGRADED)

    def recover(self) -> None:
        """Let the provider work again."""
        self.provider.faults.shares = dict(CALM)
        self.world.revise("incident", "I-2", mitigated_at=now_text())

    def open_incident(self) -> None:
        """Open the incident when somebody looks at the alerts."""
        self.world.add(
            "incident",
            "I-2",
            {
                "incident_id": "I-2",
                "title": "acme-llm agents fail and write wrong amounts",
                "severity": "high",
                "started_at": self.onset,
                "detected_at": now_text(),
                "acknowledged_at": None,
                "paused_at": None,
                "mitigated_at": None,
                "resolved_at": None,
                "scope": SCOPE,
            },
        )
        self.world.audit("ops-lead", "incident.opened", ("incident", "I-2"))

    def start_by_hand_later(self) -> None:
        """Make a ticket-reply run by hand that Prefect starts after the pause."""
        at = self.began + timedelta(minutes=44 * self.pace) + timedelta(seconds=50)
        run_id = self.operator.prefect.start_by_hand(
            "ticket-reply", at=at, triggered_by="support-lead"
        )
        self.world.audit(
            "support-lead",
            "run.scheduled",
            ("run", run_id),
            reason=f"by hand for {to_text(at)}",
            payload={"run_id": run_id},
        )

    def start_slow_republish(self) -> None:
        """Start the product-copy run that keeps its first gate answer and writes after the pause."""
        threading.Thread(
            target=self.loops["product-copy"].start_one,
            daemon=True,
            kwargs={"slow_republish": True, "trigger": "manual", "triggered_by": "agent-owner"},
        ).start()

    def pause_first(self) -> None:
        """Pause by our gate, then by Prefect's own calls: what is in flight or made by hand gets through."""
        self._pause("agents fail and write wrong amounts")
        self.operator.switch_deployments("pause")
        self.world.revise("incident", "I-2", paused_at=now_text())
        self.deciders.at_rest.add("invoice-triage")

    def _pause(self, reason: str) -> None:
        words = ("--mode", "freeze", "--reason", reason, "--incident", "I-2", *AS_LEAD)
        self.operator.run("pause", SCOPE, *words)

    def restart_too_early(self) -> None:
        """Restart everything because the alert is green."""
        logger.info("firing at the premature restart: %s", sorted(self.alerts.firing))
        self.provider.faults.shares = dict(RELAPSED)
        why = "the alert is green"
        self.operator.run("resume", "H-1", "--full", "--break-glass", why, *AS_LEAD)
        self.operator.switch_deployments("resume")
        self.deciders.at_rest.clear()

    def pause_second(self) -> None:
        """Pause again and completely: Prefect first, waiting runs cancelled, no new work, then our hold."""
        self.operator.switch_deployments("pause")
        self.operator.cancel_waiting("cancelled before the second pause of I-2")
        held = [self.loops[name] for name in HELD if name in self.loops]
        for loop in held:
            loop.no_work_until = time.monotonic() + 40
        until = time.monotonic() + 32
        while time.monotonic() < until and any(loop.is_inside for loop in held):
            time.sleep(0.3)
        self.operator.wait_until_quiet(max(1.0, until - time.monotonic()))
        for loop in held:
            loop.no_work_until = time.monotonic() + 10
        self._pause("relapse after a restart on a green alert")
        self.operator.cancel_waiting("cancelled under H-2")
        why = "relapse after the full restart; paused again, completely"
        self.world.audit("ops-lead", "incident.note", ("incident", "I-2"), reason=why)
        self.deciders.at_rest.add("invoice-triage")

    def verify(self, part: str) -> None:
        """Let a person verify a third of the records that invoice-triage wrote since before the onset."""
        since = to_text(datetime.fromisoformat(self.onset) - timedelta(minutes=15 * self.pace))

        def is_wanted(row: Row) -> bool:
            is_of_part = part == "2" or hash(row["record_id"]) % 3 == int(part)
            return bool(row["changed_at"] >= since) and is_of_part

        count = verify_records(self.world, "invoice-triage", by="ops-lead", is_wanted=is_wanted)
        logger.info("verified %s records", count)

    def settle(self) -> None:
        """Let a person decide every pending approval of invoice-triage."""
        logger.info(
            "settled %s approvals", settle_approvals(self.world, "invoice-triage", by="ops-lead")
        )
        self.deciders.at_rest.clear()

    def restart_narrow(self) -> None:
        """Review what was recorded so far, decide as the review says, restart one automation for twenty runs.

        Where the review does not carry it, the restart is break-glass and says so.
        """
        operator, named = self.operator, ("--only", NARROW)
        narrow = ("resume", "H-2", *named, "--runs", "20", *AS_LEAD)
        if operator.load_batches() and operator.run("review", "H-2", *named, wait_seconds=200):
            report_id = operator.last_report("H-2")
            if report_id and operator.run("decide", report_id, *AS_LEAD):
                self.take("03b-decided")  # a restart rests on what was loaded since its decision
                if operator.load_batches() and operator.run(*narrow):
                    return
        why = "the review did not carry the restart while this was recorded; evidence read by hand"
        operator.run(*narrow, "--break-glass", why)

    def take(self, name: str) -> None:
        """Take the batch of an instant."""
        self.instants[name] = self.collector.take(name)
        (self.operator.place.root / "instants.json").write_text(json.dumps(self.instants, indent=1))

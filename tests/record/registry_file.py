"""Writes the registry file of the recorded automations."""

from __future__ import annotations

from pathlib import Path

from tests.record.catalog import SPECS, Spec

OWNERS = {
    "ops-lead": "support-lead",
    "agent-owner": "ops-lead",
    "support-lead": "ops-lead",
    "marketing-lead": "ops-lead",
}
CATEGORIES = {
    "commerce": "ops-lead",
    "support": "support-lead",
    "content": "agent-owner",
    "marketing": "marketing-lead",
}
TRIGGER = {
    "workflow": "schedule",
    "watcher": "schedule",
    "agent": "new item in its queue",
    "playbook": "case opened",
    "custom_tool": "call from another automation",
}
APPROVAL = {
    "refund-playbook": "support-lead above 15 USD",
    "ticket-reply": "support-lead for sampled replies",
    "invoice-triage": "ops-lead above 880 USD",
}


def write_registry(path: Path) -> None:
    """Write the file that `workbench registry apply` reads."""
    lines = []
    for owner, deputy in OWNERS.items():
        lines += [
            f"[owners.{owner}]",
            f'members = ["{owner}"]',
            f'deputy = "{deputy}"',
            f'contact = "#{owner}"',
            "",
        ]
    for category, owner in CATEGORIES.items():
        lines += [
            f"[categories.{category}]",
            f'owner = "{owner}"',
            'restart_owner = "ops-lead"',
            "",
        ]
    for spec in SPECS:
        lines += _automation(spec)
    path.write_text("\n".join(lines))


def _automation(spec: Spec) -> list[str]:
    provider = [f'provider = "{spec.provider}"'] if spec.provider else []
    switch = "our gate; Prefect deployment pause" if spec.is_served else "our gate"
    return [
        f"[automations.{spec.automation_id}]",
        f'kind = "{spec.kind}"',
        f'category = "{spec.category}"',
        'environment = "production"',
        f'owner = "{spec.owner}"',
        'restart_owner = "ops-lead"',
        f'deputy = "{OWNERS[spec.owner]}"',
        'engine = "prefect"',
        f'engine_ref = "{spec.automation_id}"',
        *provider,
        f'tools = ["{spec.tool}"]',
        f"expected_interval_seconds = {round(spec.interval_seconds)}",
        "asks_gate = true",
        'cleanup = ["verify the records it wrote since the onset"]',
        f'alert_match = "{spec.automation_id}"',
        f"[automations.{spec.automation_id}.checklist]",
        f'trigger = "{TRIGGER[spec.kind]}"',
        f'input_data = "{spec.tool}"',
        'output = "records and messages named in its audit events"',
        f'approval_requirement = "{APPROVAL.get(spec.automation_id, "none")}"',
        'retry_behaviour = "agents and order-sync once, others not"',
        'failure_notification = "alert to the owner"',
        f'kill_switch = "{switch}"',
        "",
    ]

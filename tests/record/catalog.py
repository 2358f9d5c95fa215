"""The twelve automations of the recording: what each is, who owns it, and how often it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Spec:
    """One automation of the recording.

    Attributes:
        interval_seconds: seconds between two starts in the real recording.
        is_served: a Prefect deployment with its own schedule; otherwise a flow inside this program.
    """

    automation_id: str
    kind: str
    category: str
    owner: str
    interval_seconds: float
    version: str
    is_served: bool = False
    provider: str = ""
    tool: str = ""


SPECS: tuple[Spec, ...] = (
    Spec(
        "order-sync",
        "workflow",
        "commerce",
        "ops-lead",
        30,
        "1.8.2",
        is_served=True,
        tool="shop-api",
    ),
    Spec(
        "stock-watch",
        "watcher",
        "commerce",
        "ops-lead",
        60,
        "1.1.0",
        is_served=True,
        tool="shop-api",
    ),
    Spec(
        "invoice-triage",
        "agent",
        "commerce",
        "agent-owner",
        12,
        "2.3.1",
        provider="acme-llm",
        tool="ledger",
    ),
    Spec("refund-playbook", "playbook", "commerce", "support-lead", 16, "3.0.4", tool="payments"),
    Spec(
        "price-lookup",
        "custom_tool",
        "commerce",
        "ops-lead",
        7,
        "0.9.7",
        provider="acme-llm",
        tool="shop-api",
    ),
    Spec("sentiment-watch", "watcher", "support", "support-lead", 8, "1.4.0", tool="helpdesk"),
    Spec(
        "ticket-reply",
        "agent",
        "support",
        "agent-owner",
        30,
        "2.3.1",
        is_served=True,
        provider="acme-llm",
        tool="mail",
    ),
    Spec(
        "escalation-playbook", "playbook", "support", "support-lead", 18, "1.2.2", tool="helpdesk"
    ),
    Spec(
        "seo-refresh",
        "workflow",
        "content",
        "marketing-lead",
        120,
        "1.0.9",
        is_served=True,
        tool="site",
    ),
    Spec(
        "product-copy",
        "agent",
        "content",
        "agent-owner",
        18,
        "2.3.1",
        provider="acme-llm",
        tool="site",
    ),
    Spec("campaign-send", "workflow", "marketing", "marketing-lead", 16, "4.2.0", tool="mail"),
    Spec("audience-export", "custom_tool", "marketing", "marketing-lead", 20, "0.4.3", tool="site"),
)

BY_ID = {spec.automation_id: spec for spec in SPECS}
HELD = tuple(s.automation_id for s in SPECS if s.kind == "agent" and s.provider == "acme-llm")
SERVED = tuple(s for s in SPECS if s.is_served)
IN_PROCESS = tuple(s for s in SPECS if not s.is_served)

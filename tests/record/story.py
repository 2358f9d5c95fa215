"""The timeline of the recording, as data: what happens at which minute of ninety-two."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Beat:
    """One thing that happens; `act` names a method of Stage."""

    minute: float
    act: str
    words: tuple[str, ...] = ()


BEATS: tuple[Beat, ...] = (
    Beat(
        4.0,
        "change",
        (
            "deploy",
            "automation=order-sync",
            "ops-lead",
            "order-sync 1.8.2: reads orders in pages of 200",
        ),
    ),
    Beat(12.0, "limit_caller", ("ticket-reply",)),
    Beat(
        12.4,
        "provider_status",
        ("degraded", "completions", "INC-881", "Elevated rate limiting for some keys", "minor"),
    ),
    Beat(14.8, "acknowledge", ("ticket-reply", "support-lead")),
    Beat(15.2, "free_callers"),
    Beat(
        15.6,
        "provider_status",
        ("operational", "completions", "INC-881", "Rate limiting back to normal", "none"),
    ),
    Beat(
        18.0,
        "change",
        (
            "schedule",
            "automation=seo-refresh",
            "marketing-lead",
            "seo-refresh every 2 minutes, was every 4",
        ),
    ),
    Beat(
        25.0,
        "change",
        (
            "permission",
            "automation=audience-export",
            "marketing-lead",
            "audience-export may read the newsletter table",
        ),
    ),
    Beat(31.0, "raise_max_tokens"),
    Beat(33.0, "degrade"),
    Beat(
        34.2,
        "provider_status",
        (
            "degraded",
            "completions",
            "INC-902",
            "Elevated latency and errors on completions",
            "minor",
        ),
    ),
    Beat(36.5, "open_incident"),
    Beat(
        38.0,
        "provider_status",
        (
            "partial_outage",
            "completions",
            "INC-902",
            "Completions fail or are cut off for many requests",
            "major",
        ),
    ),
    Beat(41.5, "acknowledge", ("invoice-triage", "agent-owner")),
    Beat(43.0, "start_by_hand_later"),
    Beat(43.8, "start_slow_republish"),
    Beat(44.0, "pause_first"),
    Beat(
        52.0,
        "provider_status",
        ("degraded", "completions", "INC-902", "Error rates improving, we keep watching", "minor"),
    ),
    Beat(53.0, "take", ("01-alert-resolved",)),
    Beat(57.0, "restart_too_early"),
    Beat(
        60.0,
        "provider_status",
        ("partial_outage", "completions", "INC-902", "Error rates rising again", "major"),
    ),
    Beat(64.0, "pause_second"),
    Beat(68.0, "take", ("02-relapse",)),
    Beat(70.0, "recover"),
    Beat(
        70.5,
        "provider_status",
        ("operational", "completions", "INC-902", "Resolved: a faulty node was taken out", "none"),
    ),
    Beat(71.0, "verify", ("0",)),
    Beat(73.0, "verify", ("1",)),
    Beat(75.0, "verify", ("2",)),
    Beat(75.5, "settle"),
    Beat(76.0, "revert_max_tokens"),
    Beat(79.0, "take", ("03-narrow-restart",)),
    Beat(79.8, "restart_narrow"),
    Beat(92.0, "take", ("04-end",)),
)
LAST_MINUTE = 92.0

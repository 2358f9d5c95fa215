"""What a recording says of itself: which instants it names, what was staged, and what really happened."""

from __future__ import annotations

TITLE = "Agents relapse after a restart on a green alert"
REVIEWED = {
    "01-alert-resolved": ("alert-resolved", "H-1", ""),
    "02-relapse": ("relapse", "H-2", ""),
    "03-narrow-restart": ("narrow-restart", "H-2", "automation=invoice-triage"),
    "03b-decided": ("decided", "H-2", "automation=invoice-triage"),
    "04-end": ("end", "H-2", ""),
}
"""Folder of a batch -> name of its instant, the hold that a review then is about, and the part of it."""

STAGED = [
    "The provider acme-llm is fictional: a small HTTP server on the same machine, told by the script "
    "when to be slow, to answer 429 or 503, to cut answers off, and to answer from stale context. Its "
    "prices per token, and so every cost, are made up.",
    "The shop service fails in a few percent of calls by a drawn number; that is the natural noise.",
    "Orders, invoices, tickets, products and customers are made up; they live in a small SQLite "
    "database.",
    "The provider's status page, the changes and the incidents follow the script. The people are roles "
    "played by programs: who acknowledges, approves, verifies, pauses, decides and restarts does so at "
    "the minute the script says.",
    "One run of ticket-reply was made by hand before the first pause, to start after it; ticket-reply "
    "asks the gate before it writes, not before it starts.",
    "One run of product-copy took a path that keeps its first gate answer, so that it wrote after the "
    "first pause.",
    "At the second pause no new work came to the agents for some seconds, and what waited in Prefect "
    "was cancelled first.",
]
REAL = [
    "Every run is a run of a real Prefect server, four automations as served deployments with schedules "
    "and a process per run, the others as flows in one program; states, times, retries and error texts "
    "are Prefect's own. Prefect's database was PostgreSQL.",
    "Holds, releases and the narrow restart were commands of this workbench to its own store; the log is "
    "that store's, unaltered.",
    "Every automation asked this workbench's gate; what was refused, stopped or let through is what the "
    "gate did.",
    "Time-outs, 429 and 503 answers and cut-off JSON happened over HTTP, and the automations met them as "
    "exceptions.",
    "Before and after of each affected record were read and written in the database in one transaction.",
    "Alerts were fired and resolved by rules over what the automations reported.",
    "Prefect's pause and resume of deployments were calls of its own API; their HTTP status is in the "
    "audit events.",
    "Each batch holds what was known at its instant and nothing that came later: a run in flight is "
    "running there, and a step that Prefect had not recorded by the time its run was last read is "
    "missing. Added at packing: the error signatures, computed from the error texts.",
]

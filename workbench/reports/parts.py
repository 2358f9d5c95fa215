"""The parts that every report has: strips, header, verdict, headline, checks, sections, ending."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from workbench.clock import to_text
from workbench.records import Check, Verdict, VerdictKind
from workbench.reports.markup import (
    Fragment,
    chip,
    facts,
    heading,
    join,
    note_block,
    paragraph,
    safe,
    strip,
    with_code,
)
from workbench.reports.opened import Opened
from workbench.reports.shelf import PAYLOAD_MIME, sentinel_of
from workbench.reports.tables import NONE, TableNote, amount, table, to_second
from workbench.review.ground import Headline
from workbench.store.reported import HEAD_LABEL

WORDS: Mapping[VerdictKind, tuple[str, str]] = {
    VerdictKind.ESCALATE: ("Escalate", "bad"),
    VerdictKind.KEEP_PAUSED: ("Keep paused", "warn"),
    VerdictKind.RESTART_NARROW: ("Restart narrow", "cool"),
    VerdictKind.RESTART_FULL: ("Restart in full", "good"),
}


def strips(opened: Opened) -> Fragment:
    """Return the strips that must not be overlooked: DEMO, and run by hand."""
    found = []
    if opened.demo_clock_at is not None:
        found.append(
            strip(
                "DEMO",
                f"Made from a recording; its clock stands at {to_second(opened.demo_clock_at)} UTC. Nothing is live.",
            )
        )
    if not opened.is_recorded:
        found.append(
            strip("BY HAND", "Run by hand, not recorded. No decision can rest on this page.")
        )
    return join(found) if found else Fragment("")


def header(opened: Opened, title: str) -> Fragment:
    """Return what the report is about: scope, hold, window, and where the data and the log stood."""
    request, head = opened.request, opened.seal.log_head
    hold = opened.tables["review.holds"].set_index("hold_id").loc[request.hold_id]
    subject = "everything (safe mode)" if opened.scope == "*" else opened.scope
    pairs = [
        ("Hold", f"{request.hold_id}, {hold['mode']}, placed by {hold['placed_by']}"),
        ("Paused at (UTC)", to_second(request.paused_at)),
        ("Onset (UTC)", to_second(request.onset_at)),
        ("Data as of (UTC)", to_second(request.as_of)),
        ("Automations", ", ".join(request.automation_ids)),
        ("Store", f"{head.store_id} ({head.environment})"),
        ("Snapshot", f"warehouse {opened.seal.manifest_version}, log {head.seq}"),
    ]
    return join(
        [
            Fragment(
                f'<h1>{safe(title)}: <span class="wb-subject">{safe(subject)}</span></h1>',
                f"{title}: {subject}",
            ),
            facts(pairs),
        ]
    )


def verdict_banner(verdict: Verdict) -> Fragment:
    """Return the verdict in large words, its reason in one sentence, and the next command."""
    word, tone = WORDS[verdict.kind]
    after = (
        f'<p class="wb-next">Next: {with_code(_command(verdict.next_command))}</p>'
        if verdict.next_command
        else ""
    )
    return Fragment(
        f'<section class="wb-verdict wb-tone-{tone}" data-wb-verdict="{safe(verdict.kind)}" aria-label="Verdict">'
        f'<p class="wb-word">{safe(word)}</p><p class="wb-why">{with_code(verdict.reason)}</p>{after}</section>',
        f"{word}: {verdict.reason}",
    )


def outcome(verdict: Verdict) -> Fragment:
    """Return in one line where the restart stands, for a report that is about something else."""
    word, tone = WORDS[verdict.kind]
    return Fragment(
        f'<p class="wb-outcome wb-tone-{tone}">Where the restart stands: <strong>{safe(word)}</strong>. '
        f"{with_code(verdict.reason)}</p>",
        f"Where the restart stands: {word}. {verdict.reason}",
    )


def _command(text: str) -> str:
    return text if "`" in text else f"`{text}`"


def headline(says: Headline) -> Fragment:
    """Return the contrast: what the alert says beside what the evidence says."""
    return Fragment(
        '<section class="wb-says" aria-label="What the alert says and what the evidence says">'
        '<div class="wb-tone-quiet"><h3>What the alert says</h3>'
        f"<p>{with_code(says.alert_says)}</p></div>"
        '<div class="wb-tone-cool"><h3>What the evidence says</h3>'
        f"<p>{with_code(says.evidence_says)}</p></div></section>"
        f'<p class="wb-lede">{with_code(says.sentence)}</p>',
        f"Alert: {says.alert_says} Evidence: {says.evidence_says}",
    )


def headline_document(says: Headline) -> dict[str, str]:
    """Return the contrast as plain values."""
    # Only where there is one: most reports are of a hold under which nothing ran.
    restart = {"restart_says": says.restart_says} if says.restart_says else {}
    return {
        **restart,
        "alert_says": says.alert_says,
        "evidence_says": says.evidence_says,
        "sentence": says.sentence,
    }


def check_table(checks: Sequence[Check]) -> Fragment:
    """Return the checks, one row each: status, what was found, number, threshold, rows and query."""
    names = ("Check", "Status", "Found", "Number", "Threshold", "Evidence")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    rows = "".join(_check_row(check) for check in checks)
    counts = ", ".join(
        f"{sum(check.status == status for check in checks)} {status}"
        for status in ("PASS", "FAIL", "NO EVIDENCE")
    )
    return Fragment(
        '<div class="wb-scroll"><table data-wb-table="1" class="wb-checks">'
        f"<caption>{len(checks)} checks: {counts}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>",
        f"{len(checks)} checks: {counts}",
    )


def _check_row(check: Check) -> str:
    title = safe(check.name.replace("_", " ").capitalize())
    rows = f"{check.row_count:,} {'row' if check.row_count == 1 else 'rows'}"
    return (
        f'<tr data-wb-check="{safe(check.name)}">'
        f'<th scope="row"><a href="#{safe(check.name)}">{title}</a></th>'
        f"<td>{chip(check.status.value)}</td><td>{with_code(check.sentence)}</td>"
        f"<td>{_number(check)}</td><td>{with_code(check.threshold)}</td>"
        f'<td>{rows}<br><span class="wb-id">{safe(check.query)}</span></td></tr>'
    )


def _number(check: Check) -> str:
    if check.number is None:
        return NONE
    if check.unit in {"rate", "share"}:
        return f"<strong>{safe(amount('rate', check.number))}</strong>"
    if check.unit in {"seconds", "s"}:
        return f"<strong>{safe(amount('seconds', check.number))}</strong>"
    unit = f"<br>{safe(check.unit)}" if check.unit else ""
    return f"<strong>{safe(amount('', check.number))}</strong>{unit}"


class Ending:
    """The last thing a report shows: its seal, and for the runner what it concluded."""

    def __init__(
        self, opened: Opened, document: Mapping[str, Any], *, promised: Mapping[str, int]
    ) -> None:
        """Take what was opened, the content of verdict.json, and what the page promises to show."""
        self._opened = opened
        self._payload = {
            "verdict": dict(document),
            "seal": opened.seal.as_json(),
            "promised": dict(promised),
        }

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        ticket = self._opened.parameters.run_ticket
        words = sentinel_of(ticket) if self._opened.is_recorded else "run by hand, not recorded"
        return {"text/html": self.fragment.html, "text/plain": words, PAYLOAD_MIME: self._payload}

    @property
    def fragment(self) -> Fragment:
        """The seal as people read it: snapshot pair, head note, digests."""
        seal = self._opened.seal
        digests = pd.DataFrame(sorted(seal.query_digests.items()), columns=["query", "sha256"])
        versions = ", ".join(
            f"{name} {version}" for name, version in sorted(seal.package_versions.items())
        )
        note = seal.log_head.text
        return join(
            [
                heading("Seal: what this was computed from", anchor="seal"),
                paragraph(
                    "The verdict is a function of the two positions below and of nothing else; the same positions give "
                    "the same verdict. This page, and each copy of it, is also a witness: give the folder that it is "
                    "in to `workbench audit verify --anchors`, or its log head to `--head`."
                ),
                facts(
                    [
                        ("Warehouse version", seal.manifest_version),
                        (HEAD_LABEL, note),
                        ("Log hash", f"`{seal.log_head.hash}`"),
                        ("Merkle root of the log", f"`{seal.log_head.root}`"),
                        ("Judging code (SHA-256)", f"`{seal.code_digest}`"),
                        ("Seal digest (SHA-256)", f"`{seal.digest}`"),
                        ("Packages", versions),
                    ]
                ),
                note_block(seal.checkpoint),
                table(
                    digests,
                    TableNote("Queries that were run, with the digest of their text", row_limit=60),
                ),
            ]
        )


def verdict_document(
    opened: Opened, verdict: Verdict, *, checks: Sequence[Check], says: Mapping[str, str]
) -> dict[str, Any]:
    """Return the content of `verdict.json`; the same seal gives the same content."""
    return {
        "report": opened.seal.report,
        **subject_document(opened),
        "verdict": verdict.kind.value,
        "reason": verdict.reason,
        "first_blocker": verdict.first_blocker,
        "next_command": verdict.next_command,
        "escalation_reasons": list(verdict.escalation_reasons),
        "narrow_scope": verdict.narrow_scope,
        "narrow_run_count": verdict.narrow_run_count,
        "detectable_failure_rate": verdict.detectable_failure_rate,
        "headline": dict(says),
        "checks": [check_document(check) for check in checks],
        "is_demo": opened.demo_clock_at is not None,
        "seal_digest": opened.seal.digest,
    }


def subject_document(opened: Opened) -> dict[str, Any]:
    """Return what a report is about as plain values: hold, scope, automations, window."""
    request = opened.request
    return {
        "hold_id": request.hold_id,
        "scope": opened.scope,
        "automation_ids": list(request.automation_ids),
        "since": to_text(request.since),
        "onset_at": to_text(request.onset_at),
        "onset_rule": request.onset_rule,
        "paused_at": to_text(request.paused_at),
        "as_of": to_text(request.as_of),
    }


def check_document(check: Check) -> dict[str, Any]:
    """Return one check as plain values."""
    # Only where there is one: documents of earlier reports know no such word.
    words = {"answered_by": check.answered_by} if check.answered_by else {}
    return {
        **words,
        "name": check.name,
        "status": check.status.value,
        "sentence": check.sentence,
        "number": check.number,
        "unit": check.unit,
        "threshold": check.threshold,
        "threshold_source": check.threshold_source,
        "rows": check.row_count,
        "query": check.query,
        "is_critical": check.is_critical,
    }

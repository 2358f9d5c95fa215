"""The parts that every report has: strips, header, verdict, headline, checks, sections, ending."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from workbench.records import Check, Verdict, VerdictKind
from workbench.reports.markup import Fragment, chip, facts, heading, join, paragraph, safe, strip, with_code
from workbench.reports.opened import Opened
from workbench.reports.runner import PAYLOAD_MIME
from workbench.reports.shelf import sentinel_of
from workbench.reports.tables import NONE, TableNote, amount, table, when

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
                f"Made from a recording: the clock stands at {when(opened.demo_clock_at)} UTC, and nothing here is live.",
            )
        )
    if not opened.is_recorded:
        found.append(strip("BY HAND", "Run by hand, not recorded. No decision can rest on this page."))
    return join(found) if found else Fragment("")


def header(opened: Opened, title: str, more: Iterable[tuple[str, object]]) -> Fragment:
    """Return what the report is about: scope, hold, window, and where the data and the log stood."""
    asked = opened.parameters
    pairs = [
        ("Hold", asked.hold_id),
        *more,
        ("Data as of (UTC)", when(asked.instant("as_of"))),
        ("Window from (UTC)", when(asked.instant("since"))),
        ("Warehouse version", opened.seal.manifest_version),
        ("Store", f"{opened.seal.log_head.store_id} ({opened.seal.log_head.environment}), log at {opened.seal.log_head.seq}"),
    ]
    subject = "everything (safe mode)" if asked.scope == "*" else asked.scope
    return join(
        [
            Fragment(f'<h1>{safe(title)}: <span class="wb-subject">{safe(subject)}</span></h1>', f"{title}: {subject}"),
            facts(pairs),
        ]
    )


def verdict_banner(verdict: Verdict) -> Fragment:
    """Return the verdict in large words, its reason in one sentence, and the next command."""
    word, tone = WORDS[verdict.kind]
    after = f'<p class="wb-next">Next: {with_code(_command(verdict.next_command))}</p>' if verdict.next_command else ""
    return Fragment(
        f'<section class="wb-verdict wb-tone-{tone}" data-wb-verdict="{safe(verdict.kind)}" aria-label="Verdict">'
        f'<p class="wb-word">{safe(word)}</p><p class="wb-why">{with_code(verdict.reason)}</p>{after}</section>',
        f"{word}: {verdict.reason}",
    )


def _command(text: str) -> str:
    return text if "`" in text else f"`{text}`"


def headline(alert_says: str, evidence_says: str, sentence: str) -> Fragment:
    """Return the contrast: what the alert says beside what the evidence says."""
    return Fragment(
        '<section class="wb-says" aria-label="What the alert says and what the evidence says">'
        f'<div class="wb-tone-quiet"><h3>What the alert says</h3><p>{with_code(alert_says)}</p></div>'
        f'<div class="wb-tone-cool"><h3>What the evidence says</h3><p>{with_code(evidence_says)}</p></div></section>'
        f'<p class="wb-lede">{with_code(sentence)}</p>',
        f"Alert: {alert_says} Evidence: {evidence_says}",
    )


def check_table(checks: Sequence[Check]) -> Fragment:
    """Return the checks, one row each: status, what was found, number, threshold, rows and query."""
    head = "".join(
        f'<th scope="col"{" class=" + chr(34) + "wb-num" + chr(34) if name in {"Number", "Rows"} else ""}>{name}</th>'
        for name in ("Check", "Status", "Found", "Number", "Threshold", "Rows", "Query")
    )
    rows = "".join(_check_row(check) for check in checks)
    counts = ", ".join(
        f"{sum(check.status == status for check in checks)} {status}" for status in ("PASS", "FAIL", "NO EVIDENCE")
    )
    return Fragment(
        f'<div class="wb-scroll"><table data-wb-table="1" class="wb-checks"><caption>{len(checks)} checks: {counts}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>",
        f"{len(checks)} checks: {counts}",
    )


def _check_row(check: Check) -> str:
    number = NONE if check.number is None else safe(_number(check))
    title = safe(check.name.replace("_", " ").capitalize())
    link = f'<a href="#{safe(check.name)}">{title}</a>'
    return (
        f'<tr data-wb-check="{safe(check.name)}"><th scope="row">{link}</th><td>{chip(check.status.value)}</td>'
        f'<td>{with_code(check.sentence)}</td><td class="wb-num">{number}</td><td>{safe(check.threshold)}</td>'
        f'<td class="wb-num">{check.row_count:,}</td><td class="wb-id">{safe(check.query)}</td></tr>'
    )


def _number(check: Check) -> str:
    if check.unit in {"rate", "share"}:
        return amount("rate", check.number)
    if check.unit == "seconds":
        return amount("seconds", check.number)
    return f"{amount('', check.number)} {check.unit}".strip()


class Ending:
    """The last thing a report shows: its seal, and for the runner what it concluded."""

    def __init__(self, opened: Opened, document: Mapping[str, Any], promised: Mapping[str, int]) -> None:
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
        versions = ", ".join(f"{name} {version}" for name, version in sorted(seal.package_versions.items()))
        note = seal.log_head.text
        return join(
            [
                heading("Seal: what this was computed from", anchor="seal"),
                paragraph(
                    "The verdict is a function of the two positions below and of nothing else; the same positions give "
                    "the same verdict. This page is also a witness: compare its log head with `workbench audit verify`."
                ),
                facts(
                    [
                        ("Warehouse version", seal.manifest_version),
                        ("Log head", note),
                        ("Log hash", f"`{seal.log_head.hash}`"),
                        ("Seal digest (SHA-256)", f"`{seal.digest}`"),
                        ("Packages", versions),
                    ]
                ),
                table(digests, TableNote("Queries that were run, with the digest of their text", row_limit=60)),
            ]
        )


def verdict_document(
    opened: Opened, verdict: Verdict, checks: Sequence[Check], says: Mapping[str, str]
) -> dict[str, Any]:
    """Return the content of `verdict.json`; the same seal gives the same content."""
    return {
        "report": opened.seal.report,
        "hold_id": opened.parameters.hold_id,
        "scope": opened.parameters.scope,
        "since": opened.parameters.since,
        "as_of": opened.parameters.as_of,
        "verdict": verdict.kind.value,
        "reason": verdict.reason,
        "first_blocker": verdict.first_blocker,
        "next_command": verdict.next_command,
        "escalation_reasons": list(verdict.escalation_reasons),
        "narrow_scope": verdict.narrow_scope,
        "narrow_run_count": verdict.narrow_run_count,
        "detectable_failure_rate": verdict.detectable_failure_rate,
        "headline": dict(says),
        "checks": [_check_document(check) for check in checks],
        "is_demo": opened.demo_clock_at is not None,
        "seal_digest": opened.seal.digest,
    }


def _check_document(check: Check) -> dict[str, Any]:
    return {
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

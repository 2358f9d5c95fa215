"""Check: which steps failed, is that known, explained, and does it come back?"""

from __future__ import annotations

import pandas as pd

from workbench.records import Check
from workbench.review.ground import Finding, Ground, Section, counted, judged, percent
from workbench.review.mitigation import changes_since_pause
from workbench.review.periods import SINCE, with_period
from workbench.review.signatures import NEW, signature_table

_NOT_SHOWN = ["unusual_since_count", "unusual_returned_count"]


def check_failed_steps(ground: Ground) -> Finding:
    """Judge failures since the pause, and whether those of the incident came back after a restart unmended.

    A failure during the incident does not speak against a restart for ever: only one since the pause, or one
    that returned after an earlier restart while nothing was changed since, is a FAIL. What the baseline
    knows, no more often than there, is noise and not the fault.
    """
    signatures = signature_table(ground)
    since_count = int(signatures["unusual_since_count"].sum())
    returned_count = int(signatures["unusual_returned_count"].sum())
    unmended = returned_count if changes_since_pause(ground).empty else 0
    run_count = int((with_period(ground)["period"] == SINCE).sum())
    status = judged(is_bad=since_count + unmended > 0, is_lacking=run_count == 0)
    sentence = _sentence(signatures, run_count, unmended)
    check = Check(
        name="failed_steps",
        question="Which steps failed, and do the failures come back?",
        status=status,
        sentence=sentence,
        number=float(since_count if run_count or not unmended else unmended),
        unit="unusual failed steps since the pause"
        if run_count or not unmended
        else "failures after an earlier restart",
        threshold="0 unusual since the pause, none back after a restart with nothing changed since",
        threshold_source="a failure that comes back unmended will come back again",
        row_count=int(signatures["failure_count"].sum()),
        query="review.failed_steps",
    )
    return Finding(check, _section(signatures, sentence))


def _sentence(signatures: pd.DataFrame, run_count: int, unmended: int) -> str:
    total = int(signatures["failure_count"].sum())
    since = int(signatures["since_pause_count"].sum())
    if not total:
        ran = (
            f"{counted(run_count, 'run')} since the pause, none failed"
            if run_count
            else "no runs since the pause"
        )
        return f"No step failed since the onset; {ran}."
    new = int((signatures["seen"] == NEW).sum())
    explained = float((signatures["explained_share"] * signatures["failure_count"]).sum()) / total
    kinds = f"{counted(len(signatures), 'signature')}, {new} of them new"
    share = f"{percent(explained)} explained by the provider"
    said = f"{counted(total, 'failed step')} since the onset with {kinds}; {share}"
    if unmended:
        return f"{said}. {counted(unmended, 'failure')} came after an earlier restart, and nothing was changed since."
    if not run_count:
        return f"{said}. Since the pause nothing ran, so nothing shows that they are gone."
    unusual = int(signatures["unusual_since_count"].sum())
    usual = "more than the baseline knows" if unusual else "no more than the baseline knows"
    ran = f"{since} in {counted(run_count, 'run')} since the pause"
    return f"{said}. {ran}, {usual}." if since else f"{said}. {ran}."


def _section(signatures: pd.DataFrame, sentence: str) -> Section:
    if signatures.empty:
        return Section("Failed steps by signature", sentence)
    pareto = signatures[["error_signature", "failure_count", "seen"]]
    return Section(
        "Failed steps by signature",
        sentence,
        {"Failures since the onset, by signature": signatures.drop(columns=_NOT_SHOWN)},
        {"pareto": pareto},
    )

"""The ledger: what was written and when, what was written twice, what is left to clean up, whose word counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from tests.review.world import AS_OF, at, calm_tables, ground, request, with_rows
from workbench.evidence import change_sha256
from workbench.records import CheckStatus, VerdictKind
from workbench.review import check_records as judging
from workbench.review import ledger
from workbench.review.check_records import check_records, records_since_onset
from workbench.review.ground import VERIFICATIONS, WITHDRAWN
from workbench.review.request import ONSET_GIVEN
from workbench.review.restart import assess_restart

Tables = dict[str, pd.DataFrame]


def change(when: str = "10:07", **more: Any) -> pd.DataFrame:
    """Return one unverified change of a run of `triage`: by default harmless."""
    row = {
        "source_id": "ledger", "run_id": "f3", "record_type": "invoice", "record_id": "INV-9", "change_seq": 0.0,
        "automation_id": "triage", "changed_at": at(when), "change": "update", "before": '{"a":1}', "after": '{"a":2}',
        "reversibility": "reversible", "customer_facing": False, "verified_at": None, "verified_by": None, **more,
    }  # fmt: skip
    return pd.DataFrame([row])


def with_changes(*changes: pd.DataFrame) -> Tables:
    """Return the calm tables, in which everything that binds is verified, and these changes."""
    return with_rows(calm_tables(), "review.affected_records", *changes)


def seen(**more: Any) -> str:
    """Return the digest of the change above, of which somebody saw this otherwise."""
    row = change(**more).iloc[0].to_dict()
    return change_sha256(at("10:07"), row)


def word(when: str = "10:50", content: dict[str, Any] | None = None, **more: Any) -> pd.DataFrame:
    """Return what the log says of the change above: verified, with the content that was looked at."""
    row = {
        "source_id": "ledger", "run_id": "f3", "record_type": "invoice", "record_id": "INV-9", "change_seq": 0.0,
        "automation_id": "triage", "verified_at": at(when), "verified_by": "ops-lead (ann)", "reason": "called", "person": "ann",
        "content_sha256": seen(**content or {}), **more,
    }  # fmt: skip
    return pd.DataFrame([row])


def twice(tables: Tables) -> list[str]:
    """Return how each record was written more than once."""
    return list(ledger.duplicates(records_since_onset(ground(tables)))["how"])


@pytest.mark.parametrize(
    ("reversibility", "blocks"),
    [("irreversible", 1), ("unknown", 1), (None, 1), ("compensable", 0), ("reversible", 0)],
)
def test_what_nobody_can_take_back_blocks_until_verified(
    reversibility: str | None, blocks: int
) -> None:
    """Irreversible and unknown block every restart, narrow ones too; the sentence names the record, and what to type."""
    one = change(reversibility=reversibility or "unknown")
    found = assess_restart(request(), with_changes(one))
    if not blocks:
        assert found.verdict.kind is VerdictKind.RESTART_NARROW
        return
    assert found.verdict.kind is VerdictKind.KEEP_PAUSED
    assert "the first to look at is invoice/INV-9" in found.verdict.first_blocker
    assert found.verdict.next_command == "workbench affected list H-1"
    given = assess_restart(request(onset_rule=ONSET_GIVEN), with_changes(one)).verdict.next_command
    assert given == "workbench affected list H-1 --onset 2026-11-20T10:00:00.000000Z"
    told = with_rows(
        with_changes(one),
        VERIFICATIONS,
        word(content={"reversibility": reversibility or "unknown"}),
    )
    assert assess_restart(request(), told).verdict.kind is VerdictKind.RESTART_NARROW


@pytest.mark.parametrize(
    "more",
    [
        {"content": {"after": '{"a":3}'}},
        {"content": {"reversibility": "reversible"}},
        {"content": {"customer_facing": True}},
        {"content": {"automation_id": "reply"}},
        {"when": "11:30"},
        {"run_id": "f4"},
        {"change_seq": 1.0},
        {"source_id": "other"},
        {"record_id": "INV-90"},
    ],
)
def test_a_word_about_something_else_unblocks_nothing(more: dict[str, Any]) -> None:
    """Other content, another change, or a word that came after the review's instant: still to verify."""
    more["content"] = {"reversibility": "unknown", **more.get("content", {})}
    tables = with_rows(with_changes(change(reversibility="unknown")), VERIFICATIONS, word(**more))
    assert at("11:30") > AS_OF
    assert check_records(ground(tables)).check.status is CheckStatus.FAIL


@pytest.mark.parametrize("silent", ["", None])
def test_a_change_of_which_nothing_is_said_can_be_verified(silent: str | None) -> None:
    """An empty kind, as a source may write it, is `unknown` for who verifies and for who reviews."""
    named = {"change": "unknown", "before": "", "after": "", "reversibility": "unknown"}
    one = change(change=silent, before=silent, after=silent, reversibility="unknown")
    told = with_rows(with_changes(one), VERIFICATIONS, word(content=named))
    assert check_records(ground(told)).check.status is CheckStatus.PASS


def test_two_runs_and_two_attempts_are_named() -> None:
    """The same change by another run, or again after a failed attempt of the run, is a duplicate and says by whom."""
    by_runs = with_changes(change(), change("10:09", run_id="f4"))
    assert twice(by_runs) == ["by runs f3 and f4"]
    failed = {
        "source_id": "engine", "run_id": "w1", "step_id": "write", "attempt": 1.0, "automation_id": "triage",
        "failed_at": at("10:07:30"), "error_signature": "HTTP 500", "run_status": "succeeded",
    }  # fmt: skip
    again = with_changes(change(run_id="w1"), change("10:08", run_id="w1", change_seq=1.0))
    assert twice(again) == [], "two updates of one attempt are ordinary work"
    retried = with_rows(again, "review.failed_steps", pd.DataFrame([failed]))
    assert twice(retried) == ["by attempts 1 and 2 of run w1"]
    rows = records_since_onset(ground(retried))
    mine = rows[rows["record_id"] == "INV-9"]
    assert list(mine["attempt"]) == [1, 2]
    assert set(mine["duplicate"]) == {"by attempts 1 and 2 of run w1"}


def test_what_is_sent_twice_blocks_and_what_is_updated_twice_is_named_only() -> None:
    """Two runs that sent the same thing acted twice; two that wrote the same field are listed."""
    for kind, status in (("send", CheckStatus.FAIL), ("update", CheckStatus.PASS)):
        pair = [change(change=kind), change("10:09", change=kind, run_id="f4")]
        found = check_records(ground(with_changes(*pair)))
        assert found.check.status is status
        assert "1 record written more than once" in found.check.sentence


def test_each_change_says_whether_it_came_before_the_pause_or_after_quiet() -> None:
    """By the hold's instant and the automation's quiet; where that is not known the ledger says so."""
    times = ("10:29", "10:30:00.500", "10:40")
    tables = with_changes(*(change(t, record_id=f"X-{t}") for t in times))

    def written(given: Tables) -> list[str]:
        rows = records_since_onset(ground(given))
        return list(rows[rows["record_id"].str.startswith("X-")]["written"])

    assert written(tables) == [ledger.BEFORE, ledger.UNTIL_QUIET, ledger.AFTER_QUIET]
    tables["review.hold_targets"]["quiet_at"] = pd.NaT
    assert written(tables) == [ledger.BEFORE, ledger.NOT_QUIET, ledger.NOT_QUIET]


def test_the_clean_up_list_counts_each_class_once_and_only_what_is_open() -> None:
    """Every unverified change is in exactly one class, what binds most first; verified ones are in none."""
    classes = ("reversible", "unknown", "irreversible", "compensable", "irreversible")
    changes = [change(record_id=f"X-{n}", reversibility=c) for n, c in enumerate(classes)]
    rows = records_since_onset(ground(with_changes(*changes)))
    found = ledger.clean_up(rows)
    assert list(found["reversibility"]) == list(ledger.CLASSES)
    assert list(found["unverified_count"]) == [2, 1, 1, 2]  # INV-1 of the calm world is reversible
    assert list(found["blocking_count"]) == [2, 1, 0, 0]
    assert found["unverified_count"].sum() == rows["verified_at"].isna().sum()


@pytest.mark.parametrize(
    ("words", "reversibility", "is_open"),
    [
        ([("10:50", "ann")], "irreversible", True),
        ([("10:50", "ann")], None, True),
        ([("10:50", "ann")], "reversible", False),
        ([("10:50", "ann"), ("10:52", "ann")], "irreversible", True),
        ([("10:50", "ann"), ("10:52", "bo")], "irreversible", False),
        ([("10:50", "ann"), ("10:52", "bo"), ("11:05", "cy")], "unknown", False),
        ([("10:50", "ann"), ("11:05", "bo")], "irreversible", True),
    ],
)  # fmt: skip
def test_what_cannot_be_undone_takes_as_many_persons_as_policy_asks(
    words: list[tuple[str, str]], reversibility: str | None, is_open: bool
) -> None:
    """Persons count, not words; what lacks one is named with who looked, and the second's instant is the record's."""
    content = {"reversibility": reversibility}
    tables = with_changes(change(customer_facing=True, **content))
    for when, person in words:
        one = word(when, content | {"customer_facing": True}, person=person, verified_by=person)
        tables = with_rows(tables, VERIFICATIONS, one)
    two = replace(request().thresholds, verifier_count=2)
    found = check_records(ground(tables, thresholds=two))
    assert (found.check.status is CheckStatus.FAIL) == is_open
    half = found.section.tables.get("Verified by fewer persons than policy asks")
    assert (half is not None) == is_open
    if half is not None:
        assert list(half["verified_by"]) == ["ann"]
        assert list(half["persons_lacking"]) == [1]
    rows = records_since_onset(ground(tables, thresholds=two))
    (row,) = rows[rows["record_id"] == "INV-9"].to_dict("records")
    if len({person for _, person in words}) > 1 and not is_open:
        assert (row["verified_at"], row["verified_by"]) == (at("10:52"), "ann and bo")


def back(when: str = "10:55", **more: Any) -> pd.DataFrame:
    """Return that somebody took back the words on the change above."""
    row = {
        "source_id": "ledger", "run_id": "f3", "record_type": "invoice", "record_id": "INV-9", "change_seq": 0.0,
        "automation_id": "triage", "withdrawn_at": at(when), "withdrawn_by": "support (bo)", "reason": "wrong one",
        **more,
    }  # fmt: skip
    return pd.DataFrame([row])


@pytest.mark.parametrize(
    ("verified", "withdrawn", "is_open"),
    [("10:50", "10:55", True), ("10:50", "10:50", True), ("10:56", "10:55", False), ("10:50", "11:05", False)],
)  # fmt: skip
def test_what_its_source_calls_verified_is_open_once_somebody_took_it_back(
    verified: str, withdrawn: str, is_open: bool
) -> None:
    """It blocks again and the section names who; verified at its source later, or taken back after the end, it does not."""
    tables = with_changes(change(reversibility="irreversible", verified_at=at(verified)))
    found = check_records(ground(with_rows(tables, WITHDRAWN, back(withdrawn))))
    assert (found.check.status is CheckStatus.FAIL) == is_open
    shown = found.section.tables.get("Verifications that were taken back")
    assert (shown is not None and list(shown["withdrawn_by"]) == ["support (bo)"]) == is_open


def test_a_word_after_a_withdrawal_stands() -> None:
    """The log's word that came later counts; nothing is shown as taken back any more."""
    tables = with_rows(with_changes(change(reversibility="irreversible")), WITHDRAWN, back("10:40"))
    found = check_records(
        ground(with_rows(tables, VERIFICATIONS, word("10:50", {"reversibility": "irreversible"})))
    )
    assert found.check.status is CheckStatus.PASS
    assert "Verifications that were taken back" not in found.section.tables


def test_a_ledger_that_takes_unknown_for_clean_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeded bug: only what is called irreversible binds."""
    monkeypatch.setattr(judging, "BINDING", ("irreversible",))
    with pytest.raises(AssertionError):
        test_what_nobody_can_take_back_blocks_until_verified("unknown", 1)


def test_a_word_that_counts_for_any_content_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeded bug: whoever joins the log's words does not compare what was looked at."""
    monkeypatch.setattr(
        "workbench.review.verified.content_of",
        lambda _: seen(reversibility="unknown", after='{"a":3}'),
    )
    with pytest.raises(AssertionError):
        test_a_word_about_something_else_unblocks_nothing({"content": {"after": '{"a":3}'}})

"""The section on the cause says where to look first, with k of n and a chance, or that no cause was found."""

from __future__ import annotations

import pandas as pd

from tests.review.world import at, calm_tables, every, ground, rows, runs_of, with_rows
from workbench.review.ground import Ground
from workbench.review.incident import assess_incident
from workbench.review.restart import assess_restart
from workbench.review.why import CAPTION, NO_PROOF, SEGMENTS, evidence_of, why_section

MAILER = """
automation_id | kind  | category | environment | owner | restart_owner | provider | tools    | expected_interval_seconds
mailer        | agent | support  | production  | desk  | ops-lead      | globex   | ["mail"] | 60
"""


def _two(*, failing: str = "failed") -> Ground:
    """Return the calm world with a second automation, which fails once in a while and through the incident or not."""
    tables = with_rows(calm_tables(), "review.registered_automations", rows(MAILER))
    spans = every(1, "06:00", "10:00", "succeeded", "mb") + every(
        1, "10:00", "10:30", failing, "mf"
    )
    more = runs_of("mailer", spans, provider="globex", trigger="event")
    return ground(
        with_rows(tables, "review.runs", more), automation_ids=("mailer", "triage"), providers=("acme", "globex")
    )  # fmt: skip


def test_what_the_failures_share_is_named_with_its_counts() -> None:
    """All runs of one automation failed and none of the other's: it, and what marks the same runs, comes first."""
    section = why_section(_two(failing="succeeded"))
    assert "0 of 360 runs, from it until the pause 15 of 45" in section.sentence
    assert "Look first at" in section.sentence and section.sentence.endswith(NO_PROOF)
    found = section.tables[CAPTION].set_index("kind").loc["attribute"]
    found = found.iloc[0] if isinstance(found, pd.DataFrame) else found
    assert "provider=acme" in found["candidate"] and "automation=triage" in found["candidate"]
    assert (found["troubled_with_it"], found["without_it"]) == ("15 of 15", "0 of 30")
    assert found["before_the_onset"] == "0 of 120" and float(found["chance"]) <= 0.05


def test_no_cause_is_said_with_the_reason() -> None:
    """Where all runs fail alike nothing can be told, and the section says over how much was looked."""
    sentence = why_section(_two()).sentence
    assert "No cause found: none of" in sentence
    assert "All 45 runs of the incident were troubled, so they do not differ." in sentence
    assert "Look first" not in sentence


def test_a_change_just_before_is_named_and_one_long_before_is_not() -> None:
    """A minute before the onset, where nothing else was changed in four hours, stands out; an hour does not."""
    tables = calm_tables()
    tables["review.changes"] = tables["review.changes"].iloc[:1]
    tables["review.changes"].loc[0, "changed_at"] = at("09:59")
    near = why_section(ground(tables)).sentence
    assert "Look first at the config change automation=triage: tokens up: 1 min before" in near
    tables["review.changes"].loc[0, "changed_at"] = at("09:00")
    far = why_section(ground(tables)).sentence
    assert "No cause found" in far
    assert "The nearest change came 1 h 00 min before, as near by chance in" in far


def test_stretches_of_the_rate_are_shown() -> None:
    """The rows say from when to when which rate held, with k of n."""
    shown = why_section(ground()).tables[SEGMENTS]
    assert shown[["troubled_run_count", "run_count"]].to_numpy().tolist() == [[0, 120], [15, 15]]
    assert shown["since_at"].iloc[1] == at("10:00")


def test_what_ran_under_the_hold_tells_nothing() -> None:
    """A run that leaked past the pause is neither before nor during."""
    leaked = with_rows(
        calm_tables(), "review.runs", runs_of("triage", [("10:40", "failed", "leak")])
    )
    evidence = evidence_of(ground(leaked))
    assert "leak" not in {*evidence.before["run_id"], *evidence.during["run_id"]}
    assert len(evidence.during) == 15 and evidence.during["error_signature"].eq("HTTP 500").all()


def test_both_reviews_have_the_same_section() -> None:
    """The restart review and the post-incident review say the same of the cause."""
    one = ground()
    restart = assess_restart(one.request, one.tables).sections["why"]
    assert assess_incident(one.request, one.tables).sections["why"].sentence == restart.sentence


def test_nothing_known_is_no_cause() -> None:
    """Without a run there is no cause, and the section does not break."""
    empty = {name: frame.iloc[:0] for name, frame in calm_tables().items()}
    empty["review.holds"] = calm_tables()["review.holds"]
    section = why_section(ground(empty, onset_at=at("10:30")))
    assert (
        "No cause found" in section.sentence
        and "No run of the incident was troubled." in section.sentence
    )

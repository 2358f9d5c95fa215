"""`workbench decide` and `workbench resume`: only a recorded decision opens, and it says how far."""

from __future__ import annotations

import shlex

import pytest

from tests.cli.ground import (
    AGENTS,
    HOSTILE,
    a_decision,
    a_hold,
    a_report,
    a_store,
    alter,
    block_gate,
    events,
    inert,
    last_seq,
    refused,
    run,
)
from workbench.records import VerdictKind

NARROW = ("resume", "H-1", "--only", "automation=ticket-reply", "--runs", "2")
FULL = ("resume", "H-1", "--full")
BREAK_GLASS = ("--break-glass", "the customer waits")


@pytest.fixture(autouse=True)
def held() -> None:
    """Begin with a store in which the agents are held by H-1."""
    a_store()
    a_hold()


def test_a_decision_accepts_the_verdict_and_names_the_next_command() -> None:
    """Deciding records the verdict as the decision and prints what to type next."""
    a_report()
    found = run("decide", "R-1", "--yes")
    assert (found.code, found.err) == (0, "")
    (made,) = events("decision.record")
    assert (made.target, made.payload["decision"], made.payload["is_override"]) == (
        "D-1",
        "restart_narrow",
        False,
    )
    assert "D-1 accepts R-1: restart_narrow. few runs" in found.out
    assert "      `workbench resume H-1 --only SCOPE --runs N --decision D-1`" in found.out
    assert found.out.splitlines()[-1].startswith(f"log head {last_seq()} ")


@pytest.mark.parametrize(
    ("verdict", "following"),
    [
        (VerdictKind.RESTART_FULL, "      `workbench resume H-1 --full --decision D-1`"),
        (VerdictKind.KEEP_PAUSED, ""),
        (VerdictKind.ESCALATE, ""),
    ],
)
def test_only_a_restart_names_a_resume(verdict: VerdictKind, following: str) -> None:
    """A decision to keep paused or to escalate never prints a command that restarts."""
    a_report(verdict=verdict)
    found = run("decide", "R-1", "-y")
    assert found.code == 0
    assert following in found.out
    assert ("workbench resume" in found.out) == bool(following)


@pytest.mark.parametrize("verdict", [VerdictKind.KEEP_PAUSED, VerdictKind.ESCALATE])
def test_what_keeps_it_paused_names_the_way_against_it_in_whole(verdict: VerdictKind) -> None:
    """Deciding to keep it, and being refused for it, both print the override as it is typed; it leads on."""
    a_report(verdict=verdict)
    said = run("decide", "R-1", "-y").out
    whole = 'workbench decide R-1 --override restart_narrow --reason "TEXT"'
    assert "`workbench review H-1`" in said and f"`{whole}`, which stays flagged" in said
    refused(run(*NARROW, "-y"), 3, f"D-1 decided {verdict}", f"`{whole}`", "`workbench review H-1`")
    full = whole.replace("restart_narrow", "restart_full")
    refused(run(*FULL, "-y"), 3, f"D-1 decided {verdict}", f"`{full}`")
    typed = run(*shlex.split(whole)[1:], "-y")
    assert "D-2 overrides" in typed.out, typed.said
    refused(run(*NARROW, "-y"), 3, "H-1 is not resumed on D-2: no loaded source")


@pytest.mark.parametrize(
    "reason", ["The pause was slow: it reached a.", "The pause leaked: 1 run."]
)
def test_what_is_past_is_not_to_be_mended(reason: str) -> None:
    """How a pause went no work changes: only a decision against the report is named, not another review."""
    a_report(verdict=VerdictKind.ESCALATE, reason=reason)
    said = run("decide", "R-1", "-y").out
    assert "mend what the report names" not in said and "How the pause went is past" in said
    assert 'workbench decide R-1 --override restart_narrow --reason "TEXT"' in said


def test_the_way_against_it_names_the_newest_report() -> None:
    """Once another review was made, its id stands in the command: the older one would be refused."""
    a_report(verdict=VerdictKind.KEEP_PAUSED)
    run("decide", "R-1", "-y")
    a_report(verdict=VerdictKind.KEEP_PAUSED)
    refused(run(*NARROW, "-y"), 3, "workbench decide R-2 --override restart_narrow")


def test_an_override_is_recorded_with_its_reason() -> None:
    """A person who decides otherwise is on record with the reason, and status flags it."""
    a_report()
    found = run("decide", "R-1", "--override", "keep_paused", "-r", "month end", "-y")
    assert found.code == 0
    assert "D-1 overrides (restart_narrow) R-1: keep_paused. month end" in found.out
    (made,) = events("decision.record")
    assert (made.reason, made.payload["is_override"]) == ("month end", True)
    assert "flagged: D-1 overrides R-1: it said restart_narrow" in run("status").out


def test_an_override_needs_a_reason() -> None:
    """Deciding otherwise without a reason is refused, naming both and `--reason`."""
    a_report()
    found = run("decide", "R-1", "--override", "restart_full", "-y")
    refused(found, 2, "R-1 says restart_narrow", "restart_full", "--override restart_full --reason")
    assert events("decision.record") == []


def test_an_unknown_report_is_not_found() -> None:
    """A report that is not there is refused with exit code 4 and the newest named."""
    a_report()
    refused(
        run("decide", "R-7", "-y"), 4, "There is no report R-7; newest: R-1", "workbench review H-N"
    )


def test_an_incomplete_report_cannot_be_decided_on() -> None:
    """INCOMPLETE stays undecided and the next step is another review."""
    a_report(is_complete=False)
    refused(run("decide", "R-1", "-y"), 3, "R-1 is INCOMPLETE", "`workbench review H-1`")


def test_only_the_newest_review_can_be_decided_on() -> None:
    """An older review of the same hold is refused and the newer one named."""
    a_report()
    a_report(verdict=VerdictKind.KEEP_PAUSED)
    refused(run("decide", "R-1", "-y"), 3, "R-2 is", "`workbench decide R-2`")


def test_a_report_about_a_released_hold_is_past() -> None:
    """What was released cannot be decided about any more."""
    a_report()
    run(*FULL, *BREAK_GLASS, "-y")
    refused(run("decide", "R-1", "-y"), 3, "H-1 was released by", "a release is final")


def test_an_unattended_run_never_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel or scheduler is refused even with `--yes`."""
    a_report()
    monkeypatch.setenv("WORKBENCH_UNATTENDED", "1")
    refused(run("decide", "R-1", "-y"), 3, "writes reports, not decisions", "at a terminal")
    assert events("decision.record") == []


@pytest.mark.parametrize(
    "words",
    [("decide", "R-1"), (*NARROW, *BREAK_GLASS), (*FULL, *BREAK_GLASS)],
    ids=["decide", "narrow", "full"],
)
def test_what_opens_is_asked_for_and_never_assumed(words: tuple[str, ...]) -> None:
    """Without a terminal it needs `--yes`; at one, anything but yes records nothing."""
    a_report()
    before = last_seq()
    refused(run(*words), 2, "Nobody is at the terminal to confirm", " --yes`")
    for typed in ("n\n", "\n", ""):
        assert run(*words, typed=typed).code == 130
    assert last_seq() == before
    assert run(*words, typed="y\n").code == 0
    assert last_seq() == before + 1


@pytest.mark.parametrize(
    "words", [("decide", HOSTILE), ("resume", HOSTILE, "--full", *BREAK_GLASS)]
)
def test_a_hostile_id_is_asked_about_inertly(words: tuple[str, ...]) -> None:
    """Neither the question nor the refusal passes on what an id would do to the terminal."""
    found = run(*words, typed="y\n")
    refused(found, 4)
    inert(found)


@pytest.mark.parametrize(
    "words", [("decide", "R-1", "-y"), (*NARROW, *BREAK_GLASS, "-y"), (*FULL, *BREAK_GLASS, "-y")]
)
def test_the_same_command_id_acts_once(words: tuple[str, ...]) -> None:
    """A command given twice with one id adds one event, and the second prints the first result."""
    a_report()
    first = run(*words, "--command-id", "c-9")
    before = last_seq()
    second = run(*words, "--command-id", "c-9")
    assert (first.code, second.code) == (0, 0), second.said
    assert last_seq() == before
    other = run("pause", "*", "-r", "x", "-y", "--no-wait", "--command-id", "c-9")
    refused(other, 3, "Command id c-9 was used")
    if words[0] == "resume":
        assert "The same command id as before: nothing was added." in second.out
        assert "nothing was added" not in first.out


def test_nothing_restarts_without_a_decision() -> None:
    """Neither form of resume goes without a decision; the refusal names review, decide and break-glass."""
    for words in (NARROW, FULL):
        refused(
            run(*words, "-y"),
            3,
            "H-1 is not resumed without a decision: a quiet alert is not evidence",
            "`workbench review H-1`",
            "--break-glass",
        )
    assert run("gate", "ticket-reply").code == 20


def test_a_narrow_restart_takes_the_newest_decision() -> None:
    """The decision on the hold entitles; the hold stays, and the print-out says for whom and how often."""
    a_decision()
    found = run(*NARROW, "-y")
    assert (found.code, found.err) == (0, "")
    assert "P-1: ticket-reply may run 2 times; H-1 stays and stops them then." in found.out
    (started,) = events("probation.start")
    assert started.payload["decision_id"] == "D-1"
    assert started.payload["automation_ids"] == ["ticket-reply"]
    assert started.payload["max_runs"] == 2
    assert run("gate", "invoice-triage").code == 20
    assert run("hold", "list").out.count("P-1 0/2 runs") == 1


def test_a_narrow_decision_does_not_release() -> None:
    """A decision for a narrow restart never allows the release of the hold."""
    a_decision()
    refused(run(*FULL, "-y"), 3, "D-1 decided restart_narrow, which does not allow restart_full")
    assert run("gate", "invoice-triage").code == 20


@pytest.mark.parametrize("verdict", [VerdictKind.KEEP_PAUSED, VerdictKind.ESCALATE])
def test_a_decision_to_stay_paused_opens_nothing(verdict: VerdictKind) -> None:
    """Keep paused and escalate entitle to no restart at all."""
    a_decision(verdict=verdict)
    for words in (NARROW, FULL):
        refused(run(*words, "-y"), 3, f"D-1 decided {verdict}", "`workbench review H-1`")


def test_a_full_decision_releases() -> None:
    """With a decision for it the hold is released, final, and the automations run again."""
    a_decision(verdict=VerdictKind.RESTART_FULL)
    found = run(*FULL, "--decision", "D-1", "-y")
    assert found.code == 0
    assert "H-1 released at " in found.out
    assert "other holds on the same automations stay" in found.out
    assert run("gate", "invoice-triage").code == 0
    refused(run(*FULL, "-y"), 3, "H-1 was released by", "a release is final", "`workbench pause`")
    assert len(events("hold.release")) == 1


def test_a_release_leaves_other_holds() -> None:
    """What two holds cover stays paused when one is released."""
    a_hold("automation=ticket-reply")
    run(*FULL, *BREAK_GLASS, "-y")
    assert run("gate", "ticket-reply").out == "PAUSED by H-2\n"
    assert run("gate", "invoice-triage").code == 0


def test_a_decision_about_less_does_not_cover_the_hold() -> None:
    """A decision about some of the automations does not release the others."""
    a_decision(verdict=VerdictKind.RESTART_FULL, ids=("ticket-reply",))
    refused(run(*FULL, "-y"), 3, "D-1 is not about invoice-triage")
    assert run(*NARROW, "-y").code == 0


def test_a_decision_of_another_hold_is_refused() -> None:
    """A decision entitles for its own hold only."""
    a_hold("kind=workflow")
    a_decision("H-2", ids=("order-sync",))
    refused(run(*NARROW, "--decision", "D-1", "-y"), 3, "D-1 is about H-2, not H-1")


def test_an_older_decision_is_superseded() -> None:
    """A newer decision on the hold takes the older one's force."""
    a_decision()
    a_decision(verdict=VerdictKind.KEEP_PAUSED)
    refused(run(*NARROW, "--decision", "D-1", "-y"), 3, "D-1 was superseded by D-2 (keep_paused)")


@pytest.mark.parametrize(
    ("words", "code", "parts"),
    [
        (("H-1",), 2, [" --only SCOPE --runs N`", " --full`"]),
        (("H-1", "--only", AGENTS, "--full", "--runs", "1"), 2, ["either a narrow restart (`--only`) or a release (`--full`)"]),
        (("H-1", "--only", AGENTS), 2, ["a number of runs above 0"]),
        (("H-1", "--only", AGENTS, "--runs", "0"), 2, ["a number of runs above 0"]),
        (("H-1", "--only", AGENTS, "--runs", "-3"), 2, ["a number of runs above 0"]),
        (("H-1", "--full", "--runs", "3"), 2, ["`--full` has no limit"]),
        (("H-1", "--full", "--until", "2099-01-01T00:00:00Z"), 2, ["`--full` has no limit"]),
        (("H-1", "--only", AGENTS, "--runs", "1", "--until", "soon"), 2, ["--until"]),
        (("H-1", "--only", AGENTS, "--runs", "1", "--until", "2020-01-01T00:00:00Z"), 2, ["in the past"]),
        (("H-1", "--only", "kind=workflow", "--runs", "1"), 4, ["kind=workflow is not under H-1, which holds kind=agent", "under it: kind=agent; automation=invoice-triage, ticket-reply.", "name a part of H-1"]),
        (("H-1", "--only", "category=content", "--runs", "1"), 4, ["category=content is not under H-1", "under it: category=commerce, support; automation="]),
        (("H-1", "--only", "automation=order-sync", "--runs", "1"), 4, ["automation=order-sync is not under H-1, which holds kind=agent", "under it: automation=invoice-triage, ticket-reply."]),
        (("H-1", "--only", "automation=invoice-triag", "--runs", "1"), 4, ["is not under H-1", "did you mean automation=invoice-triage?"]),
        (("H-1", "--only", "invoice-triage", "--runs", "1"), 2, ["did you mean `automation=invoice-triage`?"]),
        (("H-1", "--only", "", "--runs", "1"), 2, ["The scope is empty"]),
        (("H-9", "--full"), 4, ["There is no hold H-9; standing holds: H-1", "`workbench hold list`"]),
        (("H-1", "--full", "--as", "boss"), 3, ["'boss' is not a registered role"]),
    ],
)  # fmt: skip
def test_a_resume_that_says_too_much_or_too_little_is_refused(
    words: tuple[str, ...], code: int, parts: list[str]
) -> None:
    """Unclear, contradictory or impossible resumes change nothing and say what to type."""
    before = last_seq()
    refused(run("resume", *words, *BREAK_GLASS, "-y"), code, *parts)
    assert last_seq() == before
    assert run("gate", "invoice-triage").code == 20


def test_decision_and_break_glass_exclude_each_other() -> None:
    """Going with a decision and without one at once is a contradiction."""
    a_decision()
    found = run(*NARROW, "--decision", "D-1", *BREAK_GLASS, "-y")
    refused(found, 2, "either a decision or a break-glass reason, not both")


def test_a_decision_that_is_not_there_is_not_found() -> None:
    """An unknown decision is refused and those on the hold are named."""
    a_decision()
    refused(
        run(*NARROW, "--decision", "D-7", "-y"),
        4,
        "There is no decision D-7; for H-1 there is: D-1",
    )


def test_an_empty_break_glass_is_no_reason() -> None:
    """Blanks do not break the glass."""
    refused(run(*FULL, "--break-glass", "  ", "-y"), 3, "not resumed without a decision")


@pytest.mark.parametrize("words", [NARROW, FULL])
def test_break_glass_is_recorded_and_flagged(words: tuple[str, ...]) -> None:
    """Going without a decision says so at once, stands in the log, and status shows it."""
    found = run(*words, *BREAK_GLASS, "-y", "--as", "ops-lead")
    assert found.code == 0
    assert "Break-glass: recorded, and flagged in `workbench status`." in found.out
    newest = events()[-1]
    assert newest.payload["break_glass_reason"] == "the customer waits"
    assert newest.reason == "break-glass: the customer waits"
    assert newest.actor.startswith("ops-lead (os:")
    assert "by break-glass" in run("status").out


def test_a_hostile_break_glass_reason_is_inert() -> None:
    """A reason that would clear the screen is kept as typed and shown inert wherever it appears."""
    found = run(*NARROW, "--break-glass", HOSTILE, "-y")
    assert found.code == 0
    assert events("probation.start")[0].payload["break_glass_reason"] == HOSTILE.strip()
    shown = [run("status"), run("audit", "show"), run("hold", "list", "--all"), run("card", "*")]
    for print_out in (found, *shown):
        inert(print_out)


def test_a_hostile_decision_reason_is_inert_in_a_later_refusal() -> None:
    """The reason of a decision, quoted when it does not entitle, cannot forge lines of ours."""
    a_report()
    made = run("decide", "R-1", "--override", "keep_paused", "-r", HOSTILE, "-y")
    assert made.code == 0
    inert(made)
    later = run(*NARROW, "-y")
    refused(later, 3, "D-1 decided keep_paused")
    inert(later)


@pytest.mark.parametrize("words", [NARROW, FULL])
def test_a_resume_that_gates_have_not_got_is_shouted(words: tuple[str, ...]) -> None:
    """Where gates cannot be told, the release stands in the log, exits 10 and says nothing runs yet."""
    block_gate()
    found = run(*words, *BREAK_GLASS, "-y")
    if words is NARROW:
        refused(found, 15, "Tickets cannot be counted in", "nothing was restarted")
        assert events("probation.start") == []
        return
    assert found.code == 10, found.said
    assert "RECORDED, NOT DELIVERED: the gate folder" in found.out
    assert "nothing runs again until it has" in found.out
    assert len(events("hold.release")) == 1


def test_nothing_is_opened_on_a_damaged_log() -> None:
    """Where an event of the log cannot be taken in, every resume is refused with exit code 14."""
    alter("update event set body = '{' where seq = 12")
    refused(run(*FULL, *BREAK_GLASS, "-y"), 14, "Event 12 of the log", "nothing is resumed")
    assert events("hold.release") == []


def test_a_narrow_restart_supersedes_the_one_before() -> None:
    """There is one narrow restart on an automation at most: a new one ends the old one."""
    run(*NARROW, *BREAK_GLASS, "-y")
    run("resume", "H-1", "--only", AGENTS, "--runs", "5", *BREAK_GLASS, "-y")
    assert [(e.target, e.reason) for e in events("probation.end")] == [("P-1", "superseded by P-2")]
    assert "P-2 0/5 runs" in run("hold", "list").out


def test_a_second_narrow_restart_says_that_it_ends_the_first() -> None:
    """What the earlier one had left is void, and the print-out says so."""
    a_hold()
    words = ("resume", "H-1", "--only", "automation=invoice-triage", "--runs", "2")
    first = run(*words, "--break-glass", "try", "-y")
    assert "takes its place" not in first.out
    second = run(*words, "--break-glass", "again", "-y")
    assert "P-1 is over: P-2 takes its place, and the runs that it had left are void." in second.out


def test_catch_up_is_refused_where_only_the_gate_is_asked() -> None:
    """Nothing at a gate skips or makes up starts, so the choice is refused and nothing recorded."""
    a_hold()
    before = last_seq()
    found = run("resume", "H-1", "--full", "--break-glass", "x", "--catch-up", "skip", "-y")
    refused(found, 3, "No engine runs invoice-triage, ticket-reply", "leave `--catch-up` out")
    assert last_seq() == before


def test_a_yes_out_of_habit_is_taken() -> None:
    """Commands that never ask take `--yes` as well."""
    for words in (("mirror", "forget", "b"), ("affected", "withdraw", "H-1")):
        assert "No such option" not in run(*words, "--yes").err
    assert "already" in run("store", "migrate", "--yes").out


def test_a_release_by_break_glass_is_flagged_with_its_reason() -> None:
    """Status says why, and what two others type."""
    a_hold()
    run("resume", "H-1", "--full", "--break-glass", "no owner awake", "-y")
    said = "H-1 was released by break-glass: no owner awake; flagged until two others type"
    assert f"{said} `workbench reviewed H-1 --reason TEXT`" in run("status").out

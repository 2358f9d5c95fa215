"""Times, files and keys that are none: one sentence with a right value beside it, in our words and not in Python's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.ground import AGENTS, a_hold, a_store, events, run, usage
from workbench.cli import main
from workbench.settings import Settings

LIKE = "write it like 2026-11-23T21:00:00Z"
RAW = ("isoformat", "Errno", "fromhex", "codec", "Traceback")


def said_plainly(*words: str, code: int, parts: tuple[str, ...]) -> None:
    """Assert that a command is refused in these words, none of them Python's."""
    found = run(*words)
    assert (found.code, [part for part in parts if part not in found.err]) == (code, []), found.said
    assert not [raw for raw in RAW if raw in found.said], found.said


@pytest.mark.parametrize(
    "words",
    [
        ("resume", "H-1", "--only", "automation=ticket-reply", "--runs", "2", "--until", "tomorrow"),
        ("hold", "take-over", "H-1", "--reason", "mine", "--review-by", "yesterday"),
        ("key", "enrol", "00", "--person", "ann", "--role", "ops-lead", "--until", "soon"),
        ("review", "H-1", "--since", "25:00"),
        ("load", "--table", "run", "--complete-until", "now", "x.jsonl"),
    ],
)  # fmt: skip
def test_a_time_that_is_none_is_answered_with_one_that_is(words: tuple[str, ...]) -> None:
    """Wherever an instant is asked for, a wrong one is quoted and a right one is shown."""
    a_store()
    a_hold()
    said_plainly(*words, code=2, parts=(LIKE,))


def test_a_pause_with_a_time_that_is_none_says_that_nothing_is_paused() -> None:
    """The refusal is in capitals what matters, and the same pause without the time can be copied."""
    a_store()
    words = ("pause", AGENTS, "--reason", "wrong amounts", "--review-by", "yesterday", "-y")
    again = f"`workbench pause {AGENTS} --reason 'wrong amounts' -y`"
    said_plainly(*words, code=2, parts=("NOTHING is paused", LIKE, again))
    assert not events("hold.place")


def test_a_clock_that_is_none_is_answered_with_one_that_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A garbled WORKBENCH_CLOCK is refused with what to set, and a pause says that nothing is paused."""
    a_store()
    monkeypatch.setenv("WORKBENCH_CLOCK", "garbage")
    parts = ("WORKBENCH_CLOCK", LIKE, "NOTHING is paused", "unset WORKBENCH_CLOCK")
    said_plainly("pause", AGENTS, "-y", code=17, parts=parts)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("absent.toml", "there is no such file"),
        ("folder", "it is a folder, not a file"),
        ("latin.toml", "it is not text in UTF-8"),
    ],
)
@pytest.mark.parametrize("noun", ["registry", "policy"])
def test_a_file_that_cannot_be_read_says_why_in_words(
    tmp_path: Path, noun: str, name: str, why: str
) -> None:
    """The registry's and the policy's file are named with the reason, and no line is named where there is none."""
    a_store()
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    path = tmp_path / name
    parts = (f"{path} cannot be read: {why}.", f"next: name the {noun}'s file")
    more = ("-e", "staging") if noun == "policy" else ()
    said_plainly(noun, "check", str(path), *more, code=17, parts=parts)


def test_a_valid_registry_file_is_noted_where_it_is_seldom_meant(tmp_path: Path) -> None:
    """`registry check` says what a file without automations would do, and which role nobody can sign for."""
    (tmp_path / "empty.toml").write_text("")
    found = run("registry", "check", str(tmp_path / "empty.toml"))
    assert found.code == 0 and "note: the file names no automation" in found.out
    (tmp_path / "bare.toml").write_text("[owners.ops-lead]\nmembers = []\n")
    said = run("registry", "check", str(tmp_path / "bare.toml")).out
    assert "note: owners.ops-lead: it has no members, so no key can be enrolled in it" in said


def test_a_file_of_engines_that_is_a_folder_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of engines, too, is refused without a number of the system."""
    a_store()
    home = Settings.from_environment().home
    home.mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv("WORKBENCH_ENGINES", str(home))
    said_plainly("engine", "list", code=17, parts=("it is a folder, not a file",))


def test_a_public_key_that_is_none_is_told_what_one_looks_like() -> None:
    """Enrolling a slip of the keyboard says how long a key is and of which characters."""
    a_store()
    words = ("key", "enrol", "zz", "--person", "ann", "--role", "ops-lead", "-y")
    parts = ("64 characters of 0-9 and a-f", "copy the line")
    said_plainly(*words, code=2, parts=parts)
    said_plainly("audit", "verify", "--trust-key", "zz", code=2, parts=parts[:1])


def test_a_gate_folder_that_is_not_there_is_named_in_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The gate says UNKNOWN, which folder it looked into, and that no store has published there."""
    monkeypatch.setenv("WORKBENCH_GATE", str(tmp_path / "none"))
    with pytest.raises(SystemExit) as ended:
        main(["gate", "invoice-triage"])
    said = capsys.readouterr().out
    assert (ended.value.code, "Errno" in said) == (21, False)
    assert f"{tmp_path / 'none'} cannot be read: no store has published there" in said


def test_words_that_are_no_text_are_refused_and_stop_no_pause() -> None:
    """What a shell of another encoding hands over is no defect of ours; a pause is recorded with marks for it."""
    a_store()
    a_hold()
    parts = ("is not text in UTF-8", "rename it first")
    said_plainly("load", "caf\udce9.jsonl", "--table", "run", code=2, parts=parts)
    said_plainly("sql", "select '\udce9'", code=2, parts=parts)
    said_plainly("decide", "R-1", "--command-id", "\udce9", "-y", code=2, parts=parts)
    words = ("pause", "kind=workflow", "-r", "caf\udce9", "--command-id", "c-\udce9")
    assert run(*words, "-y", "--no-wait").code == 10
    assert events("hold.place")[-1].reason == "caf?"


def test_what_a_gated_command_is_given_stays_as_it_is() -> None:
    """Words behind `--` are another program's: a file name of another encoding reaches it."""
    a_store()
    code = "import os, sys; sys.exit(os.fsencode(sys.argv[1]) != b'caf\\xe9')"
    words = ("gate", "order-sync", "--run", "r-1", "--", sys.executable, "-c", code, "caf\udce9")
    assert run(*words).code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("resume", "H-1", "--only", "automation=ticket-reply", "--runs", "9" * 30),
        ("resume", "H-1", "--only", "automation=ticket-reply", "--host", f"a={'9' * 30}"),
        ("resume", "H-1", "--full", "--catch-up", "all", "--rate-per-minute", "9" * 30),
    ],
)
def test_more_runs_than_can_be_counted_are_refused(words: tuple[str, ...]) -> None:
    """A key that was held down too long is a usage fault, not a defect."""
    a_store()
    a_hold()
    said_plainly(*words, "--break-glass", "x", "-y", code=2, parts=("up to 1,000,000,000",))


def test_an_event_that_no_log_has_is_out_of_range() -> None:
    """`audit show --after` takes the numbers that an event can have, and no others."""
    a_store()
    for number in ("9" * 30, "-1"):
        usage(run("audit", "show", "--after", number), "--after", "is not in the range")


def test_what_is_quoted_does_not_fill_the_screen() -> None:
    """However long a word is, its refusal fits a screen, and begins and ends as it should."""
    a_store()
    for words in (("status", "x" * 100_000), ("pause", "*", "--mode", "x" * 100_000)):
        found = run(*words)
        assert (found.code, len(found.err) < 3_000) == (2, True)
        assert " ... " in found.err


def test_reports_of_a_hold_that_there_is_not_are_not_none() -> None:
    """A slip in the id of a hold is not answered with an empty list."""
    a_store()
    said_plainly("report", "list", "--hold", "H-9", code=4, parts=("There is no hold H-9",))


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("WORKBENCH_STORE", "~nobody-here/store", "nobody's home folder is called so"),
        ("WORKBENCH_GATE", "~nobody-here/gate", "nobody's home folder is called so"),
        ("WORKBENCH_HOME", "/tmp/caf\udce9", "not text in UTF-8"),
        ("WORKBENCH_ANCHORS", "/tmp:~nobody-here/a", "nobody's home folder is called so"),
        ("WORKBENCH_STORE", "postgresql://ann:hunter2@[::1/db", "not written as one"),
        ("WORKBENCH_CLOCK", "9999-12-31T23:59:59Z", "the years are 1970 to 2199"),
    ],
)
@pytest.mark.parametrize("words", [("status",), ("pause", AGENTS, "-r", "x", "-y")], ids=" ".join)
def test_settings_that_are_none_are_named(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], name: str, value: str, why: str
) -> None:
    """A setting that cannot be used is refused in words, a password in it not shown; a pause says it did nothing."""
    a_store()
    monkeypatch.setenv(name, value)
    named = () if "postgresql" in value else (name,)
    is_pause = words[0] == "pause"
    said_plainly(*words, code=17, parts=(*named, why, *["NOTHING is paused"] * is_pause))
    assert "hunter2" not in run(*words).said


@pytest.mark.parametrize(
    "words",
    [
        ("resume", "H-1", "--only", "automation=ticket-reply", "--runs", "1", "--break-glass", "x", "-y"),
        ("signoff", "request", "H-1", "--only", "automation=ticket-reply", "--runs", "1"),
        ("key", "enrol", "0" * 64, "--person", "ann", "--role", "ops-lead", "-y"),
        ("key", "request", "0" * 64, "--person", "ann", "--role", "ops-lead"),
    ],
)  # fmt: skip
def test_an_empty_end_is_no_restart_and_no_key_without_end(words: tuple[str, ...]) -> None:
    """`--until "$END"` with END unset is refused: what was meant to end would go on for ever."""
    a_store()
    a_hold()
    before = len(events())
    said_plainly(*words, "--until", "", code=2, parts=("--until: '' is no date and time", LIKE))
    assert len(events()) == before


@pytest.mark.parametrize("value", ["", " "])
def test_a_store_is_not_moved_to_nowhere(value: str) -> None:
    """`store migrate --to "$PLACE"` with PLACE unset does not move the store into the folder one stands in."""
    a_store()
    said_plainly("store", "migrate", "--to", value, code=17, parts=("--to is empty",))
    assert run("status").code == 0


def test_an_engine_that_nobody_named_has_no_backlog() -> None:
    """A slip in an engine's name is not answered with "nothing was brought back"."""
    a_store()
    said_plainly("engine", "backlog", "prefekt", code=4, parts=("no engine 'prefekt'",))
    assert run("engine", "backlog").code == 0


def test_a_password_in_an_engines_address_is_not_listed() -> None:
    """`engine list` shows where an engine is, without the name and password that somebody wrote into its address."""
    a_store()
    path = Settings.from_environment().engines_file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        '[engines.prefect]\nkind = "prefect"\nurl = "http://ann:hunter2@127.0.0.1:9/api"\n'
    )
    for words in (("engine", "list"), ("engine", "list", "--json"), ("engine", "probe", "prefect")):
        said = run(*words).said
        assert ("127.0.0.1:9" in said, "hunter2" in said, "ann:" in said) == (True, False, False), (
            said
        )


def test_a_copy_that_is_no_text_is_refused_in_words(tmp_path: Path) -> None:
    """`store restore` of something else says what it is not, in our words."""
    (tmp_path / "copy.jsonl").write_bytes(b"\xff\xfe")
    said_plainly(
        "store",
        "restore",
        str(tmp_path / "copy.jsonl"),
        code=14,
        parts=("it is not text in UTF-8",),
    )

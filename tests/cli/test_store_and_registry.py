"""`workbench store` and `workbench registry`: making the one store, and saying who owns what."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.ground import (
    HOSTILE,
    REGISTRY,
    a_hold,
    a_registry_file,
    a_store,
    block_gate,
    events,
    inert,
    last_seq,
    refused,
    run,
)
from workbench.settings import Settings


def test_store_init_makes_one_store_and_says_where(own_folders: Path) -> None:
    """The store is made where WORKBENCH_STORE points, with one event, its place and the next step printed."""
    found = run("store", "init", "--environment", "production")
    assert (found.code, found.err) == (0, "")
    (first,) = events()
    assert (first.action, first.payload["environment"]) == ("store.init", "production")
    made, unsigned, following, head = found.out.splitlines()
    assert unsigned.startswith("production asks for sign-offs and no key is enrolled: what is pau")
    assert made.startswith(f"Made store {first.store_id}  |  environment production  |  ")
    assert str(own_folders / "store") in made
    assert following.startswith("Next: `workbench registry apply FILE`")
    assert head == f"log head 1 {first.hash[:16]} of store {first.store_id} (production), unsigned"


KEYED = ("store", "init", "-e", "production", "--key", "--person", "ann", "--role", "ops-lead")


def test_store_init_enrols_the_first_key() -> None:
    """With `--key` a key is made, enrolled on nobody's word, and named as such; an own one is taken as it is."""
    found = run(*KEYED)
    assert found.code == 0, found.said
    assert [event.action for event in events()] == ["store.init", "key.enrol"]
    assert "counts as ann, ops-lead: the store's first, on nobody's word" in found.out
    assert "no key is enrolled" not in run("status").out
    (key,) = run("key", "list", "--json").document
    assert (key["person"], key["enrolled_by"]) == ("ann", key["key_id"])
    assert found.out.splitlines()[-1].startswith(f"log head 2 {events()[-1].hash[:16]}")


def test_store_init_takes_the_key_that_is_there() -> None:
    """Who made a key before keeps it: the file is not written again."""
    made = run("key", "new").out.splitlines()[1]
    assert run(*KEYED).code == 0
    assert run("key", "list", "--json").document[0]["public_hex"] == made


def test_store_init_offers_a_key_on_a_terminal() -> None:
    """At a terminal it is offered; yes asks for name and role, no makes the store and says what that means."""
    found = run("store", "init", "-e", "staging", typed="y\nann\nops-lead\n")
    assert found.code == 0, found.said
    assert events()[-1].action == "key.enrol"


def test_store_init_without_a_key_says_what_that_means() -> None:
    """A no makes the store without one; status and doctor say plainly what production cannot do then."""
    found = run("store", "init", "-e", "production", typed="n\n")
    assert found.code == 0, found.said
    said = "production asks for sign-offs and no key is enrolled: what is paused resumes by break-glass only"
    assert said in found.out
    assert f"flagged: {said}" in run("status").out
    (keys,) = [f for f in run("doctor", "--json").document if f["about"] == "keys"]
    assert (keys["is_well"], keys["finding"]) == (False, said)
    assert "`workbench key new`" in keys["next_step"]


@pytest.mark.parametrize(
    "words", [("--key",), ("--person", "ann"), ("--role", "Ops Lead", "--person", "ann")]
)
def test_half_a_first_key_makes_no_store(words: tuple[str, ...], own_folders: Path) -> None:
    """A key without a name or role that counts is refused before anything is made."""
    found = run("store", "init", "-e", "staging", *words)
    refused(found, 2, "The first key needs --", "--key --person NAME --role ROLE")
    assert not (own_folders / "store").exists()


def test_what_only_looks_like_production_is_said() -> None:
    """`prod` is no environment that guards anything: making the store says so, and automations of another environment are named."""
    found = run("store", "init", "--environment", "prod")
    assert "only a store of the environment `production` does so by itself" in found.out
    told = run("registry", "apply", str(a_registry_file()), "--yes")
    assert "name another environment than this store, prod" in told.out


def test_a_second_init_leaves_the_store_as_it_is(own_folders: Path) -> None:
    """Where a store is already, init is refused with exit code 3 and not a byte changes."""
    run("store", "init", "-e", "staging")
    file = own_folders / "store" / "store.sqlite"
    before = file.read_bytes()
    refused(run("store", "init", "-e", "production"), 3, "There is a store in", "left as it is")
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "name", ["Production", "my env", "", "prod/uction", "-x-", HOSTILE, "a" * 64]
)
def test_an_environment_that_is_no_slug_is_refused(name: str, own_folders: Path) -> None:
    """An environment that a scope could not name makes no store."""
    found = run("store", "init", f"--environment={name}")
    refused(found, 2, "is not a valid environment; write it like production or staging")
    inert(found)
    assert not (own_folders / "store").exists()


def test_a_file_where_the_store_should_be_is_named(own_folders: Path) -> None:
    """A path that is a file is refused in one sentence, and the file is left."""
    (own_folders / "store").write_text("mine")
    refused(run("store", "init", "-e", "staging"), 15, "No store can be made in", "WORKBENCH_STORE")
    assert (own_folders / "store").read_text() == "mine"


def test_the_gate_folder_of_another_store_is_refused(
    own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second store never publishes into the gate folder of the first."""
    run("store", "init", "-e", "staging")
    monkeypatch.setenv("WORKBENCH_STORE", str(own_folders / "other"))
    refused(run("store", "init", "-e", "staging"), 3, "another store", "set WORKBENCH_GATE")
    assert not (own_folders / "other" / "store.sqlite").exists()


def test_registry_check_needs_no_store(own_folders: Path) -> None:
    """A file is checked without a store, what it holds is counted, and nothing is made."""
    found = run("registry", "check", str(a_registry_file()))
    assert found.code == 0
    assert found.out.endswith(": 4 automations, 2 categories, 3 owners; valid.\n")
    assert not (own_folders / "store").exists()


WRONG = [
    ("[automations", ":1: not valid TOML"),
    (REGISTRY.replace('kind = "agent"', 'kind = "robot"', 1), "'robot' is not a kind"),
    (REGISTRY.replace('owner = "agent-owner"', 'owner = "nobody"'), "'nobody' is not one of the owners"),
    (REGISTRY.replace('category = "support"', 'category = "sales"'), "'sales' is not one of the categories"),
    (REGISTRY.replace("asks_gate = true", 'asks_gate = "yes"', 1), "asks_gate"),
    (REGISTRY.replace("300", "-5"), "above 0"),
    (REGISTRY.replace("title =", "nickname ="), "nickname"),
    (REGISTRY.replace("environment = \"staging\"", "environment = \"production\""), "its checklist lacks"),
    (REGISTRY.replace("[automations.order-sync]", "[automations.\"Order Sync\"]"), "Order Sync"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "part"), WRONG, ids=[part for _, part in WRONG])
@pytest.mark.parametrize("verb", [("check",), ("apply", "--yes")])
def test_a_wrong_file_is_named_with_its_line(text: str, part: str, verb: tuple[str, ...]) -> None:
    """Every mistake in the file is refused with exit code 17, file and line; nothing is recorded."""
    a_store(registry="")
    path = a_registry_file(text)
    refused(run("registry", *verb, str(path)), 17, part, f"{path}:")
    assert last_seq() == 1


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00bad"])
def test_a_file_that_cannot_be_read_is_named(content: bytes | None, own_folders: Path) -> None:
    """A missing or binary file is bad settings, in one sentence."""
    path = own_folders / "gone.toml"
    if content is not None:
        path.write_bytes(content)
    refused(run("registry", "check", str(path)), 17, f"{path} cannot be read")


def test_apply_shows_what_differs_and_records_it() -> None:
    """Applying prints each difference, records one event each, and ends with the new head."""
    a_store(registry="")
    found = run("registry", "apply", str(a_registry_file()), "-y")
    assert found.code == 0
    assert [e.action for e in events()[1:]] == [
        *["owner.register"] * 3,
        *["category.register"] * 2,
        *["automation.register"] * 4,
    ]
    assert "Recorded 9 changes. What was paused stays paused." in found.out
    assert "automation.register  invoice-triage  agent in commerce, staging" in found.out
    assert found.out.splitlines()[-1].startswith("log head 10 ")


def test_applying_the_same_file_again_records_nothing() -> None:
    """Where nothing differs nothing is asked and nothing is recorded."""
    a_store()
    before = last_seq()
    found = run("registry", "apply", str(a_registry_file()))
    assert found.code == 0
    assert "Nothing differs; nothing was recorded." in found.out
    assert last_seq() == before


@pytest.mark.parametrize(("typed", "code"), [("n\n", 130), ("", 130), ("y\n", 0)])
def test_apply_asks_before_it_records(typed: str, code: int) -> None:
    """At a terminal the changes are recorded after a yes only."""
    a_store(registry="")
    found = run("registry", "apply", str(a_registry_file()), typed=typed)
    assert found.code == code
    assert "Record these 9 changes?" in found.out
    assert (last_seq() == 10) == (code == 0)


def test_apply_without_a_terminal_needs_yes() -> None:
    """Where nobody can answer, applying is refused and names `--yes`."""
    a_store(registry="")
    refused(
        run("registry", "apply", str(a_registry_file())), 2, "Nobody is at the terminal", "--yes"
    )
    assert last_seq() == 1


def test_an_edit_of_the_registry_unpauses_nothing() -> None:
    """What a hold covered when it was placed stays paused whatever the file says afterwards."""
    a_store()
    a_hold()
    moved = REGISTRY.replace('provider = "acme-llm"', 'provider = "other-llm"')
    found = run("registry", "apply", str(a_registry_file(moved)), "--yes")
    assert found.code == 0
    assert "provider: 'acme-llm' -> 'other-llm'" in found.out
    assert run("gate", "invoice-triage").code == 20


def test_an_automation_taken_out_is_retired_and_stays_held() -> None:
    """An automation that is no longer in the file is recorded as retired; under a hold it stays paused."""
    a_store()
    a_hold()
    kept = REGISTRY.partition("[automations.ticket-reply]")[0]
    assert run("registry", "apply", str(a_registry_file(kept)), "--yes").code == 0
    assert {e.target for e in events("automation.retire")} == {
        "order-sync",
        "price-lookup",
        "ticket-reply",
    }
    assert run("gate", "ticket-reply").code == 20
    assert run("gate", "order-sync").code == 21


def test_a_registry_that_gates_have_not_got_is_said() -> None:
    """Where the gate folder cannot be written, the changes are recorded and the print-out says what is not."""
    a_store(registry="")
    block_gate()
    found = run("registry", "apply", str(a_registry_file()), "--yes")
    assert found.code == 0
    assert last_seq() == 10
    assert "RECORDED, NOT DELIVERED: the gate folder" in found.out


def test_a_role_must_be_registered() -> None:
    """`--as` accepts the owners of the registry only, and names them."""
    a_store()
    changed = a_registry_file(REGISTRY.replace("pager 7", "pager 8"))
    refused(
        run("registry", "apply", str(changed), "--yes", "--as", "boss"), 3, "'boss'", "ops-lead"
    )
    assert run("registry", "apply", str(changed), "--yes", "--as", "ops-lead").code == 0
    assert events()[-1].actor.startswith("ops-lead (os:")


def test_a_hostile_contact_is_shown_inert(own_folders: Path) -> None:
    """Texts of the file that strangers could have written are printed inert, when applied and on the card."""
    a_store(registry="")
    escaped = "\\u001b[2J\\u0007\\r\\nlog head 99 all is well\\u009b31m\\u202e"
    text = REGISTRY.replace("pager 7", escaped).replace("tell the finance desk", escaped)
    text = text.replace("Sorts invoices", escaped)
    applied = run("registry", "apply", str(a_registry_file(text)), "--yes")
    assert applied.code == 0, applied.said
    inert(applied)
    for words in (("card", "*"), ("status",), ("find", "agent"), ("audit", "show")):
        found = run(*words)
        assert found.code == 0
        inert(found)
    assert run("card", "*", "--json").document["automations"][1]["contact"].startswith("\x1b[2J")


def test_the_settings_name_the_store_that_is_printed(own_folders: Path) -> None:
    """Every print-out of the registry names the store it acted on."""
    a_store()
    found = run("registry", "apply", str(a_registry_file()), "--yes")
    assert str(Settings.from_environment().store) in found.out.splitlines()[0]


def test_a_store_is_made_again_from_an_export(own_folders: Path) -> None:
    """`store restore` has the same log and verifies; refused where a store is, and never half made."""
    a_store()
    a_hold()
    before = events()
    assert run("audit", "export", str(own_folders / "kept")).code == 0
    copy = own_folders / "kept" / "events.jsonl"
    refused(run("store", "restore", str(copy)), 3, "There is a store")
    (own_folders / "store").rename(own_folders / "lost")
    refused(run("store", "restore", str(own_folders / "absent")), 4, "absent cannot be read")
    text = copy.read_text()
    copy.write_text(text.replace("wrong amounts", "right amounts"))
    refused(run("store", "restore", str(copy)), 14, "broken at")
    assert not (own_folders / "store" / "store.sqlite").exists()
    copy.write_text(text)
    made = run("store", "restore", str(copy))
    assert (made.code, "Made again" in made.out) == (0, True)
    assert [e.hash for e in events()] == [e.hash for e in before]
    assert run("audit", "verify").code == 0
    assert run("gate", "ticket-reply").code == 20


def test_a_store_made_again_from_an_older_copy_opens_nothing(own_folders: Path) -> None:
    """Gates that know more stay with what they know, and it is said at once."""
    a_store()
    assert run("audit", "export", str(own_folders / "kept")).code == 0
    a_hold()
    (own_folders / "store").rename(own_folders / "lost")
    made = run("store", "restore", str(own_folders / "kept" / "events.jsonl"))
    assert "NOT DELIVERED" in made.out
    assert "older or forked copy" in made.out
    assert run("gate", "ticket-reply").code == 20
